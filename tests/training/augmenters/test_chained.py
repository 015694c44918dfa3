"""Several augmenters in one config."""

import random
from pathlib import Path

import pytest
import spacy
from spacy.util import registry
from thinc.api import Config

from spacy_bertcrf.training.augmenters.chained import chain_augmenters

CONFIG = """
[corpus]
@readers = "spacy.Corpus.v1"
path = "{path}"
gold_preproc = false

[corpus.augmenter]
@augmenters = "spacy-bertcrf.chain_augmenters.v1"

[corpus.augmenter.*.entities]
@augmenters = "spacy-bertcrf.entity_replacement.v1"
path = "{path}"
level = 1.0
share = 1.0

[corpus.augmenter.*.masks]
@augmenters = "spacy-bertcrf.masked_spans.v1"
level = 1.0
share = 0.5
where = "outside"
copies = 2

[corpus.augmenter.*.tokens]
@augmenters = "spacy-bertcrf.token_replacement.v1"
path = "{path}"
level = 0.0
"""


def test_a_config_chains_them_in_its_order(train_corpus: Path):
    random.seed(0)
    config = Config().from_str(CONFIG.format(path=train_corpus))
    nlp = spacy.blank("zh")
    examples = list(registry.resolve(config)["corpus"](nlp))
    plain = [example for example in examples if "[MASK]" not in example.reference.text]
    assert len(plain) == 6
    assert len(examples) == 6 + 2 * 6
    originals = [examples[i] for i in range(0, 18, 3)]
    for i, original in enumerate(originals):
        for copy in examples[3 * i + 1 : 3 * i + 3]:
            # The entities were replaced before the copies were made.
            assert [e.text for e in copy.reference.ents] == [
                e.text for e in original.reference.ents
            ]
            assert copy.reference.text.count("[MASK]") > 0


def test_a_chain_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no augmenters"):
        chain_augmenters()
