"""`nlp.add_pipe("bertcrf_spans")`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from spacy.language import Language

from spacy_bertcrf.models.types import CRFTaggerModel
from spacy_bertcrf.pipeline.default_model import DEFAULT_SPAN_MODEL

if TYPE_CHECKING:
    from spacy_bertcrf.pipeline.span_recognizer import SpanRecognizer


@Language.factory(
    "bertcrf_spans",
    assigns=["doc.spans"],
    default_config={
        "model": DEFAULT_SPAN_MODEL,
        "spans_key": "sc",
        "threshold": 0.5,
        "loss_reduction": "mean",
        "max_batch_tokens": 8192,
        "overwrite": False,
        "cross_sentences": False,
        "incorrect_spans_key": None,
        "strategies": {},
        "scorer": {"@scorers": "spacy.spancat_scorer.v1"},
    },
    default_score_weights={"spans_sc_f": 1.0, "spans_sc_p": 0.0, "spans_sc_r": 0.0},
)
def make_bertcrf_spans(
    nlp: Language,
    name: str,
    model: CRFTaggerModel,
    spans_key: str,
    threshold: float | None,
    loss_reduction: str,
    max_batch_tokens: int,
    overwrite: bool,
    cross_sentences: bool,
    incorrect_spans_key: str | None,
    strategies: dict[str, Any],
    scorer: Callable | None,
) -> "SpanRecognizer":
    """A trainable recogniser of spans that may overlap: token vectors, and a head that finds spans
    of each label among them, with their probabilities.

    model: a `spacy-bertcrf.SpanTagger.v1`.
    spans_key: the group of `doc.spans` that gets the spans, its `attrs["scores"]` their
        probabilities, and that they are learned from; Docs without such a group are learned from
        by their entities.
    threshold: how probable spans are at least; None for the most probable set of spans. Below
        0.001 it is 0.001.
    loss_reduction: the loss of a batch is the "sum" over its Docs, their "mean", or the sum
        divided by the number of tokens, "token_mean". That of a Doc is the sum over the labels.
    max_batch_tokens: in prediction, Docs go through the model sorted by length, in batches of
        at most so many tokens with padding (one longer Doc goes alone); fewer where there are
        hundreds of labels.
    overwrite: replace spans that the group has already.
    cross_sentences: whether predicted spans may cross sentence breaks that are set before.
    incorrect_spans_key: in training, `reference.spans[incorrect_spans_key]` are spans that are
        known not to be ones with their label.
    strategies: ways of training, such as `spacy-bertcrf.FGM.v1`, each under a name of the user's
        choice.
    scorer: the scoring method; by default, strict precision, recall and F1 of
        `doc.spans[spans_key]`.
    """
    # spaCy imports the factories of all components with the first pipeline, of whatever kind, and
    # these are the only ones that need torch.
    from spacy_bertcrf.pipeline.span_recognizer import SpanRecognizer
    from spacy_bertcrf.pipeline.upstream import update_upstream_in_place

    update_upstream_in_place(nlp)
    return SpanRecognizer(
        nlp.vocab,
        model,
        name,
        spans_key=spans_key,
        threshold=threshold,
        loss_reduction=loss_reduction,
        max_batch_tokens=max_batch_tokens,
        overwrite=overwrite,
        cross_sentences=cross_sentences,
        incorrect_spans_key=incorrect_spans_key,
        strategies=strategies,
        scorer=scorer,
    )
