"""What would run to its end and be worth nothing is told before the first step."""

import io

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from spacy.util import load_config

from spacy_bertcrf.pipeline import training_checks
from spacy_bertcrf.training.loop import train as bertcrf_train

TRAINS = {"spacy train": spacy_train, "bertcrf train": bertcrf_train}


@pytest.fixture(params=TRAINS)
def told(request, train_corpus, tmp_path, recwarn, monkeypatch):
    """What a short training warns of, with a development corpus of these Docs, but not of being
    short."""
    monkeypatch.setattr(training_checks, "FEW_STEPS", 4)

    def run(dev_docs=None, **overrides):
        dev = train_corpus
        if dev_docs is not None:
            dev = tmp_path / "dev.spacy"
            DocBin(docs=dev_docs).to_disk(dev)
        config = load_config(
            "configs/cpu_cnn_crf.cfg",
            overrides={
                "paths.train": str(train_corpus),
                "paths.dev": str(dev),
                "components.bertcrf.model.tok2vec.width": 16,
                "components.bertcrf.model.encoder.hidden_width": 8,
                "training.max_epochs": 0,
                "training.max_steps": 3,
                "training.eval_frequency": 1,
                **overrides,
            },
        )
        nlp = init_nlp(config)
        recwarn.clear()
        TRAINS[request.param](nlp, None, stdout=io.StringIO(), stderr=io.StringIO())
        return [str(w.message) for w in recwarn if issubclass(w.category, UserWarning)]

    return run


def docs(*labels, annotated=True):
    """One for each label, with an entity; None for one without."""
    vocab = spacy.blank("zh").vocab
    made = []
    for label in labels:
        doc = Doc(vocab, words=list("张伟在北京"), spaces=[False] * 5)
        if annotated:
            doc.ents = [] if label is None else [spacy.tokens.Span(doc, 0, 2, label=label)]
        made.append(doc)
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dev_docs", "message"),
    [
        ([], "[corpora.dev] is empty"),
        (docs(None, None, annotated=False), "[corpora.dev] has no entity annotation"),
        (docs(None, None), "[corpora.dev] has no entity. "),
        (docs("PER", "LOC"), "has none of the labels that 'bertcrf' knows (address, name, organi"),
        (docs("name", "PER"), "has labels that 'bertcrf' does not know and cannot find: PER (1 "),
    ],
)
def test_a_development_corpus_that_cannot_judge(dev_docs, message, told):
    """0.00 from the first to the last step, and not a word."""
    (warned,) = told(dev_docs)
    assert message in warned


@pytest.mark.slow
def test_a_good_training_is_told_nothing(told):
    assert told() == []


@pytest.mark.slow
def test_texts_that_max_length_leaves_out_are_counted(told):
    """Every longer text without sentence breaks was gone, and nobody knew."""
    warned = told(**{"corpora.dev.max_length": 12, "corpora.train.max_length": 13})
    assert any(
        "[corpora.train] leaves out" in text and "max_length = 13" in text for text in warned
    )
    assert any("[corpora.dev] leaves out" in text and "%" in text for text in warned)
    assert len(warned) == 2


def test_a_corpus_of_which_max_length_leaves_nothing_is_an_error_that_says_so(
    make_nlp, train_corpus
):
    """Its advice was to check doc.ents."""
    paths = {"paths.train": str(train_corpus), "paths.dev": str(train_corpus)}
    nlp = make_nlp(**paths, **{"corpora.train.max_length": 3})
    config = nlp.config.interpolate()
    reader = spacy.util.resolve_dot_names(config, ["corpora.train"])[0]
    with pytest.raises(ValueError, match="max_length"):
        nlp.initialize(lambda: reader(nlp))


@pytest.mark.slow
def test_few_evaluations_are_told_in_both_loops(told):
    without = {"initialize.after_init.evaluations": 1, "training.eval_frequency": 200}
    (warned,) = told(**without, **{"training.max_steps": 19})
    assert "is evaluated after step 0" in warned


@pytest.mark.slow
def test_few_steps_are_told_with_how_many_epochs_would_do(told, monkeypatch):
    """A config's four epochs are a thousand steps of a large corpus, and of a small one none that
    teach anything: F1 was 1 %, without a word."""
    monkeypatch.setattr(training_checks, "FEW_STEPS", 40)
    (warned,) = told(**{"training.max_steps": 0, "training.max_epochs": 2})
    assert "The training has 2 steps" in warned
    assert "max_epochs to 40" in warned
    assert "init-config" in warned
    (warned,) = told(**{"training.max_steps": 4, "training.max_epochs": 30})
    assert "max_steps" in warned


@pytest.mark.parametrize(("weights", "is_told"), [({}, True), ({"spans_nested_f": 0.5}, False)])
def test_scores_of_spans_that_nobody_sets(weights, is_told, recwarn):
    """A key that was changed in one place of the config: 0.00 to the end."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("bertcrf_spans", config={"spans_key": "nested"})
    nlp.config["training"]["score_weights"] = {"spans_sc_f": 1.0, "tag_acc": 1.0, **weights}
    gold = nlp.get_pipe("bertcrf_spans").gold
    docs = [spacy.tokens.Doc(nlp.vocab, words=["a"])]
    docs[0].spans["nested"] = [spacy.tokens.Span(docs[0], 0, 1, label="PER")]
    spacy.registry.readers("nested_docs", func=lambda: lambda nlp: [Example(d, d) for d in docs])
    nlp.config["corpora"] = {"dev": {"@readers": "nested_docs"}}
    training_checks.check_spans_to_judge_by(nlp, "bertcrf_spans", ["PER"], gold)
    told = [str(w.message) for w in recwarn]
    assert [("spans_sc_f" in text, "write spans_nested_f = 1.0" in text) for text in told] == [
        (True, True)
    ] * is_told
