"""Which entities a training corpus has shown before."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from spacy.tokens import Doc

from spacy_bertcrf.evaluation.judged import CharSpan, JudgedText

SEEN = ("seen with this label", "seen with another label", "not seen")


class Found(NamedTuple):
    """What was found of a group of entities.

    n_gold, n_found: gold entities, and those of them that were predicted.
    n_predicted, n_right: predicted entities, and those of them that are right.
    """

    name: str
    n_gold: int
    n_found: int
    n_predicted: int
    n_right: int

    @property
    def recall(self) -> float | None:
        return self.n_found / self.n_gold if self.n_gold else None

    @property
    def precision(self) -> float | None:
        return self.n_right / self.n_predicted if self.n_predicted else None


class KnownMentions:
    """The entities of a training corpus by their text, each as often as it is there.

    spans_key: take the spans under this key in place of the entities.
    """

    def __init__(self, docs: Iterable[Doc], spans_key: str | None = None):
        self.counts: Counter[tuple[str, str]] = Counter()
        self.texts: Counter[str] = Counter()
        for doc in docs:
            for ent in doc.ents if spans_key is None else doc.spans.get(spans_key, ()):
                self.counts[ent.text, ent.label_] += 1
                self.texts[ent.text] += 1

    def seen(self, mention: str, label: str) -> str:
        """Which of SEEN a mention is."""
        if (mention, label) in self.counts:
            return SEEN[0]
        return SEEN[1] if mention in self.texts else SEEN[2]


def found_by(
    texts: Sequence[JudgedText],
    name_of: Callable[[JudgedText, CharSpan], str],
    names: Sequence[str],
) -> list[Found]:
    """What was found of entities in groups.

    name_of: the name of the group that an entity of a text is in.
    names: of all groups, in their order; those without an entity are left out.
    """
    counts = {name: [0, 0, 0, 0] for name in names}
    for text in texts:
        gold, predicted = set(text.gold), set(text.predicted)
        for at, spans, others in ((0, text.gold, predicted), (2, text.predicted, gold)):
            for span in spans:
                of_group = counts[name_of(text, span)]
                of_group[at] += 1
                of_group[at + 1] += span in others
    return [Found(name, *of_group) for name, of_group in counts.items() if any(of_group)]
