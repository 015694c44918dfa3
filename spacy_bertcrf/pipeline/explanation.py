"""Why an entity: the numbers, and a sentence made from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spacy_bertcrf.pipeline.alternatives import Alternative
from spacy_bertcrf.pipeline.attribution import Attributions
from spacy_bertcrf.pipeline.mentions import NearMention
from spacy_bertcrf.tagging import EntitySpan

WORTH_A_WORD = 0.01  # the probability of an alternative that the sentence names
N_ALTERNATIVES = 2
N_STRETCHES = 2
WORTH_A_MENTION = 0.2  # of the strongest token's value, for what speaks against
AS_STRONG = 0.5  # as the strongest token, so that a neighbour is part of what the entity rests on
CONTEXT = 12  # characters on each side of a mention


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a span is an entity with its label, or why not.

    text: of the Doc.
    offsets: of each token, (start, end) in characters.
    span: that was asked about.
    probability: of it, exact.
    outside: the probability that there is no entity in its place: that none of its tokens is in
        one. None from a component whose spans may overlap.
    alternatives: the same tokens with other labels, and with all labels those whose borders are up
        to two tokens away, the most probable first. They exclude the span in a `bertcrf`, and not
        always each other.
    attributions: what in the text it rests on; None if that is not known.
    no_attributions: why it is not known, else empty.
    nearest: the mentions of a corpus that are nearest, if one was given.
    """

    text: str
    offsets: Sequence[tuple[int, int]]
    span: EntitySpan
    probability: float
    outside: float | None
    alternatives: Sequence[Alternative]
    attributions: Attributions | None = None
    no_attributions: str = ""
    nearest: Sequence[NearMention] = ()

    @property
    def mention(self) -> str:
        """The text of the span."""
        return self._written(self.span.start, self.span.end)

    @property
    def is_most_probable(self) -> bool:
        """Whether neither an alternative nor no entity at all is more probable."""
        others = [other.probability for other in self.alternatives[:1]]
        return self.probability >= max([*others, self.outside or 0.0])

    def rests_on(self, n: int = N_STRETCHES) -> list[str]:
        """What the entity rests on most, at most `n` stretches of the text, the strongest first: a
        token, with its neighbours that add half as much at least."""
        return self._stretches(1, n)

    def speaks_against(self, n: int = N_STRETCHES) -> list[str]:
        """What takes most from its probability, in the same way, if that is worth a mention: at
        least a fifth of what the strongest token adds."""
        return self._stretches(-1, n)

    def sentence(self, lang: str = "en") -> str:
        """All of it in one sentence.

        lang: "en" or "zh".

        Raises ValueError for another language.
        """
        if lang not in _SENTENCES:
            raise ValueError(f"lang is '{lang}'; it can be {' or '.join(_SENTENCES)}.")
        return _SENTENCES[lang](self)

    def _stretches(self, sign: int, n: int) -> list[str]:
        found = self.attributions
        if found is None:
            return []
        values = sign * found.values
        left = [i for i in range(len(values)) if self._written(found.first + i).strip()]
        threshold = AS_STRONG * values[left].max(initial=0)
        if sign < 0:
            threshold = max(threshold, WORTH_A_MENTION * found.values[left].max(initial=0))
        stretches: list[str] = []
        while len(stretches) < n:
            top = max(left, key=lambda i: values[i], default=None)
            if top is None or values[top] <= 0 or values[top] < threshold:
                break
            first = last = top
            while first - 1 in left and values[first - 1] >= AS_STRONG * values[top]:
                first -= 1
            while last + 1 in left and values[last + 1] >= AS_STRONG * values[top]:
                last += 1
            stretches.append(self._written(found.first + first, found.first + last + 1))
            left = [i for i in left if not first <= i <= last]
        return stretches

    def _written(self, start: int, end: int | None = None) -> str:
        end = start + 1 if end is None else end
        return self.text[self.offsets[start][0] : self.offsets[end - 1][1]]

    def _others(self) -> list[Alternative]:
        """Those that the sentence names, the same tokens with other labels first."""
        named = [
            other
            for other in self.alternatives[:N_ALTERNATIVES]
            if other.probability >= WORTH_A_WORD
        ]
        return sorted(named, key=lambda other: other.span[:2] != self.span[:2])


def _english(found: Explanation) -> str:
    parts = [f"“{found.mention}”: {_number(found.probability)} {found.span.label}"]
    for other in found._others():
        where = "" if other.span[:2] == found.span[:2] else f" as “{other.text}”"
        parts.append(f"{_number(other.probability)} {other.span.label}{where}")
    if found.outside is not None and found.outside >= WORTH_A_WORD:
        parts.append(f"{_number(found.outside)} no entity")
    clauses = [", ".join(parts)]
    if found.rests_on():
        parts = [f"“{part}”" for part in found.rests_on()]
        says = "rests most on {}" if found.is_most_probable else "what speaks for it most is {}"
        clauses.append(says.format(" and ".join(parts)))
    if found.speaks_against(1):
        clauses.append(f"“{found.speaks_against(1)[0]}” speaks against it")
    if found.nearest:
        clauses.append(f"closest in training: {_nearest(found.nearest[0], ' (', ')')}")
    return "; ".join(clauses) + "."


def _chinese(found: Explanation) -> str:
    parts = [f"“{found.mention}”是 {found.span.label} 的概率为 {_number(found.probability)}"]
    for other in found._others():
        what = "" if other.span[:2] == found.span[:2] else f"“{other.text}”"
        parts.append(f"{what}是 {other.span.label} 的概率为 {_number(other.probability)}")
    if found.outside is not None and found.outside >= WORTH_A_WORD:
        parts.append(f"不是实体的概率为 {_number(found.outside)}")
    clauses = [",".join(parts)]
    if found.rests_on():
        parts = [f"“{part}”" for part in found.rests_on()]
        says = "主要依据是{}" if found.is_most_probable else "最支持这一判断的是{}"
        clauses.append(says.format("和".join(parts)))
    if found.speaks_against(1):
        clauses.append(f"“{found.speaks_against(1)[0]}”使这一概率降低")
    if found.nearest:
        clauses.append(f"训练语料中最接近的是{_nearest(found.nearest[0], '(', ')')}")
    return ";".join(clauses) + "。"


def _nearest(near: NearMention, opening: str, closing: str) -> str:
    before, after = near.mention.context(CONTEXT)
    start = "" if len(before) == near.mention.start else "…"
    end = "" if near.mention.end + len(after) == len(near.mention.text) else "…"
    around = " ".join(f"{start}{before}{near.mention.mention}{after}{end}".split())
    return f"“{near.mention.mention}”{opening}{around}{closing}"


def _number(probability: float) -> str:
    """Rounded to where it still differs from 0 and 1."""
    text = f"{probability:.2f}"
    if text == "0.00" and probability > 0:
        return "< 0.01"
    return "> 0.99" if text == "1.00" and probability < 1 else text


_SENTENCES: dict[str, Callable[[Explanation], str]] = {"en": _english, "zh": _chinese}
