"""Augmenters for spaCy's corpus reader, `spacy.Corpus.v1`.

An augmenter is called as (nlp, Example) and yields Examples, when the corpus is read. `spacy train`
reads it once and shuffles it before every epoch, so that each epoch sees the same changed
documents; that is why every augmenter here can yield `copies` beside the original. Only with
`max_epochs = -1` is it read, and the changes drawn, anew for each epoch; but then spaCy does not
shuffle, and initializes from the first 100 examples, so that labels must be given.

All draws are from Python's `random`, whose seed is `training.seed`.

A changed document keeps its entities' labels and their order, what is missing in the annotation,
sentence starts, span groups and categories. Replaced tokens have no tag, part of speech,
morphology and lemma. Dependency parses and the links and ids of entities are left out.
"""
