"""The files of a corpus, as the formats know which belong together."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spacy_bertcrf.corpora.formats import all_formats, get_format
from spacy_bertcrf.corpora.sources import Source, files_in, find_sources


def sources_of(
    inputs: Iterable[Path | str | Source],
    format: str = "auto",
    encoding: str = "utf8",
    without: Path | None = None,
) -> list[Source]:
    """Find the files of a corpus, as the formats know which belong together.

    inputs, format, encoding, without: as in `CorpusReader`.

    Raises ValueError if there is no such file or format, or if a folder may be of two formats.
    """
    asked = list(all_formats().values()) if format == "auto" else [get_format(format)]

    def files_of(folder: Path) -> list[Path] | None:
        found = [(format, files) for format in asked if (files := format.files(folder))]
        if len(found) > 1:
            names = " or ".join(format.name for format, _ in found)
            raise ValueError(
                f"The folder {folder} may be a corpus of {len(found)} formats. Name the right one: "
                f"--format {names}."
            )
        if not found:
            return None
        of, files = found[0]
        if format != "auto" or folder in files:
            return list(files)
        read = set(files)
        others = [path for path in files_in(folder) if path not in read and not of.is_beside(path)]
        mains = ((path, main_file(path)) for path in others)
        rest = [path for path, main in mains if main not in read and not main.is_dir()]
        return [*files, *rest]

    def main_file(path: Path) -> Path:
        return next((file for format in asked if (file := format.main_file(path))), path)

    return find_sources(inputs, encoding, files_of, main_file, without)
