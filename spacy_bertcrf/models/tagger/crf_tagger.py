"""`spacy-bertcrf.CRFTagger.v1`: Docs to emissions, with the CRF beside them."""

from spacy_bertcrf.models.tagger.crf import CRF, build_crf
from spacy_bertcrf.models.tagger.token_scorer import token_scorer
from spacy_bertcrf.models.types import CRFTaggerModel, EncoderBuilder, Tok2Vec


def CRFTagger(
    tok2vec: Tok2Vec,
    encoder: EncoderBuilder,
    freeze_tok2vec: bool = False,
) -> CRFTaggerModel:
    """Token vectors, a sequence layer, a projection to tag scores, and a linear-chain CRF
    (Huang et al. 2015, https://arxiv.org/abs/1508.01991).

    tok2vec: one vector for each token: a BERT (`spacy-bertcrf.BertEncoder.v1` inside the
        component, `spacy-transformers.TransformerListener.v1` for one that is shared) or any of
        spaCy's own.
    encoder: the sequence layer: `spacy-bertcrf.BiLSTM.v1`, `spacy-bertcrf.TCN.v1` or
        `spacy-bertcrf.Identity.v1`.
    freeze_tok2vec: use the token vectors as they are and leave the weights behind them
        untouched. For a shared transformer, freeze that component instead (`frozen_components`
        and `annotating_components` in the training config).

    The model gives the emissions; the layer behind its ref "crf" turns emissions and targets
    into losses. It is initialized with X, some Docs, and Y, the TagSet.

    Raises ValueError if a shared tok2vec is to be frozen.
    """
    crf = CRF()
    refs = {"crf": crf}
    return token_scorer("crf_tagger", tok2vec, encoder, crf, len, build_crf, freeze_tok2vec, refs)
