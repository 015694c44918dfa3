"""Saved pipelines in a new Python that imports nothing of ours, and in its worker processes."""

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from spacy.language import Language
from spacy.training import Example

TEXTS = [
    "王小明在北京大学工作。" * 8,
    "",
    "李雷和韩梅梅去了上海。",
    "\x00",
    "张伟在广州大学读书," * 8,
] * 4
RECOGNISERS = ["bert_bilstm_crf", *(["shared_transformer"] * bool(find_spec("spacy_transformers")))]
TIMEOUT = 240  # seconds; reached only by a process that hangs

SCRIPT = """
import json, sys
import spacy
import torch

assert not any(name.startswith("spacy_bertcrf") for name in sys.modules)

def entities(docs):
    return [
        [(ent.start, ent.end, ent.label_) for ent in doc.ents]
        + [(label, round(score, 4)) for label, score in doc.cats.items()]
        for doc in docs
    ]

torch.set_num_threads(2)
texts = json.loads(sys.argv[1])
for folder in sys.argv[2:]:
    nlp = spacy.load(folder)
    print(json.dumps(entities(nlp.pipe(texts))), flush=True)
    print(json.dumps(entities(nlp.pipe(texts, n_process=2, batch_size=3))), flush=True)
"""


@pytest.fixture(scope="module")
def classifier(make_nlp: Callable[..., Language]) -> Language:
    """A pipeline whose `textcat` is spaCy's own, so that of our components there is none in it."""
    nlp = make_nlp("bert_classifier")
    cats = {"a": 1.0, "b": 0.0}
    nlp.initialize(lambda: [Example.from_dict(nlp.make_doc("好"), {"cats": cats})])
    return nlp


@pytest.fixture(scope="module")
def in_a_fresh_process(
    trained_as: Callable[[str], Language],
    classifier: Language,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[list]:
    """What a new process predicts for TEXTS, by itself and by two workers: with the classifier,
    then with the BERT inside the component, then with the shared BERT."""
    folder = tmp_path_factory.mktemp("pipelines")
    pipelines = {"classifier": classifier}
    pipelines |= {name: trained_as(name) for name in RECOGNISERS}
    for name, nlp in pipelines.items():
        nlp.to_disk(folder / name)
    arguments = [json.dumps(TEXTS), *(str(folder / name) for name in pipelines)]
    return _run(arguments, folder / "out")


@pytest.mark.slow
def test_a_fresh_process_predicts_the_same(in_a_fresh_process, trained_as, entities_of):
    """Else a saved pipeline would need an import of this package, or lose what it learned."""
    expected = entities_of(trained_as("bert_bilstm_crf").pipe(TEXTS))
    assert in_a_fresh_process[2] == _as_json(expected)
    assert sum(map(len, expected)) > 20


@pytest.mark.slow
def test_worker_processes_predict_the_same(in_a_fresh_process, trained_as, entities_of):
    """Else `nlp.pipe(n_process=2)` would hang for ever, as OpenMP does in the forks of a process
    that has used its threads, or give other entities."""
    found = in_a_fresh_process[2:]
    assert len(found) == 2 * len(RECOGNISERS), "the process hangs or fails"
    for name, alone, by_workers in zip(RECOGNISERS, found[::2], found[1::2], strict=True):
        assert by_workers == alone
        assert alone == _as_json(entities_of(trained_as(name).pipe(TEXTS)))


@pytest.mark.slow
def test_worker_processes_classify_the_same(in_a_fresh_process, classifier):
    """Else they would hang, or classify otherwise: no component of ours keeps them from it."""
    alone, by_workers = in_a_fresh_process[:2]
    assert alone == by_workers
    assert all(map(len, alone))
    textcat = pickle.loads(pickle.dumps(classifier.get_pipe("textcat")))
    doc = classifier.make_doc("好")
    assert textcat(doc).cats == pytest.approx(classifier("好").cats, abs=1e-5)


def test_the_component_can_be_pickled(trained_nlp, entities_of):
    """Else `nlp.pipe(n_process=2)` would fail where processes are spawned (macOS, Windows)."""
    docs = [trained_nlp.make_doc(text) for text in TEXTS[:3]]
    for _, component in trained_nlp.components:
        copy = pickle.loads(pickle.dumps(component))
        docs = list(copy.pipe(docs))
    assert entities_of(docs) == entities_of(map(trained_nlp, TEXTS[:3]))


def _run(arguments: list[str], output: Path) -> list[list]:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *arguments],
            stdout=file,
            env=environment,
            start_new_session=True,
        )
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


def _as_json(value: list) -> list:
    return json.loads(json.dumps(value))
