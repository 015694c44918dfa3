"""Several annotations of one text: alike, or one of them chosen, or put together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record

DIFFERENT = "annotations of a text differ"

_Key = tuple[str, str, str]


def choose_annotation(
    record: Record,
    found: Sequence[list[Mention]],
    choice: str | None,
    problems: ProblemLog,
) -> None:
    """Set a record's entities to one of several annotations, or to what they have in common.

    record: the record of the text, changed in place. What "agreed" leaves out is doubtful, for the
        annotators do not agree either that there is no entity.
    found: the entities of each annotation. None at all says that the text is not annotated.
    choice: "first", "agreed" (what all say) or "union" (what any says); None for the first, and
        then it is a problem if another differs.
    problems: log to add to.
    """
    if not found:
        return
    keys = [{_key(mention) for mention in mentions} for mentions in found]
    record.entities = list(found[0])
    if all(of == keys[0] for of in keys):
        return
    if choice is None:
        what = f"{len(found)} of them; the first is taken. Choose: --annotations agreed or union"
        problems.add(DIFFERENT, record.line, what)
        return
    problems.count(f"Texts whose annotations differ (--annotations {choice})")
    if choice == "first":
        return
    every: dict[_Key, Mention] = {}
    for mention in chain.from_iterable(found):
        every.setdefault(_key(mention), mention)
    agreed = set.intersection(*keys)
    chosen = every.keys() if choice == "union" else agreed
    record.entities = [mention for key, mention in every.items() if key in chosen]
    if choice == "agreed":
        record.doubtful += [mention for key, mention in every.items() if key not in agreed]


def _key(mention: Mention) -> _Key:
    # Offsets and labels are checked later, and may be of any type.
    return str(mention.start), str(mention.end), str(mention.label)
