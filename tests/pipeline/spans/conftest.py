"""Texts with spans in one another, and pipelines that know them."""

from collections.abc import Callable
from functools import cache

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Span
from spacy.training import Example
from spacy.util import fix_random_seed

NESTED = [
    (
        "上海大学的王芳来自广州。",
        [(0, 4, "organization"), (0, 2, "place"), (5, 7, "name"), (9, 11, "place")],
    ),
    ("王小明在北京大学工作。", [(0, 3, "name"), (4, 8, "organization"), (4, 6, "place")]),
    ("今天天气很好,适合出门。", []),
    ("北京的张伟喜欢上海。", [(0, 2, "place"), (3, 5, "name"), (7, 9, "place")]),
    ("张伟在广州大学读书,", [(0, 2, "name"), (3, 7, "organization"), (3, 5, "place")]),
]
CNN = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "pretrained_vectors": None,
    "width": 32,
    "depth": 1,
    "embed_size": 200,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": False,
}
LABEL_CRFS = {"@layers": "spacy-bertcrf.LabelCRFs.v1"}


@pytest.fixture(scope="session")
def nested_texts() -> list[str]:
    """The texts that the pipelines know."""
    return [text for text, _ in NESTED]


@pytest.fixture(scope="session")
def nested_examples() -> Callable[..., list[Example]]:
    """(nlp) -> NESTED as examples, with their spans under "sc"."""

    def build(nlp: Language, texts=NESTED, key: str = "sc") -> list[Example]:
        examples = []
        for text, spans in texts:
            reference = nlp.make_doc(text)
            reference.spans[key] = [Span(reference, *span) for span in spans]
            examples.append(Example(nlp.make_doc(text), reference))
        return examples

    return build


@pytest.fixture(scope="session")
def make_spans_nlp() -> Callable[..., Language]:
    """Build a small untrained pipeline; settings of the component."""

    def build(tok2vec=CNN, head=LABEL_CRFS, **settings: object) -> Language:
        model = {
            "@architectures": "spacy-bertcrf.SpanTagger.v1",
            "freeze_tok2vec": False,
            "tok2vec": tok2vec,
            "encoder": {"@layers": "spacy-bertcrf.Identity.v1"},
            "head": head,
        }
        nlp = spacy.blank("zh")
        nlp.add_pipe("bertcrf_spans", config={"model": model, **settings})
        return nlp

    return build


@pytest.fixture(scope="session")
def spans_trained(make_spans_nlp, nested_examples) -> Callable[..., Language]:
    """Build such a pipeline and train it until it knows NESTED by heart. Not to be changed where
    nothing is set; else its own."""

    def train(n_steps: int = 30, **settings: object) -> Language:
        nlp = make_spans_nlp(**settings)
        fix_random_seed(0)
        optimizer = nlp.initialize(lambda: nested_examples(nlp))
        optimizer.learn_rate = 0.01
        for _ in range(n_steps):
            nlp.update(nested_examples(nlp), sgd=optimizer)
        return nlp

    shared = cache(train)
    return lambda **settings: train(**settings) if settings else shared()


@pytest.fixture
def spans_nlp(spans_trained) -> Language:
    """A trained pipeline. Not to be changed."""
    return spans_trained()


@pytest.fixture
def spans_copy(spans_nlp, make_spans_nlp) -> Language:
    """A trained pipeline, to do with as one likes."""
    return make_spans_nlp().from_bytes(spans_nlp.to_bytes())


@pytest.fixture(scope="session")
def spans_of() -> Callable[..., list[tuple[int, int, str]]]:
    """(doc) -> its spans as (start, end, label)."""

    def read(doc, key: str = "sc"):
        return [(span.start, span.end, span.label_) for span in doc.spans[key]]

    return read
