"""Torch modules: the linear-chain CRF, sequence encoders, and the tagger that joins them;
the head that classifies texts."""

from spacy_bertcrf.layers.bilstm import BiLSTM
from spacy_bertcrf.layers.crf import LinearChainCRF
from spacy_bertcrf.layers.padding import mask_of, pad, unpad
from spacy_bertcrf.layers.residual import Residual
from spacy_bertcrf.layers.sequence_tagger import SequenceTagger
from spacy_bertcrf.layers.stretches import Stretch
from spacy_bertcrf.layers.tcn import TCN
from spacy_bertcrf.layers.text_classifier import TextClassifier
from spacy_bertcrf.layers.wordpiece_encoder import WordpieceEncoder

__all__ = [
    "TCN",
    "BiLSTM",
    "LinearChainCRF",
    "Residual",
    "SequenceTagger",
    "Stretch",
    "TextClassifier",
    "WordpieceEncoder",
    "mask_of",
    "pad",
    "unpad",
]
