"""Trained pipelines of every architecture, and what their predictions are compared by."""

import math
from collections.abc import Callable, Iterable
from functools import cache

import numpy as np
import pytest
from spacy.language import Language
from spacy.tokens import Doc

from spacy_bertcrf.tagging import EntitySpan

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


@pytest.fixture(scope="session")
def every_set() -> Callable[..., Iterable[tuple[EntitySpan, ...]]]:
    """(length, labels) -> all sets of entities of a text."""
    return _every_set


@pytest.fixture(scope="session")
def scored() -> Callable[..., dict[tuple[EntitySpan, ...], float]]:
    """(component, doc) -> the probability of every set of entities, by enumeration."""
    return _scored


def _every_set(length, labels, start=0):
    """All sets of entities of a text."""
    if start >= length:
        yield ()
        return
    yield from _every_set(length, labels, start + 1)
    for end in range(start + 1, length + 1):
        for label in labels:
            for rest in _every_set(length, labels, end):
                yield (EntitySpan(start, end, label), *rest)


def _scored(component, doc):
    """The probability of every set of entities, from the scores of their tag sequences."""
    crf = component.model.get_ref("crf").shims[0].module
    emissions = component.model.predict([doc]).dataXd.astype(np.float64)
    start, transitions, end = (
        p.detach().double().numpy()
        for p in (crf.start_transitions, crf.transitions, crf.end_transitions)
    )
    logs = {}
    for spans in _every_set(len(doc), component.labels):
        tags = component.tag_set.encode(spans, len(doc))
        logs[spans] = (
            start[tags[0]]
            + end[tags[-1]]
            + transitions[tags[:-1], tags[1:]].sum()
            + emissions[range(len(doc)), tags].sum()
        )
    top = max(logs.values())
    total = sum(math.exp(log - top) for log in logs.values())
    return {spans: math.exp(log - top) / total for spans, log in logs.items()}
