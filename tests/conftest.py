"""The order of tests, and small corpora and models that many of them need."""

import gc
import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import spacy
import torch
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.util import fix_random_seed, load_config

from spacy_bertcrf.pretraining.new_bert import Size, init_bert

pytest_plugins = ["browser_pages", "forked_processes"]  # in plugins/
ROOT = Path(__file__).parents[1]

TEXTS = [
    ("王小明在北京大学工作。", [(0, 3, "name"), (4, 8, "organization")]),
    ("李雷和韩梅梅去了上海。", [(0, 2, "name"), (3, 6, "name"), (8, 10, "address")]),
    ("今天天气很好,适合出门。", []),
    ("北京的张伟喜欢Windows10。", [(0, 2, "address"), (3, 5, "name")]),
    ("上海大学的王芳来自广州。", [(0, 4, "organization"), (5, 7, "name"), (9, 11, "address")]),
    ("张伟在广州大学读书,", [(0, 2, "name"), (3, 7, "organization")]),
]
CONFIGS = {path.stem for path in (ROOT / "configs").glob("*.cfg")}
FAST_CONFIGS = {"cpu_cnn_crf", "bert_bilstm_crf"}  # one without a BERT, one with
HAS_SPACY_TRANSFORMERS = find_spec("spacy_transformers") is not None
NO_SPACY_TRANSFORMERS = "a shared transformer is a component of spacy-transformers"
E2E = ROOT / "tests" / "e2e"
LONG = {
    ROOT / "tests" / "annotation" / "test_engine_ray.py",
    ROOT / "tests" / "gpu" / "test_stand_in.py",
    ROOT / "tests" / "pipeline" / "test_threads.py",
    ROOT / "tests" / "test_browsers.py",
    ROOT / "tests" / "training" / "distributed" / "test_process_ranks.py",
    ROOT / "tests" / "training" / "test_resume.py",
}
MAX_WORKERS = 2  # a third would need its own copy of each session's pipelines, and 1 GB


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Processes for `-n auto`: several only where nothing is named on the command line, for
    starting them takes longer than most files' tests."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return MAX_WORKERS if (cores or 1) >= MAX_WORKERS else 0


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Tests in a browser have a process of their own (test_browsers.py): Playwright's event loop
    stays in the thread, in the way of others, and its greenlets of pytest's reports."""
    is_named = config.args_source is pytest.Config.ArgsSource.ARGS
    return True if collection_path.name.endswith("_in_browser.py") and not is_named else None


def pytest_configure(config: pytest.Config) -> None:
    """One thread a worker, and in what it starts: else they wait for each other's threads."""
    if hasattr(config, "workerinput"):
        os.environ["OMP_NUM_THREADS"] = "1"
        torch.set_num_threads(1)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first: one that begins last would leave a worker with nothing to do. Of a
    test that each config goes through, the fast part has those of FAST_CONFIGS."""
    items.sort(key=lambda item: not item.path.is_relative_to(E2E) and item.path not in LONG)
    configs = defaultdict(set)
    for item in items:
        configs[function_of(item)] |= configs_of(item)
    for item in items:
        if configs[function_of(item)] & FAST_CONFIGS and configs_of(item) - FAST_CONFIGS:
            item.add_marker(pytest.mark.slow)
        if "shared_transformer" in configs_of(item) and not HAS_SPACY_TRANSFORMERS:
            item.add_marker(pytest.mark.skip(reason=NO_SPACY_TRANSFORMERS))


def pytest_collection_finish() -> None:
    """What is imported by now stays, and no collection of garbage need look through it."""
    gc.freeze()


def function_of(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


def configs_of(item: pytest.Item) -> set[str]:
    """The configs among what a test was parametrized with."""
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return {value for value in parameters if isinstance(value, str) and value in CONFIGS}


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """What is written is there for whoever reads it. That it is on the disk too, only a power
    failure could tell, and to wait for that took most of the time of tests that write checkpoints;
    processes that tests start do wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(scope="session")
def few_imports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables for a new Python that is to start as where spacy-transformers is not installed,
    which spaCy would import with each pipeline, and which takes longer than all else: another
    distribution of that name is found before it, and has no entry points."""
    folder = tmp_path_factory.mktemp("first_on_path")
    metadata = folder / "spacy_transformers-0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: spacy-transformers\nVersion: 0\n")
    paths = [str(folder), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real corpora and models; without it the test is skipped."""
    folder = os.environ.get("SPACY_BERTCRF_REAL")
    if not folder:
        pytest.skip("SPACY_BERTCRF_REAL names no folder with real corpora")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one narrow layer with random weights."""
    folder = tmp_path_factory.mktemp("bert")
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(text for text, _ in TEXTS * 2), encoding="utf-8")
    return init_bert(folder / "bert", [corpus], size=Size(1, 32, 2)).path


@pytest.fixture(scope="session")
def train_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TEXTS as a DocBin."""
    nlp = spacy.blank("zh")
    docs = DocBin()
    for text, ents in TEXTS:
        doc = nlp.make_doc(text)
        doc.ents = [doc.char_span(start, end, label=label) for start, end, label in ents]
        docs.add(doc)
    path = tmp_path_factory.mktemp("corpus") / "train.spacy"
    docs.to_disk(path)
    return path


@pytest.fixture(scope="session")
def make_nlp(tiny_bert: Path) -> Callable[..., Language]:
    """Build the pipeline of one of the shipped configs, untrained; overrides as in `train`."""

    def build(config: str = "cpu_cnn_crf", **overrides: object) -> Language:
        if config == "shared_transformer" and not HAS_SPACY_TRANSFORMERS:
            pytest.skip(NO_SPACY_TRANSFORMERS)
        if config != "cpu_cnn_crf":
            overrides["paths.transformer"] = str(tiny_bert)
        path = ROOT / "configs" / f"{config}.cfg"
        loaded = load_config(path, overrides=overrides, interpolate=True)
        return spacy.util.load_model_from_config(loaded, auto_fill=True)

    return build


@pytest.fixture(scope="session")
def make_trained(make_nlp: Callable[..., Language]) -> Callable[..., Language]:
    """Build such a pipeline and train it until it knows TEXTS by heart, alone and in a row."""

    def train(config: str = "cpu_cnn_crf", n_steps: int = 30, **overrides: object) -> Language:
        nlp = make_nlp(config, **overrides)
        fix_random_seed(0)
        optimizer = nlp.initialize(lambda: examples(nlp))
        optimizer.learn_rate = 0.002  # a config may have the CRF learn at 20 times as much
        rng = random.Random(0)
        for _ in range(n_steps):
            nlp.update([*examples(nlp), all_in_a_row(nlp, rng)], sgd=optimizer)
        return nlp

    return train


@pytest.fixture(scope="session")
def trained_as(make_trained: Callable[..., Language]) -> Callable[[str], Language]:
    """The pipeline of a shipped config that knows TEXTS by heart. Not to be changed."""
    return cache(make_trained)


@pytest.fixture(scope="session")
def trained(trained_as: Callable[[str], Language]) -> Language:
    """A pipeline without BERT that knows TEXTS by heart. Not to be changed."""
    return trained_as("cpu_cnn_crf")


@pytest.fixture(scope="session")
def make_examples() -> Callable[[Language], list[Example]]:
    """TEXTS as examples for a pipeline."""
    return examples


def examples(nlp: Language) -> list[Example]:
    return [Example.from_dict(nlp.make_doc(text), {"entities": ents}) for text, ents in TEXTS]


def all_in_a_row(nlp: Language, rng: random.Random) -> Example:
    row, entities = "", []
    for text, ents in rng.sample(TEXTS * 2, k=2 * len(TEXTS)):
        entities += [(len(row) + start, len(row) + end, label) for start, end, label in ents]
        row += text
    return Example.from_dict(nlp.make_doc(row), {"entities": entities})
