"""What a spaCy user expects of any trainable component."""

import numpy as np
import pytest
import spacy
from spacy.pipeline import TrainablePipe
from spacy.training import Example
from thinc.api import Adam

from spacy_bertcrf.pipeline.entity_recognizer import CRFEntityRecognizer

TEXTS = ["王小明在北京大学工作。", "坏", "李雷和韩梅梅去了上海。"]


def test_the_factory_needs_no_import_and_no_config():
    """Else `nlp.add_pipe("bertcrf")` would not work as README says."""
    nlp = spacy.blank("zh")
    component = nlp.add_pipe("bertcrf")
    assert isinstance(component, CRFEntityRecognizer)
    assert isinstance(component, TrainablePipe)
    assert component.is_trainable
    config = nlp.get_pipe_config("bertcrf")
    assert config["model"]["@architectures"] == "spacy-bertcrf.CRFTagger.v1"
    assert config["scheme"] == "BIOES"


def test_the_pipeline_can_be_analyzed(trained):
    """Else spaCy could not warn of components in the wrong order."""
    analysis = trained.analyze_pipes()
    assert set(analysis["summary"]["bertcrf"]["assigns"]) == {
        "doc.ents",
        "doc.spans",
        "token.ent_iob",
        "token.ent_type",
    }
    assert analysis["summary"]["bertcrf"]["scores"] == [
        "ents_f", "ents_p", "ents_r", "ents_per_type"
    ]  # fmt: skip
    assert analysis["problems"]["bertcrf"] == []
    assert trained.pipe_labels["bertcrf"] == ["address", "name", "organization"]
    assert trained.meta["labels"]["bertcrf"] == ["address", "name", "organization"]


def test_two_components_go_side_by_side(trained, trained_copy, entities_of):
    """Else two recognisers could not be combined in one pipeline."""
    expected = entities_of(trained.pipe(TEXTS))
    trained_copy.add_pipe("bertcrf", name="second", source=trained_copy)
    assert entities_of(trained_copy.pipe(TEXTS)) == expected


@pytest.mark.parametrize("batch_size", [1, 3])
def test_errors_go_to_the_error_handler(trained_copy, monkeypatch, batch_size):
    """Else one bad text would stop the processing of millions."""
    component = trained_copy.get_pipe("bertcrf")
    predict = component.predict

    def fail_at_bad(docs):
        if any(doc.text == "坏" for doc in docs):
            raise ValueError("a bad text")
        return predict(docs)

    monkeypatch.setattr(component, "predict", fail_at_bad)
    with pytest.raises(ValueError, match="a bad text"):
        list(trained_copy.pipe(TEXTS, batch_size=batch_size))
    seen = []
    trained_copy.set_error_handler(
        lambda name, proc, docs, error: seen.append((name, [doc.text for doc in docs], str(error)))
    )
    good = [doc.text for doc in trained_copy.pipe(TEXTS, batch_size=batch_size)]
    assert good == [TEXTS[0], TEXTS[2]]
    assert seen == [("bertcrf", ["坏"], "a bad text")]


def test_prediction_before_initialization_is_an_error(make_nlp):
    """Else a forgotten `nlp.initialize` would show as a riddle of tensors."""
    nlp = make_nlp()
    message = r"'bertcrf' could not be run. Did you forget to call `initialize\(\)`"
    with pytest.raises(ValueError, match=message):
        nlp(TEXTS[0])
    with pytest.raises(ValueError, match=message):
        list(nlp.pipe(TEXTS))
    with pytest.raises(ValueError, match=message):
        nlp.update([Example.from_dict(nlp.make_doc(TEXTS[0]), {"entities": []})])


def test_what_is_no_example_is_refused(trained):
    """Else a wrong call would fail somewhere deep in the model."""
    component = trained.get_pipe("bertcrf")
    with pytest.raises(TypeError, match=r"CRFEntityRecognizer\.update"):
        component.update([trained.make_doc(TEXTS[0])])
    with pytest.raises(TypeError, match=r"CRFEntityRecognizer\.get_loss"):
        component.get_loss([TEXTS[0]], None)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["cpu_cnn_crf", "bert_bilstm_crf", "shared_transformer"])
def test_averages_are_used_in_all_layers(architecture, make_nlp, make_examples):
    """Else `use_averages` would evaluate and save a mixture of averaged and last weights."""
    nlp = make_nlp(architecture)
    optimizer = nlp.initialize(lambda: make_examples(nlp), sgd=Adam(0.01, use_averages=True))
    for _ in range(3):
        nlp.update(make_examples(nlp), sgd=optimizer)
    parameters = {
        (shim.id, name): parameter
        for _, component in nlp.components
        for node in component.model.walk()
        for shim in node.shims
        for name, parameter in shim._model.named_parameters()
        if "pooler" not in name
    }
    assert parameters.keys() <= optimizer.averages.keys()
    before = {key: parameter.detach().numpy().copy() for key, parameter in parameters.items()}
    with nlp.use_params(optimizer.averages):
        for key, parameter in parameters.items():
            assert np.array_equal(parameter.detach().numpy(), optimizer.averages[key])
        assert any((parameters[key].detach().numpy() != before[key]).any() for key in before)
    for key, parameter in parameters.items():
        assert np.array_equal(parameter.detach().numpy(), before[key])
    with pytest.raises(KeyError), nlp.use_params(optimizer.averages):
        raise KeyError
    for key, parameter in parameters.items():
        assert np.array_equal(parameter.detach().numpy(), before[key])


@pytest.mark.parametrize("n_updates", [0, 3])
@pytest.mark.slow
def test_listeners_can_be_replaced(make_trained, make_examples, entities_of, n_updates):
    """Else a component with a shared BERT could not be given one of its own."""
    nlp = make_trained("shared_transformer")
    expected = entities_of(nlp.pipe(TEXTS))
    nlp.replace_listeners("transformer", "bertcrf", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    assert entities_of(nlp.pipe(TEXTS)) == expected
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 1e-4
    for _ in range(n_updates):
        nlp.update(make_examples(nlp), sgd=optimizer)
    expected = entities_of(nlp.pipe(TEXTS))
    copy = spacy.util.load_model_from_config(nlp.config, auto_fill=True)
    copy.from_bytes(nlp.to_bytes())
    assert entities_of(copy.pipe(TEXTS)) == expected
    assert sum(map(len, expected)) == 5


@pytest.mark.slow
def test_a_sourced_transformer_is_shared(make_trained, make_nlp, make_examples, entities_of):
    """Else a component and its shared BERT could not be taken over together."""
    source = make_trained("shared_transformer")
    expected = entities_of(source.pipe(TEXTS))
    nlp = make_nlp("shared_transformer")
    for name in ("transformer", "bertcrf"):
        nlp.remove_pipe(name)
    for name in ("transformer", "bertcrf"):
        nlp.add_pipe(name, source=source)
    assert entities_of(nlp.pipe(TEXTS)) == expected
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 1e-4
    losses = nlp.update(make_examples(nlp), sgd=optimizer)
    assert losses["transformer"] > 0
    assert losses["bertcrf"] > 0


@pytest.mark.slow
def test_two_components_share_a_transformer(make_nlp, make_examples):
    """Else one BERT could not serve several components, which is why it is shared."""
    nlp = make_nlp("shared_transformer")
    config = nlp.get_pipe_config("bertcrf")
    config.pop("factory")
    nlp.add_pipe("bertcrf", name="second", config=config)
    optimizer = nlp.initialize(lambda: make_examples(nlp))
    optimizer.learn_rate = 0.003
    for _ in range(25):
        losses = nlp.update(make_examples(nlp), sgd=optimizer)
    assert losses["bertcrf"] < 2
    assert losses["second"] < 2
    for name in ("bertcrf", "second"):
        with nlp.select_pipes(enable=["transformer", name]):
            assert [ent.text for ent in nlp(TEXTS[0]).ents] == ["王小明", "北京大学"]


def test_presets_of_the_training_docs_change_nothing(trained, make_examples):
    """Else an annotating component before ours would change what is learned."""
    component = trained.get_pipe("bertcrf")
    examples = make_examples(trained)
    emissions = component.model.predict([example.predicted for example in examples])
    loss, _ = component.get_loss(examples, emissions)
    annotated = [Example(eg.predicted.copy(), eg.reference) for eg in examples]
    for example in annotated:
        example.predicted.ents = [example.predicted.char_span(0, 1, "name")]
    assert component.get_loss(annotated, emissions)[0] == pytest.approx(loss)
    for node in component.model.walk():
        for shim in node.shims:
            shim.module.zero_grad()
