"""From files of texts and labels to a pipeline that classifies, with the user's commands."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.cli import app
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the commands

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
LINES = ["今天天气很好\t0", "明天天气不好\t0", "他去了上海\t1", '他说"去广州\t1'] * 8


def run_here(*args: object) -> str:
    """Run `spacy ARGS` in this process, which saves the start of another."""
    result = CliRunner().invoke(app, [*map(str, args)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def model_best(
    start_command: Callable[..., Any], tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """model-best of a short `spacy train` of the classifier, with batches of wordpieces, and
    training steps that are counted."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "class.txt").write_text("天气\n地点\n", encoding="utf8")
    (folder / "train.txt").write_text("\n".join(LINES), encoding="utf8")
    run_here("bertcrf", "convert", folder / "train.txt", folder / "train.spacy",
             "--classes", folder / "class.txt")  # fmt: skip
    corpus = folder / "train.spacy"
    process = start_command(
        "train", ROOT / "configs" / "bert_classifier.cfg", "--output", folder / "training",
        "--paths.train", corpus, "--paths.dev", corpus,
        "--paths.transformer", tiny_bert, "--training.batcher.size", 64,
        "--training.optimizer.learn_rate.initial_rate", 0.01,
        "--training.max_epochs", 6, "--training.eval_frequency", 10,
        "--components.textcat.model.class_weights", "balanced",
        printed=folder / "printed.txt", environment={"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert "not known how many there will be" not in output
    return folder / "training" / "model-best"


def test_what_it_has_learned_is_loaded_evaluated_and_drawn(model_best: Path) -> None:
    """The whole way that the workflow `thucnews` takes."""
    work = model_best.parents[1]
    nlp = spacy.load(model_best)
    assert nlp('他说"去广州').cats["地点"] > 0.5 > nlp("今天天气很好").cats["地点"]
    output = run_here("evaluate", model_best, work / "train.spacy")
    assert "TEXTCAT (macro F)   100.00" in output
    run_here("bertcrf", "confusion", model_best, work / "train.spacy", work / "confusion.svg")
    assert "天气" in (work / "confusion.svg").read_text(encoding="utf8")
