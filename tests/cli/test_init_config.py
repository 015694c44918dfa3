"""`python -m spacy bertcrf init-config`, from a corpus to a config that trains."""

import pytest
import spacy
from spacy.cli import app
from spacy.tokens import Doc, DocBin, Span
from spacy.util import load_config
from typer.testing import CliRunner

import spacy_bertcrf.cli  # noqa: F401  # registers the command


def invoke(*args):
    result = CliRunner().invoke(app, list(map(str, args)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def init_config(*args):
    return invoke("bertcrf", "init-config", *args)


def write(path, words, ents=(), n=1):
    doc = Doc(spacy.blank("xx").vocab, words=words, spaces=[False] * len(words))
    doc.ents = [Span(doc, start, end, label=label) for start, end, label in ents]
    DocBin(docs=[doc] * n).to_disk(path)
    return path


@pytest.mark.slow
def test_the_config_is_valid_and_trains(train_corpus, tiny_bert, tmp_path):
    """A first training would end in an error of somebody else's config."""
    config = tmp_path / "made" / "config.cfg"
    code, said = init_config(train_corpus, config, "-t", tiny_bert, "--dev", train_corpus)
    assert code == 0, said
    assert 'nlp.lang = "zh"' in said
    code, told = invoke("debug", "config", config)
    assert (code, "Config is valid" in told) == (0, True), told
    run = tmp_path / "run"
    code, told = invoke(
        "bertcrf", "train", config, "--output", run, "--training.max_epochs", 2
    )  # fmt: skip
    assert "gradual_unfreezing" in config.read_text(encoding="utf-8")
    assert code == 0, told
    assert spacy.load(run / "model-best").pipe_names == ["bertcrf"]


@pytest.mark.slow
def test_each_choice_stands_in_the_config_with_its_reason(train_corpus, tiny_bert, tmp_path):
    """Who wants to change a setting would not know what speaks for it."""
    path = tmp_path / "config.cfg"
    code, said = init_config(train_corpus, path, "-t", tiny_bert)
    assert code == 0, said
    lines = path.read_text(encoding="utf-8").splitlines()
    for setting in ("max_epochs", "size", "initial_rate", "mixed_precision", "lang"):
        (at,) = [n for n, line in enumerate(lines) if line.startswith(f"{setting} =")]
        assert lines[at - 1].startswith("# "), setting
        assert lines[at - 1][2:] in said
    # Some versions of confection write a block that holds a name alone into one line.
    written = ("[components.bertcrf.model.encoder]", "encoder = ")
    (at,) = [n for n, line in enumerate(lines) if line.startswith(written)]
    assert lines[at - 1].startswith("# ")
    assert load_config(path)["paths"]["dev"] is None
    assert "--paths.dev" in said


@pytest.mark.slow
def test_a_gpu_has_half_precision(train_corpus, tiny_bert, tmp_path):
    """A GPU would run at half its speed."""
    path = tmp_path / "config.cfg"
    init_config(train_corpus, path, "-t", tiny_bert, "--gpu")
    config = load_config(path)
    assert config["system"]["gpu_allocator"] == "pytorch"
    assert config["components"]["bertcrf"]["model"]["tok2vec"]["mixed_precision"] is True


@pytest.mark.slow
def test_dev_beside_train_is_found(tiny_bert, tmp_path):
    """`convert --split` puts it there."""
    train = write(tmp_path / "train.spacy", ["in", "Rome"], [(1, 2, "LOC")], n=3)
    dev = write(tmp_path / "dev.spacy", ["to", "Oslo"], [(1, 2, "CITY")])
    code, said = init_config(train, tmp_path / "config.cfg", "-t", tiny_bert)
    assert code == 0, said
    assert load_config(tmp_path / "config.cfg")["paths"]["dev"] == str(dev)
    assert 'nlp.lang = "en"' in said
    assert "100% of the entities of dev are nowhere an entity in train" in said
    assert "CITY (1)" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "ents", "bert", "message"),
    [
        (["Rome"], [], None, "have no entity"),
        ([], [], None, "no text with a token"),
        (None, [], None, "train.spacy is not there"),
        (["Rome"], [(0, 1, "LOC")], "/no/such/bert", "'/no/such/bert' cannot be"),
    ],
)
def test_what_no_config_can_be_made_for(words, ents, bert, message, tiny_bert, tmp_path):
    """The training would fail, or learn nothing, an hour later."""
    train = tmp_path / "train.spacy"
    if words is not None:
        write(train, words, ents)
    code, said = init_config(train, tmp_path / "config.cfg", "-t", bert or tiny_bert)
    assert code == 1
    assert message in said
    assert not (tmp_path / "config.cfg").exists()


def test_a_corpus_that_is_not_converted_yet(tiny_bert, tmp_path):
    """spaCy reads nothing of it, and says nothing."""
    corpus = tmp_path / "train.json"
    corpus.write_text("[]")
    code, said = init_config(corpus, tmp_path / "config.cfg", "-t", tiny_bert)
    assert code == 1
    assert "is no .spacy file" in said
    assert "bertcrf convert" in said


def test_a_language_that_spacy_does_not_have(train_corpus, tiny_bert, tmp_path):
    code, said = init_config(
        train_corpus, tmp_path / "config.cfg", "-t", tiny_bert, "--lang", "klingon"
    )
    assert code == 1
    assert "'klingon'" in said


def test_a_config_that_is_there_stays(train_corpus, tiny_bert, tmp_path):
    """An hour of tuning by hand would be gone."""
    config = tmp_path / "config.cfg"
    config.write_text("mine")
    code, said = init_config(train_corpus, config, "-t", tiny_bert)
    assert (code, config.read_text()) == (1, "mine")
    assert "--force" in said
    code, said = init_config(train_corpus, config, "-t", tiny_bert, "--force")
    assert code == 0
    assert config.read_text() != "mine"
