"""Which files an archive is made of, and what kind of file each is."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
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

    @property
    def name(self) -> str:
        """Its path as text; bytes that are not UTF-8 are shown as \\xB1."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")


def find_inputs(names: Iterable[str], output: Path) -> tuple[list[InputFile], list[Path]]:
    """The files that names, globs and folders stand for, each once.

    output: a folder whose files are no input, or a file that is none.

    Returns them, and the files in folders and globs that are left out, for their suffix is of no
    kind that is read. Raises ValueError for a name or glob that stands for nothing that is read,
    and for a file that is named and lies in the output; OSError for a folder that cannot be read.
    """
    found: dict[Path, InputFile] = {}
    left_out: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        if path.is_file():
            if output.resolve() in path.resolve().parents:
                raise ValueError(
                    f"{path} lies in {output}, which is written to. Move it, or write to another "
                    "folder."
                )
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
        paths = sorted(_below(path))
    elif glob.has_magic(name):
        paths = [Path(each) for each in sorted(glob.glob(name, recursive=True))]
    else:
        paths = []
    return [
        each
        for each in paths
        if each.is_file()
        and not each.name.startswith(".")
        and output not in (each.resolve(), *each.resolve().parents)
    ]


def _below(folder: Path) -> Iterator[Path]:
    """The files of a folder and those below it, links to folders among them, as far as none is
    hidden; each folder once, for links can lead in a circle."""

    def fail(error: OSError) -> None:
        raise error

    seen = set()
    for root, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        real = os.path.realpath(root)
        folders[:] = [] if real in seen else sorted(f for f in folders if not f.startswith("."))
        if real not in seen:
            yield from (Path(root, name) for name in names)
        seen.add(real)
