"""Trained pipelines of every architecture, and what their predictions are compared by."""

from collections.abc import Callable, Iterable
from functools import cache

import pytest
from spacy.language import Language
from spacy.tokens import Doc

ARCHITECTURES = [
    "cpu_cnn_crf",
    "bert_bilstm_crf",
    "bert_tcn_crf",
    "bert_crf",
    "shared_transformer",
]
Entities = list[tuple[int, int, str]]


@pytest.fixture(params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> str:
    """The name of each shipped config."""
    return request.param


@pytest.fixture
def trained_nlp(trained_as: Callable[[str], Language], architecture: str) -> Language:
    """The trained pipeline of each shipped config. Not to be changed."""
    return trained_as(architecture)


@pytest.fixture(scope="session")
def entities_of() -> Callable[[Iterable[Doc]], list[Entities]]:
    """The entities of each Doc as (start, end, label) token offsets."""

    def read(docs: Iterable[Doc]) -> list[Entities]:
        return [[(ent.start, ent.end, ent.label_) for ent in doc.ents] for doc in docs]

    return read


@pytest.fixture(scope="session")
def scheme_nlp(make_trained: Callable[..., Language]) -> Callable[[str], Language]:
    """A small trained pipeline without BERT in the tag scheme "BIO" or "BIOES". Not to be
    changed."""

    @cache
    def train(scheme: str) -> Language:
        return make_trained(
            **{"components.bertcrf.scheme": scheme, "components.bertcrf.model.tok2vec.width": 32}
        )

    return train


@pytest.fixture
def trained_copy(trained: Language, make_nlp: Callable[..., Language]) -> Language:
    """A trained pipeline without BERT, to do with as one likes."""
    return make_nlp().from_bytes(trained.to_bytes())
