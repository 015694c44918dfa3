"""What an annotator has said converts, and trains as it is."""

import pytest
from spacy.cli import app
from spacy.tokens import DocBin
from spacy.training import Example
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command
from spacy_bertcrf.corpora.documents import INCORRECT_SPANS
from spacy_bertcrf.teaching.decisions import Decision, DecisionFile, Mark

WHOLE, PART = "王小明在北京大学工作。", "李雷去了上海。"


@pytest.mark.slow
def test_it_is_learned_from_by_the_ordinary_commands(make_nlp, tmp_path):
    """Also that a span is none, and nothing of what was not looked at."""
    file = DecisionFile(tmp_path / "saved.jsonl")
    file.append(Decision("1", WHOLE, "open", (Mark(0, 2, "name"),)))
    file.append(Decision("1", WHOLE, "accepted", (Mark(0, 3, "name"),)))
    file.append(Decision("2", PART, "skipped", (Mark(0, 2, "name"),), (Mark(4, 6, "name"),)))
    file.append(Decision("3", "没人看过的文本。", "skipped"))
    file.close()
    arguments = [
        "bertcrf",
        "convert",
        str(file.path),
        str(tmp_path / "train.spacy"),
        "--lang",
        "zh",
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "was not looked at" in result.output

    nlp = make_nlp(**{"components.bertcrf.incorrect_spans_key": INCORRECT_SPANS})
    docs = list(DocBin().from_disk(tmp_path / "train.spacy").get_docs(nlp.vocab))
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.002
    recognizer = nlp.get_pipe("bertcrf")
    part = nlp.make_doc(PART)

    def wrong():
        return float(recognizer.span_probabilities(part, [(4, 6, "name")])[0])

    before = wrong()
    for _ in range(12):
        nlp.update(examples, sgd=optimizer)
    assert wrong() < min(before, 0.01)
    (found, *_) = nlp(PART).ents
    assert (found.text, found.label_) == ("李雷", "name")
