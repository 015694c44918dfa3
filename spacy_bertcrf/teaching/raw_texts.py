"""The texts to choose from, as files have them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from spacy_bertcrf.annotation.inputs import find_inputs
from spacy_bertcrf.annotation.rows import Row
from spacy_bertcrf.annotation.settings import Settings
from spacy_bertcrf.annotation.shards import ShardReader, cut


class RawTexts(NamedTuple):
    """rows: one a text that can be read, of equal texts the first.
    faulty: rows of what cannot be read.
    n_blank, n_equal: how many texts are left out for they are blank, or there already.
    left_out: files of folders and globs that are of no kind that is read.
    """

    rows: list[Row]
    faulty: list[Row]
    n_blank: int
    n_equal: int
    left_out: list[Path]


def read_raw_texts(names: Sequence[str], output: Path, settings: Settings) -> RawTexts:
    """The texts of files, folders and globs. An annotator is asked once of equal texts.

    output: a folder or file that is no input.

    Raises ValueError and OSError for a file that cannot be read, or whose first record has no text
    where the settings say.
    """
    files, left_out = find_inputs(names, output)
    archive = cut(files, settings)
    reader = ShardReader(archive.sources, settings)
    rows: dict[str, Row] = {}
    faulty: list[Row] = []
    n_blank = n_equal = 0
    for shard in archive.shards:
        for row in reader.read(shard):
            if row.text is None:
                faulty.append(row)
            elif not row.text.strip():
                n_blank += 1
            elif row.text in rows:
                n_equal += 1
            else:
                rows[row.text] = row
    return RawTexts(list(rows.values()), faulty, n_blank, n_equal, left_out)


def without(rows: Iterable[Row], texts: Iterable[str]) -> list[Row]:
    """The rows of other texts than these."""
    known = set(texts)
    return [row for row in rows if row.text not in known]
