"""What `initialize` reads from a corpus with overlapping spans, and tells of it."""

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator

from spacy.training import Example

from spacy_bertcrf.models.spans.head import SpanHead
from spacy_bertcrf.pipeline.gold import Gold
from spacy_bertcrf.pipeline.survey import Survey, survey

SHOWN_CHARACTERS = 80  # of a text, in a message


def survey_spans(
    examples: Iterable[Example], component: str, gold: Gold, key: str, head: SpanHead
) -> Survey:
    """Look through all examples, once.

    Warns, in the name of the component, with counts and the first of each, of gold spans that do
    not align with its tokens, of those that its head cannot say, and of texts whose spans are not
    in `reference.spans[key]` where others have them there.
    """
    tally = _Tally(gold, key, head)
    found = survey(tally.passed(examples), component, gold)
    if tally.n_inexpressible:
        labels = ", ".join(f"{label} ({n:,})" for label, n in sorted(tally.inexpressible.items()))
        warnings.warn(
            f"{tally.n_inexpressible:,} of {tally.n_spans:,} gold spans cannot be said by the head "
            f"of '{component}', by label: {labels}. The first is {tally.first}. The rule: "
            f"{head.inexpressible_rule}. They are not learned, and count as not found.",
            stacklevel=4,
        )
    if tally.n_with_group and tally.n_without_group:
        warnings.warn(
            f"{tally.n_without_group:,} of {tally.n_texts:,} texts have no spans under '{key}': "
            f"of {tally.n_entities_alone:,} of these '{component}' takes doc.ents for all their "
            "spans, and of the others nothing is known. Set doc.spans, also where a text has "
            "none, to an empty group.",
            stacklevel=4,
        )
    return found


class _Tally:
    """Counts examples as they pass."""

    def __init__(self, gold: Gold, key: str, head: SpanHead):
        self._gold = gold
        self._key = key
        self._head = head
        self.inexpressible: Counter[str] = Counter()
        self.first = ""
        self.n_spans = self.n_texts = 0
        self.n_with_group = self.n_without_group = self.n_entities_alone = 0

    @property
    def n_inexpressible(self) -> int:
        return self.inexpressible.total()

    def passed(self, examples: Iterable[Example]) -> Iterator[Example]:
        for example in examples:
            self._count(example)
            yield example

    def _count(self, example: Example) -> None:
        self.n_texts += 1
        has_group = self._key in example.reference.spans
        self.n_with_group += has_group
        self.n_without_group += not has_group
        self.n_entities_alone += not has_group and self._gold.of_doc(example.reference) is not None
        spans = self._gold.of_example(example).spans
        self.n_spans += len(spans)
        doc = example.predicted
        for span in self._head.inexpressible(spans):
            self.inexpressible[span.label] += 1
            self.first = self.first or (
                f"'{doc[span.start : span.end]}' ({span.label}), in the text "
                f"'{doc.text[:SHOWN_CHARACTERS]}'"
            )
