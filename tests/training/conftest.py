"""A BERT whose layers can be told apart."""

from pathlib import Path

import pytest

from spacy_bertcrf.models.init_bert import init_bert


@pytest.fixture(scope="session")
def deep_bert(train_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of three narrow layers with random weights."""
    folder = tmp_path_factory.mktemp("deep") / "bert"
    return init_bert(folder, [train_corpus], layers=3, width=32, heads=2).path
