"""The warning before a training whose texts its BERT cannot read."""

import warnings

import pytest
from spacy.tokens import Doc, DocBin
from spacy.training import Example


def examples_of(nlp, n_unknown, n_texts=20):
    """Of ten tokens each, some of them unknown."""
    words = ["한"] * n_unknown + [*"王小明在北京大学工作"][n_unknown:]
    tags = ["B-name", *["O"] * (len(words) - 1)]
    examples = []
    for i in range(n_texts):
        gold = Doc(nlp.vocab, words=words, ents=tags)
        gold.cats = {"sport": float(i % 2), "travel": float(i % 2 == 0)}
        examples.append(Example(Doc(nlp.vocab, words=words), gold))
    return examples


def told(nlp, examples):
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        nlp.initialize(lambda: examples)
    return [str(w.message) for w in raised if "[UNK]" in str(w.message)]


@pytest.mark.slow
@pytest.mark.parametrize("n_unknown", [0, 2, 3, 10])
def test_more_than_a_fifth_unknown_is_told_once_before_the_training(make_nlp, n_unknown):
    """Else a BERT of another language would train and predict without a word."""
    nlp = make_nlp("bert_crf")
    messages = told(nlp, examples_of(nlp, n_unknown))
    if n_unknown <= 2:
        assert messages == []
        return
    (message,) = messages
    assert f"first 20 training texts, {10 * n_unknown} % are [UNK]" in message
    assert f"the BERT of 'bertcrf'. Its vocabulary does not know 한 ({20 * n_unknown})" in message


@pytest.mark.slow
def test_only_the_first_thousand_texts_are_counted(make_nlp):
    nlp = make_nlp("bert_crf")
    known, unknown = examples_of(nlp, 0, 1000), examples_of(nlp, 10, 300)
    assert told(nlp, known + unknown) == []
    nlp = make_nlp("bert_crf")
    (message,) = told(nlp, unknown + known)
    assert "first 1,000 training texts, 30 % are [UNK]" in message


def test_a_shared_bert_is_told_of_once(make_nlp):
    """Two components read it, and it is one thing that the user has to change."""
    nlp = make_nlp("bert_ner_classifier", **{"variables.width": 32})
    (message,) = told(nlp, examples_of(nlp, 10))
    assert "the BERT of 'tok2vec'" in message


@pytest.mark.slow
@pytest.mark.parametrize(("n_unknown", "n_told"), [(10, 1), (2, 0)])
def test_a_classifier_is_told_of_as_well(make_nlp, tmp_path, n_unknown, n_told):
    path = tmp_path / "train.spacy"
    nlp = make_nlp("bert_classifier", **{"paths.train": str(path), "paths.dev": str(path)})
    examples = examples_of(nlp, n_unknown)
    DocBin(docs=[example.reference for example in examples]).to_disk(path)
    messages = told(nlp, examples)
    assert len(messages) == n_told
    assert all("the BERT of 'textcat'" in message for message in messages)


def test_predictions_say_nothing(make_nlp):
    """A service would fill its log with what only a training can change."""
    nlp = make_nlp("bert_crf")
    nlp.initialize(lambda: examples_of(nlp, 0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(nlp.pipe([Doc(nlp.vocab, words=["한"] * 10)] * 50))
