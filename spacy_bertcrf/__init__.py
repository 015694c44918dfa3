"""A trainable spaCy entity recogniser: BERT, a BiLSTM or TCN, and a linear-chain CRF."""

from importlib.metadata import version

__version__ = version("spacy-bertcrf")
