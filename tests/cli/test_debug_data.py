"""`python -m spacy bertcrf debug-data`: what is said of a corpus before the training."""

from pathlib import Path

import pytest
import spacy
from spacy.cli import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command

CONFIGS = Path(__file__).parents[2] / "configs"


def corpus(path, *texts):
    nlp = spacy.blank("zh")
    docs = DocBin()
    for text, ents in texts:
        doc = nlp.make_doc(text)
        doc.set_ents([doc.char_span(*ent[:2], label=ent[2]) for ent in ents], default="outside")
        docs.add(doc)
    docs.to_disk(path)
    return path


def run(config, train, dev, *options):
    paths = ["--paths.train", train, "--paths.dev", dev]
    arguments = ["bertcrf", "debug-data", config, *paths, *options]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, " ".join(result.output.split())


TRAIN = [("王小明在北京。", [(0, 3, "name"), (4, 6, "address")]), ("天气很好。", [])]


def test_a_corpus_is_described(tmp_path):
    dev = [("李雷在北京。", [(0, 2, "name"), (3, 5, "address")]), ("天气很好。", [])]
    train = corpus(tmp_path / "train.spacy", *TRAIN)
    code, output = run(CONFIGS / "cpu_cnn_crf.cfg", train, corpus(tmp_path / "dev.spacy", *dev))
    assert code == 0, output
    for said in (
        "Fewer than 50 entities in train: name, address",
        "Entities of dev that train does not have with their label: 50%",
        "1 texts of dev are in train too, of 2",
        "No text is in train twice",
        "All entities fit the tokens",
    ):
        assert said in output


def test_labels_that_look_alike_are_told(tmp_path):
    """Two annotators' spellings would each have half of the entities."""
    labels = ("per_son", "PER-SON", "place")
    texts = [("王小明在北京。", [(0, 3, label)]) for label in labels]
    train = corpus(tmp_path / "train.spacy", *texts)
    code, output = run(CONFIGS / "cpu_cnn_crf.cfg", train, train)
    assert code == 0, output
    assert "Labels that look alike: 'per_son', 'PER-SON'" in output
    assert output.count("look alike") == 1


def test_what_a_bert_cannot_read_is_described(tmp_path, tiny_bert):
    train = corpus(tmp_path / "train.spacy", *TRAIN, ("𠀀" * 600, []))
    config = CONFIGS / "bert_bilstm_crf.cfg"
    code, output = run(config, train, train, "--paths.transformer", tiny_bert)
    assert code == 0, output
    assert "are not in the vocabulary" in output
    assert "'𠀀' 600" in output
    assert "2 texts are longer than the BERT reads at a time" in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("train", "dev", "message"),
    [
        ([], TRAIN, "The training corpus has no text"),
        ([("天气很好。", [])], TRAIN, "The training corpus has no entity"),
        (TRAIN, [("北京", [(0, 2, "LOC")])], "no label of the training corpus"),
    ],
)
def test_what_cannot_be_learned_from_ends_with_an_error(tmp_path, train, dev, message):
    files = corpus(tmp_path / "train.spacy", *train), corpus(tmp_path / "dev.spacy", *dev)
    code, output = run(CONFIGS / "cpu_cnn_crf.cfg", *files)
    assert code == 1
    assert message in output


def test_of_what_spans_learn_from_nothing_is_said(tmp_path, tiny_bert):
    """A good corpus for bertcrf_spans would be called one that nothing learns from."""
    nlp = spacy.blank("zh")
    doc = nlp.make_doc("王小明在北京。")
    doc.spans["sc"] = [doc.char_span(0, 3, label="name")]
    DocBin(docs=[doc]).to_disk(tmp_path / "train.spacy")
    files = [tmp_path / "train.spacy"] * 2
    code, output = run(CONFIGS / "bert_spans.cfg", *files, "--paths.transformer", tiny_bert)
    assert code == 0, output
    assert "no component that learns doc.ents" in output
    assert "no annotation at all" not in output


def test_a_missing_corpus_is_an_error(tmp_path):
    train = corpus(tmp_path / "train.spacy", *TRAIN)
    code, output = run(CONFIGS / "cpu_cnn_crf.cfg", train, tmp_path / "nothing.spacy")
    assert code == 1
    assert "nothing.spacy" in output
