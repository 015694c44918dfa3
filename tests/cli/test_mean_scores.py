"""`python -m spacy bertcrf mean-scores`: folds, or seeds, in one table."""

from statistics import mean, stdev

import pytest
import srsly
from typer.testing import CliRunner

from spacy_bertcrf.cli import app

F_SCORES = [0.8, 0.7, 0.9]


@pytest.fixture
def files(tmp_path):
    """As `spacy evaluate` and, the last one, as a pipeline's meta.json has them."""
    paths = []
    for i, f in enumerate(F_SCORES):
        per_type = {"name": {"p": f, "r": f, "f": f}}
        if i < 2:
            per_type["rare"] = {"p": 1.0, "r": 0.0, "f": f / 2}
        scores = {"token_acc": 1.0, "ents_p": 0.5, "ents_r": f, "ents_f": f, "speed": 9000.0,
                  "ents_per_type": per_type, "cats_score": None, "tag_acc": f}  # fmt: skip
        if i == 2:
            scores = {"lang": "zh", "performance": {**scores, "bertcrf_loss": 12.5}}
        paths.append(tmp_path / f"fold-{i}.json")
        srsly.write_json(paths[-1], scores)
    return paths


def run(*paths):
    result = CliRunner().invoke(app, ["bertcrf", "mean-scores", *map(str, paths)])
    return result.exit_code, result.output


def test_mean_and_deviation_of_every_score_are_in_one_table(files):
    code, output = run(*files)
    rows = {line.split("  ")[0].strip(): " ".join(line.split()) for line in output.splitlines()}
    of_f = f"{100 * mean(F_SCORES):.2f} ± {100 * stdev(F_SCORES):.2f}"
    assert code == 0
    assert rows["ents"] == f"ents 50.00 ± 0.00 {of_f} {of_f}"
    assert rows["ents name"] == f"ents name {of_f} {of_f} {of_f}"
    assert rows["tag_acc"] == f"tag_acc {of_f}"
    for no_score in ("speed", "token_acc", "bertcrf_loss", "lang", "cats_score"):
        assert no_score not in output


def test_a_label_that_not_all_folds_have_says_so(files):
    """Else its mean would look like one over all."""
    of_rare = f"{50 * mean(F_SCORES[:2]):.2f} ± {50 * stdev(F_SCORES[:2]):.2f} (2 of 3)"
    assert of_rare in " ".join(run(*files)[1].split())


def test_one_file_has_no_spread(files):
    assert "no spread" in run(files[0])[1]


def test_a_file_that_is_missing_is_no_broken_json(files, tmp_path):
    code, output = run(*files, tmp_path / "none.json")
    assert code == 1
    assert "There is no file" in output


@pytest.mark.parametrize("content", ["[]", '{"name": "x"}', "no json"])
def test_a_file_without_scores_is_named(content, files, tmp_path):
    (tmp_path / "other.json").write_text(content)
    code, output = run(*files, tmp_path / "other.json")
    assert code == 1
    assert "other.json" in output.replace("\n", "")
