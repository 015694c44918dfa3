"""Why a pipeline made its errors: the explanations of the component that knows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_bertcrf.evaluation.annotated import annotated_before
from spacy_bertcrf.evaluation.judged import CharSpan

N_ALTERNATIVES = 5
LEAST_PROBABLE = 0.001  # of an alternative that is worth a line
CONTEXT = 40  # characters on each side of a mention


class Near(NamedTuple):
    """A training mention with what is around it, and how near it is."""

    before: str
    mention: str
    after: str
    similarity: float


class Explained(NamedTuple):
    """Why a span is an entity or none, in the characters of its text.

    sentence: all of it in words.
    alternatives: what is or could be in its place, itself first: text, label, probability.
    outside: the probability that there is no entity, if it is known.
    values: (start, end, value) for the characters of each token that has an attribution, in nats.
    no_values: why there are none, else empty.
    sums_to, gap, n_steps: of the attributions; 0 if there are none.
    nearest: training mentions, the nearest first.
    """

    sentence: str
    alternatives: list[tuple[str, str, float]]
    outside: float | None
    values: list[tuple[int, int, float]]
    no_values: str
    sums_to: float
    gap: float
    n_steps: int
    nearest: list[Near]


Asked = tuple[int, CharSpan]
"""An entity that is to be explained, and the place of its text in the corpus."""


class Explainer(Protocol):
    """A component that explains, as `bertcrf`."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def explain(self, doc: Doc, span: tuple[int, int, str], **settings: Any) -> Any: ...

    def mentions(self, corpus: Iterable[Doc | Example]) -> Any: ...


def explain_spans(
    asked: Iterable[Asked],
    nlp: Language,
    component: str,
    read: Callable[[], Sequence[Example]],
    read_train: Callable[[], Sequence[Example]] | None = None,
    lang: str = "en",
) -> Iterator[tuple[Asked, Explained]]:
    """Explanations of entities, predicted or not, text by text.

    component: the name of an Explainer in the pipeline.
    read, read_train: give the examples of the corpus, and of the one that mentions are looked for
        in, fresh from the tokenizer.
    lang: of the sentence.

    An entity has none if it does not fit the tokens, or the component does not know its label.
    """
    recognizer: Explainer = nlp.get_pipe(component)  # type: ignore[assignment]
    by_text: dict[int, list[CharSpan]] = {}
    for index, span in asked:
        by_text.setdefault(index, []).append(span)
    if not by_text:
        return
    mentions = None
    if read_train is not None:
        mentions = recognizer.mentions(annotated_before(nlp, component, read_train()))
    examples = read()
    chosen = [examples[index] for index in by_text]
    docs = annotated_before(nlp, component, chosen)
    for (index, spans), example in zip(by_text.items(), docs, strict=True):
        doc = example.predicted
        for span in spans:
            tokens = doc.char_span(span.start, span.end)
            if tokens is None or span.label not in recognizer.labels:
                continue
            found = recognizer.explain(
                doc,
                (tokens.start, tokens.end, span.label),
                mentions=mentions,
                given_entities=True,
            )
            yield (index, span), _explained(found, lang)


def _explained(found: Any, lang: str) -> Explained:
    rests_on = found.attributions
    values = []
    if rests_on is not None:
        offsets = found.offsets[rests_on.first : rests_on.first + len(rests_on.values)]
        values = [
            (start, end, float(value))
            for (start, end), value in zip(offsets, rests_on.values, strict=True)
        ]
    shown = [
        (other.text, other.span.label, other.probability)
        for other in found.alternatives[:N_ALTERNATIVES]
        if other.probability >= LEAST_PROBABLE
    ]
    return Explained(
        sentence=found.sentence(lang),
        alternatives=[(found.mention, found.span.label, found.probability), *shown],
        outside=found.outside,
        values=values,
        no_values=found.no_attributions,
        sums_to=rests_on.log_probability - rests_on.baseline if rests_on else 0.0,
        gap=rests_on.gap if rests_on else 0.0,
        n_steps=rests_on.n_steps if rests_on else 0,
        nearest=[_near(near) for near in found.nearest],
    )


def _near(near: Any) -> Near:
    mention = near.mention
    before, after = mention.context(CONTEXT)
    cut_before = "…" if len(before) < mention.start else ""
    cut_after = "…" if mention.end + len(after) < len(mention.text) else ""
    return Near(cut_before + before, mention.mention, after + cut_after, near.similarity)
