"""Which files an archive is made of, and what kind of file each is."""

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

KINDS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "text",
    ".parquet": "parquet",
    ".pq": "parquet",
}
COMPRESSIONS = (".gz", ".zst")


class InputFile(NamedTuple):
    """A file of the archive.

    path: as the user has named it, or the folder it is in.
    kind: "jsonl", "csv", "text" or "parquet".
    compression: "", ".gz" or ".zst".
    """

    path: Path
    kind: str
    compression: str


def find_inputs(names: Iterable[str], output: Path) -> tuple[list[InputFile], list[Path]]:
    """The files that names, globs and folders stand for, each once.

    output: a folder whose files are no input, or a file that is none.

    Returns them, and the files in folders and globs that are left out, for their suffix is of no
    kind that is read. Raises ValueError for a name or glob that stands for nothing that is read.
    """
    found: dict[Path, InputFile] = {}
    left_out: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        if path.is_file():
            found[path] = input_file(path)
            continue
        paths = _inside(path, name, output.resolve())
        readable = [each for each in paths if _kind_of(each) is not None]
        if not readable:
            raise ValueError(
                f"{name}: there is no such file, and no {', '.join(KINDS)} file (also "
                f"{' or '.join(COMPRESSIONS)}) in such a folder or glob."
            )
        found.update((each, input_file(each)) for each in readable)
        left_out.update((each, None) for each in paths if _kind_of(each) is None)
    return list(found.values()), list(left_out)


def input_file(path: Path) -> InputFile:
    """Raises ValueError if a file's suffix is of no kind that is read."""
    kind = _kind_of(path)
    if kind is None:
        raise ValueError(
            f"{path}: what kind of file this is shows its suffix: {', '.join(KINDS)}, also "
            f"with {' or '.join(COMPRESSIONS)}. Rename it."
        )
    return InputFile(path, kind, path.suffix if path.suffix in COMPRESSIONS else "")


def _kind_of(path: Path) -> str | None:
    suffixes = path.suffixes[-2:] if path.suffix in COMPRESSIONS else path.suffixes[-1:]
    return KINDS.get(suffixes[0].lower()) if suffixes else None


def _inside(path: Path, name: str, output: Path) -> Sequence[Path]:
    if path.is_dir():
        paths = sorted(path.rglob("*"))
    elif glob.has_magic(name):
        paths = [Path(each) for each in sorted(glob.glob(name, recursive=True))]
    else:
        paths = []
    return [
        each
        for each in paths
        if each.is_file()
        and not any(part.startswith(".") for part in each.relative_to(path.anchor or "").parts[-1:])
        and output not in (each.resolve(), *each.resolve().parents)
    ]
