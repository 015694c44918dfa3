"""What a config needs and is not installed is told before spaCy fails at it."""

from pathlib import Path

import pytest
from spacy.util import load_config, load_model_from_config

CONFIG = Path(__file__).parents[2] / "configs" / "shared_transformer.cfg"


def test_a_shared_transformer_says_what_to_install(monkeypatch):
    """spaCy would say that it has no factory 'transformer', and list all others."""
    monkeypatch.setattr("spacy_bertcrf.pipeline.needed_packages.find_spec", lambda _: None)
    config = load_config(CONFIG, interpolate=True)
    with pytest.raises(ImportError, match=r"pip install 'spacy-bertcrf\[transformer\]'"):
        load_model_from_config(config)
