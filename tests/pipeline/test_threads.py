"""One pipeline, called from many threads: as one thread has it, bit by bit."""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import cycle
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import numpy as np
import pytest
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import Adam

N_THREADS = 16
CONFIGS = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[2] / "configs").glob("*.cfg"))
}
RECOGNISER_NAMES = ("bertcrf", "bertcrf_spans")
HALF_PRECISION = "bert_crf, whole texts, bfloat16"
PIPELINES = [*CONFIGS, HALF_PRECISION]
RECOGNISERS = [
    name for name in PIPELINES if name not in CONFIGS or 'factory = "bertcrf' in CONFIGS[name]
]
OF_TEXTS = {
    "components.bertcrf.model.tok2vec.alignment": "text",
    "components.bertcrf.model.tok2vec.mixed_precision": True,
}
# English has no other tokens than those that spaces part.
SPACED = [
    ("王小明 在 北京大学 工作 。", [(0, 3, "name"), (6, 10, "organization")]),
    ("李雷 和 韩梅梅 去了 上海 。", [(0, 2, "name"), (5, 8, "name"), (12, 14, "address")]),
]


class Setting(NamedTuple):
    """name, overrides: of a config, for `make_nlp`."""

    name: str
    overrides: dict[str, object]


def setting_of(pipeline: str) -> Setting:
    if pipeline == HALF_PRECISION:
        return Setting("bert_crf", OF_TEXTS)
    steps: dict[str, object] = {"training.max_epochs": 0, "training.max_steps": 9}
    width = {"variables.width": 32} if pipeline == "bert_ner_classifier" else {}
    return Setting(pipeline, {**steps, **width})


@pytest.fixture(autouse=True)
def many_switches() -> Iterator[None]:
    """Threads take turns a thousand times as often as they usually do."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture(scope="module")
def build(make_nlp: Callable[..., Language]) -> Callable[[str], Language]:
    """A pipeline, untrained, that says how probable its entities are."""

    def make(pipeline: str) -> Language:
        name, overrides = setting_of(pipeline)
        nlp = make_nlp(name, **overrides)
        if "bertcrf" in nlp.pipe_names:
            nlp.get_pipe("bertcrf").spans_key = "sc"
        return nlp

    return make


@pytest.fixture(scope="module")
def examples_for(make_examples) -> Callable[[Language], list[Example]]:
    """Texts with entities and classes."""

    def make(nlp: Language) -> list[Example]:
        examples = (
            [Example.from_dict(nlp.make_doc(text), {"entities": ents}) for text, ents in SPACED]
            if nlp.lang == "en"
            else make_examples(nlp)
        )
        for i, example in enumerate(examples):
            example.reference.cats = {"people": float(i % 2), "places": float(1 - i % 2)}
        return examples

    return make


@pytest.fixture(scope="module")
def make_trained_as(build, examples_for) -> Callable[[str], Language]:
    def train(pipeline: str) -> Language:
        nlp = build(pipeline)
        examples = examples_for(nlp)
        fix_random_seed(0)
        nlp.initialize(lambda: examples)
        for _ in range(20):
            nlp.update(examples, sgd=Adam(0.01))
        return nlp

    return train


@pytest.fixture(scope="module")
def trained_as(make_trained_as) -> Callable[[str], Language]:
    """Not to be changed."""
    return cache(make_trained_as)


@pytest.fixture
def loaded_as(build, trained_as) -> Callable[[str], Language]:
    """The same as `trained_as`, loaded, which has not predicted anything yet."""
    return lambda pipeline: build(pipeline).from_bytes(trained_as(pipeline).to_bytes())


@pytest.fixture
def texts() -> list[str]:
    """Of many lengths, and half of them with a word that is in no other."""
    base = [
        "王小明 在 北京大学 工作 。",
        "李雷和韩梅梅去了上海。",
        "x",
        "",
        "上海大学的王芳来自广州。",
    ]
    return [text * (1 + i % 3) + (f" id{i}" if i % 2 else "") for i, text in enumerate(base * 4)]


def in_threads(work: Callable[[int], object]) -> list[object]:
    with ThreadPoolExecutor(N_THREADS) as pool:
        return list(pool.map(work, range(N_THREADS)))


def annotations(doc: Doc) -> tuple[object, ...]:
    group = doc.spans.get("sc")
    ents = [(ent.start, ent.end, ent.label_) for ent in doc.ents]
    return (ents, [] if group is None else group.attrs["scores"].tobytes(), dict(doc.cats))


def recogniser(nlp: Language) -> Any:
    """That of a pipeline, or None."""
    return next((pipe for name, pipe in nlp.pipeline if name in RECOGNISER_NAMES), None)


def outputs(nlp: Language, text: str) -> bytes:
    """Probabilities of entities and classes."""
    doc = nlp(text)
    found = np.asarray([*doc.cats.values()], dtype="float32").tobytes()
    component = recogniser(nlp)
    if component is not None and len(doc):
        spans = [(0, 1, label) for label in component.labels]
        found += component.span_probabilities(_before(nlp, text), spans).tobytes()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_threads_predict_what_one_does(pipeline, trained_as, loaded_as, texts):
    """Else a web server would answer otherwise under load, without a word; and that from its first
    requests on, which find a pipeline that nothing was asked of before."""

    def work(nlp: Language) -> object:
        one_by_one = [annotations(nlp(text)) for text in texts[:6]]
        return one_by_one, [annotations(doc) for doc in nlp.pipe(texts, batch_size=7)]

    alone = work(trained_as(pipeline))
    variety = {str(found) for found in alone[1]}
    assert len(variety) > 3, "all alike is nothing compared"
    loaded = loaded_as(pipeline)
    for found in in_threads(lambda _: work(loaded)):
        assert found == alone


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", RECOGNISERS)
def test_threads_have_the_readings_and_probabilities_of_one(pipeline, trained_as, loaded_as, texts):
    """Else a threshold on probabilities would let through others under load."""

    def work(nlp: Language) -> object:
        component = recogniser(nlp)
        docs = [_before(nlp, text) for text in texts[:8]]
        spans = [(0, 1, label) for label in component.labels]
        return (
            component.k_best(docs, k=3),
            [component.span_probabilities(doc, spans).tobytes() for doc in docs if len(doc)],
        )

    alone = work(trained_as(pipeline))
    loaded = loaded_as(pipeline)
    for found in in_threads(lambda _: work(loaded)):
        assert found == alone


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_updates_put_no_dropout_into_predictions_beside_them(
    pipeline, loaded_as, examples_for, texts
):
    """With steps of no length, other threads predict what they would without the update: none of
    them has dropout, and none fails."""
    nlp = loaded_as(pipeline)
    # A shared transformer that learns is spaCy's to update, and has its dropout for all threads.
    frozen = {"exclude": ["transformer"], "annotates": ["transformer"]}
    settings = frozen if pipeline == "shared_transformer" else {}
    examples = examples_for(nlp)
    beside_updates(nlp, lambda: nlp.update(examples, sgd=Adam(0.0), drop=0.5, **settings), texts)


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.slow
def test_updates_do_not_break_predictions_beside_them(pipeline, loaded_as, examples_for, texts):
    """Weights that change meanwhile give other results, and nothing worse."""
    nlp = loaded_as(pipeline)
    examples = examples_for(nlp)
    before = [outputs(nlp, text) for text in texts]
    beside_updates(nlp, lambda: nlp.update(examples, sgd=Adam(0.01), drop=0.5), texts, same=False)
    assert [outputs(nlp, text) for text in texts] != before, "nothing learned is nothing shown"


def beside_updates(
    nlp: Language, update: Callable[[], object], texts: Sequence[str], same: bool = True
) -> None:
    """Update in one thread and predict in four.

    same: as before.
    """
    alone = [outputs(nlp, text) for text in texts]
    is_over = Event()

    def learn() -> None:
        try:
            for _ in range(4):
                update()
        finally:
            is_over.set()

    def check(start: int) -> None:
        for i in cycle([*range(start, len(texts)), *range(start)]):
            if is_over.is_set():
                return
            found = outputs(nlp, texts[i])
            if same:
                assert found == alone[i]
            assert np.isfinite(np.frombuffer(found, dtype="float32")).all()

    with ThreadPoolExecutor(5) as pool:
        running = [pool.submit(learn), *(pool.submit(check, start) for start in range(4))]
    for future in running:
        future.result()


def _before(nlp: Language, text: str) -> Doc:
    """The Doc as the recogniser gets it."""
    doc = nlp.make_doc(text)
    for name, pipe in nlp.pipeline:
        if name in RECOGNISER_NAMES:
            break
        doc = pipe(doc)
    return doc
