"""One pipeline, called from many threads: as one thread has it, bit by bit."""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle
from threading import Event

import numpy as np
import pytest
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Adam

N_THREADS = 16
EVERY_CONFIG = ["cpu_cnn_crf", "bert_bilstm_crf", "bert_tcn_crf", "bert_crf", "shared_transformer"]


@pytest.fixture(autouse=True)
def many_switches() -> Iterator[None]:
    """Threads take turns a thousand times as often as they usually do."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture
def texts() -> list[str]:
    """Of many lengths, and half of them with a word that is in no other."""
    base = ["王小明在北京大学工作。", "李雷和韩梅梅去了上海。", "x", "", "上海大学的王芳来自广州。"]
    return [text * (1 + i % 3) + (f" id{i}" if i % 2 else "") for i, text in enumerate(base * 6)]


def in_threads(work: Callable[[int], object]) -> list[object]:
    with ThreadPoolExecutor(N_THREADS) as pool:
        return list(pool.map(work, range(N_THREADS)))


def annotations(doc: Doc) -> tuple[object, ...]:
    group = doc.spans.get("sc")
    ents = [(ent.start, ent.end, ent.label_) for ent in doc.ents]
    return (ents, [] if group is None else group.attrs["scores"].tobytes(), dict(doc.cats))


@pytest.fixture
def with_scores(trained_as: Callable[[str], Language]) -> Iterator[Callable[[str], Language]]:
    """The trained pipeline of a config, which also says how probable its entities are."""
    changed = []

    def make(config: str) -> Language:
        nlp = trained_as(config)
        nlp.get_pipe("bertcrf").spans_key = "sc"
        changed.append(nlp)
        return nlp

    yield make
    for nlp in changed:
        nlp.get_pipe("bertcrf").spans_key = None


@pytest.mark.parametrize("config", EVERY_CONFIG)
def test_threads_predict_what_one_does(config, with_scores, texts):
    """Else a web server would answer otherwise under load, without a word."""
    nlp = with_scores(config)

    def work(_: int) -> object:
        one_by_one = [annotations(nlp(text)) for text in texts[:8]]
        return one_by_one, [annotations(doc) for doc in nlp.pipe(texts, batch_size=7)]

    alone = work(0)
    assert any(ents for ents, _, _ in alone[1]), "nothing found is nothing compared"
    for found in in_threads(work):
        assert found == alone


@pytest.mark.parametrize("config", EVERY_CONFIG)
def test_threads_have_the_readings_and_probabilities_of_one(config, trained_as, texts):
    """Else a threshold on probabilities would let through others under load."""
    nlp = trained_as(config)
    component = nlp.get_pipe("bertcrf")

    def work(_: int) -> object:
        docs = [_before(nlp, component.name, text) for text in texts[:10]]
        spans = [(0, 1, label) for label in component.labels]
        return (
            component.k_best(docs, k=3),
            [component.span_probabilities(doc, spans).tobytes() for doc in docs if len(doc)],
        )

    alone = work(0)
    for found in in_threads(work):
        assert found == alone


@pytest.mark.parametrize("config", ["bert_classifier", "bert_ner_classifier"])
def test_threads_classify_as_one_does(config, make_nlp, make_examples, texts):
    """Else scores of classes would differ under load."""
    overrides = {"training.max_epochs": 0, "training.max_steps": 9}
    if config == "bert_ner_classifier":
        overrides["variables.width"] = 32
    nlp = make_nlp(config, **overrides)
    examples = make_examples(nlp)
    for i, example in enumerate(examples):
        example.reference.cats = {"people": float(i % 2), "places": float(1 - i % 2)}
    nlp.initialize(lambda: examples)
    for _ in range(2):  # thinc begins with zeros in the last layer, where all scores are the same
        nlp.update(examples, sgd=Adam(0.01))

    def work(_: int) -> object:
        one_by_one = [annotations(nlp(text)) for text in texts[:8]]
        return one_by_one, [annotations(doc) for doc in nlp.pipe(texts, batch_size=7)]

    alone = work(0)
    assert len({str(cats) for _, _, cats in alone[1]}) > 3, "all alike is nothing compared"
    for found in in_threads(work):
        assert found == alone


@pytest.mark.parametrize("config", EVERY_CONFIG)
def test_updates_put_no_dropout_into_predictions_beside_them(
    config, make_trained, make_examples, texts
):
    """With steps of no length, other threads predict what they would without the update: none of
    them has dropout, and none fails."""
    nlp = make_trained(config, n_steps=3)
    # A shared transformer that learns is spaCy's to update, and has its dropout for all threads.
    frozen = {"exclude": ["transformer"], "annotates": ["transformer"]}
    update = partial(nlp.update, **(frozen if config == "shared_transformer" else {}))
    beside_updates(nlp, partial(update, make_examples(nlp), drop=0.5), 0.0, texts)


@pytest.mark.parametrize("config", EVERY_CONFIG)
def test_updates_do_not_break_predictions_beside_them(config, make_trained, make_examples, texts):
    """Weights that change meanwhile give other results, and nothing worse."""
    nlp = make_trained(config, n_steps=3)
    beside_updates(nlp, partial(nlp.update, make_examples(nlp), drop=0.5), 0.01, texts)


def beside_updates(
    nlp: Language, update: Callable[..., object], rate: float, texts: Sequence[str]
) -> None:
    """Update in one thread and predict in four, the same as before if the rate is 0."""
    component = nlp.get_pipe("bertcrf")

    def predict(text: str) -> bytes:
        doc = _before(nlp, component.name, text)
        spans = [(0, 1, label) for label in component.labels] if len(doc) else []
        return component.span_probabilities(doc, spans).tobytes()

    alone = [predict(text) for text in texts]
    is_over = Event()

    def learn() -> None:
        try:
            for _ in range(4):
                update(sgd=Adam(rate))
        finally:
            is_over.set()

    def check(start: int) -> None:
        for i in cycle([*range(start, len(texts)), *range(start)]):
            if is_over.is_set():
                return
            found = predict(texts[i])
            if rate == 0.0:
                assert found == alone[i]
            assert np.isfinite(np.frombuffer(found, dtype="float32")).all()

    with ThreadPoolExecutor(5) as pool:
        running = [pool.submit(learn), *(pool.submit(check, start) for start in range(4))]
    for future in running:
        future.result()


def _before(nlp: Language, name: str, text: str) -> Doc:
    """The Doc as a component gets it."""
    doc = nlp.make_doc(text)
    for other, pipe in nlp.pipeline:
        if other == name:
            break
        doc = pipe(doc)
    return doc
