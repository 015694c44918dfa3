"""`spacy-bertcrf.SpanTagger.v1`: Docs to scores, with the head beside them that makes spans of
these."""

from thinc.api import Model

from spacy_bertcrf.models.spans.head import SpanHead
from spacy_bertcrf.models.tagger.token_scorer import token_scorer
from spacy_bertcrf.models.types import CRFTaggerModel, EncoderBuilder, Tok2Vec


def SpanTagger(
    tok2vec: Tok2Vec,
    encoder: EncoderBuilder,
    head: Model,
    freeze_tok2vec: bool = False,
) -> CRFTaggerModel:
    """Token vectors, a sequence layer, a projection to what a head needs, and the head, which
    finds labelled spans that may overlap.

    tok2vec, encoder, freeze_tok2vec: as in `spacy-bertcrf.CRFTagger.v1`.
    head: `spacy-bertcrf.LabelCRFs.v1` or `spacy-bertcrf.GlobalPointer.v1`.

    The model gives the scores of tokens; the layer behind its ref "head" turns scores and
    `SpanTargets` into losses. It is initialized with X, some Docs, and Y, the labels.

    Raises ValueError if a shared tok2vec is to be frozen.
    """
    refs = {"head": head}
    if head.has_ref("crf"):
        refs["crf"] = head.get_ref("crf")
    span_head: SpanHead = head.attrs["span_head"]
    return token_scorer(
        "span_tagger",
        tok2vec,
        encoder,
        head,
        span_head.count_scores,
        span_head.build,
        freeze_tok2vec,
        refs,
    )
