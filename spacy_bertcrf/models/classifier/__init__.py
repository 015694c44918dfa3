"""Texts to classes: a BERT under spaCy's own `textcat` and `textcat_multilabel`."""
