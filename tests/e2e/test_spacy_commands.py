"""The commands that a user types, from a corpus to a pipeline that `spacy.load` opens.

Those that only entry points bring our names to (`fill-config`, `train`, and loading a package)
start a new Python each; the others run in this one, which saves the start. The quick start of
`.ci/run` goes through all of them in new ones.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from spacy.cli import app
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # spaCy itself loads it by its entry point

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "assets" / "sample"


def run(*args: object, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run `python -m ARGS` in a process of its own; its output, or a failure that shows it."""
    result = subprocess.run(
        [sys.executable, "-m", *map(str, args)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    return output


def run_in(folder: Path, *args: object) -> str:
    """Run `spacy ARGS` in this process; its output, or a failure that shows it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = CliRunner().invoke(app, [*map(str, args)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def run_here(work: Path) -> Callable[..., str]:
    """Run `spacy ARGS` in the folder `work`; its output, or a failure that shows it."""
    return partial(run_in, work)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.spacy and dev.spacy, made by `convert` from the sample's first lines."""
    folder = tmp_path_factory.mktemp("work")
    for part, n_lines in (("train", 200), ("dev", 50)):
        lines = (SAMPLE / f"{part}.json").read_text(encoding="utf-8").splitlines()[:n_lines]
        (folder / f"{part}.json").write_text("\n".join(lines), encoding="utf-8")
        run_in(folder, "bertcrf", "convert", f"{part}.json", f"{part}.spacy", "--lang", "zh")
    return folder


@pytest.fixture(scope="module")
def model_best(work: Path, few_imports: dict[str, str]) -> Path:
    """model-best of a short `spacy train` with a BERT that `pretrain --new` made."""
    run_in(work, "bertcrf", "pretrain", "train.spacy", "--new", "tiny", "--layers", 1, "--width",
           32, "--heads", 2, "--epochs", 0, "--output", "bert")  # fmt: skip
    run("spacy", "train", ROOT / "configs" / "bert_tcn_crf.cfg", "--output", "training",
        "--paths.train", "train.spacy", "--paths.dev", "dev.spacy", "--paths.transformer", "bert",
        "--training.max_epochs", 0, "--training.max_steps", 120, "--training.eval_frequency", 60,
        "--training.batcher.size", 800,
        "--training.optimizer.learn_rate.initial_rate", 0.003,
        "--training.optimizer.learn_rate.warmup", 0, cwd=work, env=few_imports)  # fmt: skip
    return work / "training" / "model-best"


@pytest.mark.parametrize("config", sorted(path.stem for path in (ROOT / "configs").glob("*.cfg")))
def test_every_shipped_config_is_complete(config: str, run_here: Callable[..., str]) -> None:
    """A user could not start from a config that `spacy debug config` refuses."""
    path = ROOT / "configs" / f"{config}.cfg"
    paths = ("--paths.train", "train.spacy", "--paths.dev", "dev.spacy")
    output = run_here("debug", "config", path, *paths)
    assert "Config is valid" in output


def test_the_defaults_of_the_factory_fill_a_config(work: Path, few_imports: dict[str, str]) -> None:
    """A config that names nothing but the factory is what `init fill-config` is given."""
    (work / "partial.cfg").write_text(
        '[nlp]\nlang = "zh"\npipeline = ["bertcrf"]\n\n'
        '[components]\n\n[components.bertcrf]\nfactory = "bertcrf"\n'
    )
    run("spacy", "init", "fill-config", "partial.cfg", "filled.cfg", cwd=work, env=few_imports)
    filled = (work / "filled.cfg").read_text()
    assert "spacy-bertcrf.CRFTagger.v1" in filled
    assert "spacy-bertcrf.BiLSTM.v1" in filled


def test_labels_can_be_written_and_read(work: Path, run_here: Callable[..., str]) -> None:
    """`spacy init labels` saves reading the whole corpus again before every training."""
    config = ROOT / "configs" / "cpu_cnn_crf.cfg"
    paths = ("--paths.train", "train.spacy", "--paths.dev", "dev.spacy")
    run_here("init", "labels", config, "labels", *paths)
    labels = json.loads((work / "labels" / "bertcrf.json").read_text())
    assert labels == sorted(labels)
    assert "company" in labels


def test_debug_data_accepts_a_converted_corpus(run_here: Callable[..., str]) -> None:
    """The converter's output would be of no use if spaCy's own check refused it."""
    config = ROOT / "configs" / "cpu_cnn_crf.cfg"
    paths = ("--paths.train", "train.spacy", "--paths.dev", "dev.spacy")
    output = run_here("debug", "data", config, *paths, "--ignore-warnings")
    assert "Corpus is loadable" in output


def test_a_trained_pipeline_is_evaluated_applied_and_timed(
    work: Path, model_best: Path, run_here: Callable[..., str]
) -> None:
    """The commands that users run on a trained pipeline take ours as they take any."""
    run_here("evaluate", model_best, "dev.spacy", "--output", "metrics.json")
    metrics = json.loads((work / "metrics.json").read_text())
    assert 0.0 < metrics["ents_f"] <= 1.0
    assert "company" in metrics["ents_per_type"]
    run_here("apply", model_best, "dev.json", "applied.spacy", "--text-key", "text")
    assert (work / "applied.spacy").stat().st_size > 0
    output = run_here("benchmark", "speed", model_best, "dev.spacy", "--no-shuffle",
                      "--warmup", 0, "--batches", 30, "--batch-size", 8)  # fmt: skip
    assert "words/s" in output


def test_a_packaged_pipeline_is_installed_and_loaded(
    work: Path,
    model_best: Path,
    few_imports: dict[str, str],
    tmp_path: Path,
    run_here: Callable[..., str],
) -> None:
    """What is handed on is a package: it must load by name where only it was installed."""
    run_here("package", model_best, tmp_path, "--name", "tiny", "--version", "1.2.3",
             "--build", "none")  # fmt: skip
    site = tmp_path / "site"
    run("pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", site,
        tmp_path / "zh_tiny-1.2.3", cwd=work)  # fmt: skip
    script = (
        "import spacy, sys; nlp = spacy.load('zh_tiny'); "
        "doc = nlp('王小明在北京工作。'); "
        "print(nlp.meta['version'], nlp.pipe_names, type(doc.ents).__name__)"
    )
    path = os.pathsep.join([str(site), few_imports["PYTHONPATH"]])
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.stdout.split() == ["1.2.3", "['bertcrf']", "tuple"], result.stderr
    meta = (tmp_path / "zh_tiny-1.2.3" / "meta.json").read_text()
    assert "spacy-bertcrf" in meta
