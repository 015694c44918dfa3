"""`nlp.add_pipe("bertcrf")`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from spacy.language import Language

from spacy_bertcrf.models.types import CRFTaggerModel
from spacy_bertcrf.pipeline.default_model import DEFAULT_MODEL

if TYPE_CHECKING:
    from spacy_bertcrf.pipeline.entity_recognizer import CRFEntityRecognizer


@Language.factory(
    "bertcrf",
    assigns=["doc.ents", "doc.spans", "token.ent_iob", "token.ent_type"],
    default_config={
        "model": DEFAULT_MODEL,
        "scheme": "BIOES",
        "loss_reduction": "mean",
        "max_batch_tokens": 8192,
        "spans_key": None,
        "threshold": None,
        "overwrite_ents": False,
        "cross_sentences": False,
        "incorrect_spans_key": None,
        "strategies": {},
        "scorer": {"@scorers": "spacy.ner_scorer.v1"},
    },
    default_score_weights={"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None},
)
def make_bertcrf(
    nlp: Language,
    name: str,
    model: CRFTaggerModel,
    scheme: str,
    loss_reduction: str,
    max_batch_tokens: int,
    spans_key: str | None,
    threshold: float | None,
    overwrite_ents: bool,
    cross_sentences: bool,
    incorrect_spans_key: str | None,
    strategies: dict[str, Any],
    scorer: Callable | None,
) -> "CRFEntityRecognizer":
    """A trainable entity recogniser: token vectors, a BiLSTM or TCN, and a linear-chain CRF.

    model: a `spacy-bertcrf.CRFTagger.v1`.
    scheme: how spans are written as tags, "BIO" or "BIOES".
    loss_reduction: the loss of a batch is the "sum" over its Docs, their "mean", or the sum
        divided by the number of tokens, "token_mean".
    max_batch_tokens: in prediction, Docs go through the model sorted by length, in batches of
        at most so many tokens with padding (one longer Doc goes alone); fewer where there are
        hundreds of labels.
    spans_key: `doc.spans[spans_key]` gets the entities of `doc.ents`, and its `attrs["scores"]`
        their exact posterior probabilities; None for no scores. Entities that are there before
        have the score that the group has for them already, else 1: several recognisers can share
        a group.
    threshold: predicted entities that are less probable are dropped; None keeps them all.
    overwrite_ents: pay no heed to entities, blocked tokens and tokens outside that a Doc has
        already, and replace them.
    cross_sentences: whether predicted entities may cross sentence breaks that are set before (by
        a `sentencizer`, `senter` or `parser`, or by hand). By default they do not, as in `ner`;
        true is for pipelines with breaks that are often wrong.
    incorrect_spans_key: in training, `reference.spans[incorrect_spans_key]` are spans that are
        known not to be entities with their label.
    strategies: ways of training, such as `spacy-bertcrf.FGM.v1`, each under a name of the user's
        choice.
    scorer: the scoring method; by default, strict precision, recall and F1 of `doc.ents`.
    """
    # spaCy imports the factories of all components with the first pipeline, of whatever kind, and
    # these are the only ones that need torch.
    from spacy_bertcrf.pipeline.entity_recognizer import CRFEntityRecognizer
    from spacy_bertcrf.pipeline.upstream import update_upstream_in_place

    update_upstream_in_place(nlp)
    return CRFEntityRecognizer(
        nlp.vocab,
        model,
        name,
        scheme=scheme,
        loss_reduction=loss_reduction,
        max_batch_tokens=max_batch_tokens,
        spans_key=spans_key,
        threshold=threshold,
        overwrite_ents=overwrite_ents,
        cross_sentences=cross_sentences,
        incorrect_spans_key=incorrect_spans_key,
        strategies=strategies,
        scorer=scorer,
    )
