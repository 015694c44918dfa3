"""Where the labels and the sizes come from, and what is refused."""

import warnings

import pytest
from spacy.tokens import Doc
from spacy.training import Example

SMALL = {"components.bertcrf.model.tok2vec.width": 16}


@pytest.fixture
def nlp(make_nlp):
    return make_nlp(**SMALL)


def example(nlp, words, tags):
    predicted = Doc(nlp.vocab, words=words)
    return Example(predicted, Doc(nlp.vocab, words=words, ents=tags))


def test_labels_come_from_the_data_in_order(nlp, make_examples):
    """Else the order of the corpus would change the model, and two trainings would differ."""
    component = nlp.get_pipe("bertcrf")
    assert component.labels == ()
    assert not component.is_initialized
    nlp.initialize(lambda: make_examples(nlp))
    assert component.labels == ("address", "name", "organization")
    assert component.is_initialized
    assert component.model.get_dim("nO") == len(component.tag_set) == 13


@pytest.mark.slow
def test_label_data_gives_the_same_component(make_nlp, make_examples):
    """Else `spacy init labels` could not spare a long corpus its first reading."""
    component = make_nlp(**SMALL).get_pipe("bertcrf")
    component.initialize(lambda: make_examples(make_nlp(**SMALL)))
    again = make_nlp(**SMALL).get_pipe("bertcrf")
    again.initialize(lambda: make_examples(make_nlp(**SMALL)), labels=component.label_data)
    assert again.labels == component.labels
    assert again.label_data == ["address", "name", "organization"]


def test_labels_from_the_config_are_taken(make_nlp, make_examples):
    """Else labels that the training sample happens to lack would be unknown."""
    labels = ["name", "organization", "address", "movie"]
    nlp = make_nlp(**SMALL)
    nlp.config["initialize"]["components"]["bertcrf"] = {"labels": labels}
    nlp.initialize(lambda: make_examples(nlp))
    assert nlp.pipe_labels["bertcrf"] == labels


def test_initialization_passes_over_empty_docs(nlp, make_examples):
    """Else an empty line at the head of a corpus would stop the training."""
    empty = [Example.from_dict(nlp.make_doc(""), {}) for _ in range(12)]
    nlp.initialize(lambda: [*empty, *make_examples(nlp)])
    assert nlp.get_pipe("bertcrf").labels == ("address", "name", "organization")


def test_initialization_twice_is_no_error(nlp, make_examples):
    """Else a notebook's cell could be run only once."""
    nlp.initialize(lambda: make_examples(nlp))
    optimizer = nlp.initialize(lambda: make_examples(nlp))
    assert nlp.get_pipe("bertcrf").labels == ("address", "name", "organization")
    nlp.update(make_examples(nlp), sgd=optimizer)


def test_no_labels_is_an_error(nlp):
    """Else a corpus without entities would train a model that finds none."""
    outside = [example(nlp, ["今", "天"], ["O", "O"])]
    with pytest.raises(ValueError, match=r"examples have no entities, so 'bertcrf'.*'labels'"):
        nlp.initialize(lambda: outside)


def test_no_tokens_is_an_error(nlp):
    """Else the sizes of the model would be guessed."""
    empty = [Example.from_dict(nlp.make_doc(""), {})]
    with pytest.raises(ValueError, match=r"'bertcrf' got no example with a token"):
        nlp.get_pipe("bertcrf").initialize(lambda: empty, labels=["name"])


@pytest.mark.parametrize("get_examples", [None, lambda: [], lambda: ["text"]])
def test_what_is_no_example_is_refused(nlp, get_examples):
    """Else a wrong call would fail somewhere deep in the model."""
    with pytest.raises((TypeError, ValueError), match=r"CRFEntityRecognizer\.initialize"):
        nlp.get_pipe("bertcrf").initialize(get_examples)


def test_labels_added_before_are_kept(nlp, make_examples):
    """Else a user's own labels would be lost to those of the data."""
    component = nlp.get_pipe("bertcrf")
    assert component.add_label("movie") == 1
    assert component.add_label("movie") == 0
    nlp.initialize(lambda: make_examples(nlp))
    assert component.labels == ("movie", "address", "name", "organization")
    assert "movie" in nlp.vocab.strings


def test_labels_added_are_enough_to_initialize(nlp):
    """Else `nlp.initialize()` without data would not work as with spaCy's own components."""
    nlp.get_pipe("bertcrf").add_label("name")
    nlp.initialize()
    assert nlp.get_pipe("bertcrf").labels == ("name",)
    nlp("王小明在北京大学工作。")


@pytest.mark.parametrize("label", [3, None, ""])
def test_what_is_no_label_is_refused(nlp, label):
    """Else tags like 'B-None' would come into being."""
    with pytest.raises(ValueError, match=r"[Ll]abel"):
        nlp.get_pipe("bertcrf").add_label(label)
    assert nlp.get_pipe("bertcrf").labels == ()


@pytest.mark.parametrize(("scheme", "n_tags"), [("BIO", 7), ("BIOES", 13)])
def test_the_scheme_is_that_of_the_config(make_nlp, make_examples, scheme, n_tags):
    """Else the setting would be without effect."""
    nlp = make_nlp(**SMALL, **{"components.bertcrf.scheme": scheme})
    nlp.initialize(lambda: make_examples(nlp))
    assert nlp.get_pipe("bertcrf").model.get_dim("nO") == n_tags
    assert nlp.get_pipe("bertcrf").tag_set.scheme == scheme


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("scheme", "IOB", "IOB"),
        ("loss_reduction", "median", "loss_reduction is 'median'; it can be sum, mean"),
        ("max_batch_tokens", 0, "max_batch_tokens is 0"),
        ("max_batch_tokens", "many", "max_batch_tokens"),
        ("colour", "red", "colour"),
        ("model.encoder.depht", 1, "depht"),
    ],
)
def test_wrong_settings_are_refused_at_once(make_nlp, key, value, message):
    """Else a typing error in a config would show after hours of training, or never."""
    with pytest.raises(ValueError, match=message):
        make_nlp(**{f"components.bertcrf.{key}": value})


def test_a_shared_transformer_is_not_frozen_from_below(make_nlp):
    """Else the component would learn from vectors that are all zero."""
    with pytest.raises(ValueError, match=r"training\.frozen_components"):
        make_nlp("shared_transformer", **{"components.bertcrf.model.freeze_tok2vec": True})


@pytest.mark.parametrize("labels", [None, ["address", "name", "organization", "school"]])
def test_misaligned_entities_are_counted_in_one_warning(nlp, make_examples, labels):
    """Else entities would silently be left out of the training."""
    misaligned = [
        Example(
            Doc(nlp.vocab, words=["王小", "明在", "北京", "大学"], spaces=[False] * 4),
            nlp.make_doc("王小明在北京大学"),
        )
        for _ in range(3)
    ]
    for eg in misaligned:
        doc = eg.reference
        doc.ents = [doc.char_span(0, 3, "name"), doc.char_span(4, 8, "school")]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nlp.get_pipe("bertcrf").initialize(
            lambda: [*misaligned, *make_examples(nlp)], labels=labels
        )
    about_gold = [str(warning.message) for warning in caught if "gold" in str(warning.message)]
    assert len(about_gold) == 1
    assert about_gold[0].startswith("3 of 18 gold entities do not align")
    assert "school" in nlp.get_pipe("bertcrf").labels


def test_aligned_entities_raise_no_warning(nlp, make_examples):
    """Else users would learn to overlook the warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        nlp.get_pipe("bertcrf").initialize(lambda: make_examples(nlp))


@pytest.mark.parametrize("labels", [{"0": {}, "1": {"name": 2}}, "name"])
def test_labels_of_another_component_are_refused(labels, make_nlp, make_examples):
    """Else who keeps the file of `ner` has labels "0" to "5"."""
    nlp = make_nlp(**SMALL)
    with pytest.raises(ValueError, match=r"not a list of texts.*spaCy's ner"):
        nlp.get_pipe("bertcrf").initialize(lambda: make_examples(nlp), labels=labels)
