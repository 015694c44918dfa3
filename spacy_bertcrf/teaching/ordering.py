"""Rows in the order in which annotating their texts teaches most."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from spacy.language import Language

from spacy_bertcrf.annotation.annotator import Failure
from spacy_bertcrf.annotation.rows import Row
from spacy_bertcrf.teaching.ranking import DEFAULT, rank
from spacy_bertcrf.teaching.survey import Surveyed, survey


class Ordered(NamedTuple):
    """rows: in their new order. surveyed: what the pipeline thinks of each of them.
    failed: rows whose texts the pipeline cannot read, with the reasons; they are not among the
        others.
    """

    rows: list[Row]
    surveyed: list[Surveyed]
    failed: list[tuple[Row, str]]


def in_teaching_order(
    nlp: Language,
    rows: Sequence[Row],
    *,
    by: str = DEFAULT,
    n: int | None = None,
    varied: bool = True,
    tell: Callable[[int], object] | None = None,
) -> Ordered:
    """by, n, varied: as in `rank`.
    tell: called with the number of texts that have been read since it was called last.

    Raises ValueError if the pipeline has no `bertcrf`, and for another ranking.
    """
    known: list[Row] = []
    surveyed: list[Surveyed] = []
    failed: list[tuple[Row, str]] = []
    for row, found in zip(rows, survey(nlp, [row.text or "" for row in rows]), strict=True):
        if isinstance(found, Failure):
            failed.append((row, found.reason))
        else:
            known.append(row)
            surveyed.append(found)
        if tell is not None:
            tell(1)
    order = rank(surveyed, by, n, varied)
    return Ordered([known[i] for i in order], [surveyed[i] for i in order], failed)
