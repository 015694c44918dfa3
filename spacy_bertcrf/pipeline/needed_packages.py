"""`spacy-bertcrf.needs_spacy_transformers.v1`: says what to install, where spaCy says that there is
no factory."""

from collections.abc import Callable
from importlib.util import find_spec

from spacy.language import Language


def needs_spacy_transformers() -> Callable[[type[Language]], type[Language]]:
    """For `[nlp.before_creation]` of a config with a `transformer` that components share: raise
    ImportError, with the extra to install, if there is no spacy-transformers."""
    return _check_spacy_transformers


def _check_spacy_transformers(language: type[Language]) -> type[Language]:
    if find_spec("spacy_transformers") is None:
        raise ImportError(
            "The component 'transformer', which others can share, is one of spacy-transformers. "
            "Install it, and with it transformers 4: pip install 'spacy-bertcrf[transformer]'. Or "
            "take a config with the BERT inside of bertcrf, such as bert_bilstm_crf.cfg."
        )
    return language
