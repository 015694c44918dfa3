"""New labels for a trained component."""

from functools import partial

import numpy as np
import pytest
import spacy
from spacy.training import Example
from thinc.api import Adam

TEXTS = ["王小明在北京大学工作。", "李雷和韩梅梅去了上海。", "北京的张伟喜欢Windows10。"]
NEW = (
    "北京的张伟喜欢Windows10。",
    {"entities": [(0, 2, "address"), (3, 5, "name"), (7, 16, "product")]},
)


@pytest.fixture(params=["BIO", "BIOES"])
def nlp(request, scheme_nlp, make_nlp):
    config = {"scheme": request.param, "model.tok2vec.width": 32}
    nlp = make_nlp(**{f"components.bertcrf.{key}": value for key, value in config.items()})
    return nlp.from_bytes(scheme_nlp(request.param).to_bytes())


def scores(component, docs):
    crf = component.model.get_ref("crf").shims[0].module
    parameters = (crf.start_transitions, crf.transitions, crf.end_transitions)
    emissions = component.model.predict(docs).dataXd
    return [emissions, *(p.detach().numpy().copy() for p in parameters)]


def test_old_scores_and_predictions_stay(nlp, entities_of):
    """Else adding a label would cost what was learned."""
    component = nlp.get_pipe("bertcrf")
    docs = [nlp.make_doc(text) for text in TEXTS]
    expected = entities_of(nlp.pipe(TEXTS))
    tags, before = component.tag_set.tags, scores(component, docs)
    assert component.add_label("product") == 1
    assert component.add_label("product") == 0
    assert component.add_label("event") == 1
    n_old = len(tags)
    assert component.tag_set.tags[:n_old] == tags
    emissions, start, transitions, end = scores(component, docs)
    assert component.model.get_dim("nO") == emissions.shape[1] == len(component.tag_set)
    assert transitions.shape == (len(component.tag_set),) * 2
    assert emissions[:, :n_old] == pytest.approx(before[0], abs=1e-5)  # another matrix product
    assert np.array_equal(start[:n_old], before[1])
    assert np.array_equal(transitions[:n_old, :n_old], before[2])
    assert np.array_equal(end[:n_old], before[3])
    assert entities_of(nlp.pipe(TEXTS)) == expected
    assert nlp.pipe_labels["bertcrf"] == ["address", "name", "organization", "product", "event"]
    assert "product" in nlp.vocab.strings


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_an_untrained_label_never_wins(make_nlp, make_examples, scheme):
    """Else a label would be predicted that nobody has shown an example of."""
    for seed in range(5):
        config = {"scheme": scheme, "model.tok2vec.width": 16}
        nlp = make_nlp(**{f"components.bertcrf.{key}": value for key, value in config.items()})
        spacy.util.fix_random_seed(seed)
        nlp.initialize(partial(make_examples, nlp))
        component = nlp.get_pipe("bertcrf")
        crf = component.model.get_ref("crf").shims[0].module
        for parameter in crf.parameters():
            parameter.data *= 30
        expected = [
            found.tag_ids.tolist()
            for found in component.predict(nlp.pipe(TEXTS, disable=["bertcrf"]))
        ]
        component.add_label("event")
        found = [
            found.tag_ids.tolist()
            for found in component.predict(nlp.pipe(TEXTS, disable=["bertcrf"]))
        ]
        assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize("use_averages", [False, True])
def test_the_new_label_is_learned_with_the_same_optimizer(
    trained_copy, make_examples, entities_of, use_averages
):
    """Else training would stop with an error about sizes once a label is added on the way."""
    nlp = trained_copy
    optimizer = nlp.resume_training(sgd=Adam(0.01, use_averages=use_averages))
    nlp.update(make_examples(nlp), sgd=optimizer)
    expected = entities_of(nlp.pipe(TEXTS[:2]))
    nlp.get_pipe("bertcrf").add_label("product")
    for _ in range(15):
        examples = [*make_examples(nlp)[:3], Example.from_dict(nlp.make_doc(NEW[0]), NEW[1])]
        nlp.update(examples, sgd=optimizer)
    assert [ent.label_ for ent in nlp(NEW[0]).ents] == ["address", "name", "product"]
    assert entities_of(nlp.pipe(TEXTS[:2])) == expected
    if use_averages:
        with nlp.use_params(optimizer.averages):
            nlp(NEW[0])


def test_initialize_grows_a_trained_component(nlp, make_examples, entities_of):
    """Else fine-tuning on a corpus with one more label would start from nothing."""
    expected = entities_of(nlp.pipe(TEXTS))
    component = nlp.get_pipe("bertcrf")
    new = Example.from_dict(nlp.make_doc(NEW[0]), NEW[1])
    before = component.model.to_bytes()
    component.initialize(lambda: make_examples(nlp), nlp=nlp)
    assert component.model.to_bytes() == before
    component.initialize(lambda: [new], nlp=nlp)
    assert component.labels == ("address", "name", "organization", "product")
    assert entities_of(nlp.pipe(TEXTS)) == expected
    component.initialize(lambda: [new], labels=["event", *component.labels])
    assert component.labels == ("address", "name", "organization", "product", "event")
    with pytest.raises(ValueError, match=r"and organization, event would be lost"):
        component.initialize(lambda: [new], labels=["address", "name", "product"])


def test_a_sourced_component_grows(trained, trained_copy, entities_of, tmp_path):
    """Else a component from another pipeline could not be extended, or not be saved then."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("bertcrf", source=trained_copy)
    nlp.get_pipe("bertcrf").add_label("product")
    nlp.to_disk(tmp_path / "model")
    loaded = spacy.load(tmp_path / "model")
    assert loaded.pipe_labels["bertcrf"] == ["address", "name", "organization", "product"]
    assert entities_of(loaded.pipe(TEXTS)) == entities_of(nlp.pipe(TEXTS))
    assert entities_of(loaded.pipe(TEXTS)) == entities_of(trained.pipe(TEXTS))
