"""Saving and loading: all of it comes back, none of it is pickle, and a misfit is an error."""

import pickle
from collections.abc import Callable

import pytest
import safetensors.torch
import srsly
import torch
from spacy.language import Language
from spacy.util import load_model_from_config

TEXTS = ["王小明在北京大学工作。", "李雷和韩梅梅去了上海。", ""]


@pytest.mark.slow
def test_bytes_bring_everything_back(trained_nlp, entities_of):
    """Else a pipeline could not be sent elsewhere, or would predict something else there."""
    copy = load_model_from_config(trained_nlp.config, auto_fill=True)
    copy.from_bytes(trained_nlp.to_bytes())
    assert entities_of(copy.pipe(TEXTS)) == entities_of(trained_nlp.pipe(TEXTS))
    component, original = copy.get_pipe("bertcrf"), trained_nlp.get_pipe("bertcrf")
    assert component.labels == original.labels
    assert component.is_initialized
    for name in ("sequence_tagger", "crf"):
        node, original_node = component.model.get_ref(name), original.model.get_ref(name)
        assert node.to_bytes() == original_node.to_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("exclude", [["vocab"], ["vocab", "cfg"], ["model"], []])
def test_excluded_parts_are_left_out(trained, make_nlp, tmp_path, exclude):
    """Else saving would not be as it is with spaCy's own components."""
    component = trained.get_pipe("bertcrf")
    component.to_disk(tmp_path / "bertcrf", exclude=exclude)
    written = {path.name for path in (tmp_path / "bertcrf").iterdir()}
    assert written == {"vocab", "cfg", "model"} - set(exclude)
    loaded = make_nlp().get_pipe("bertcrf").from_disk(tmp_path / "bertcrf", exclude=exclude)
    assert loaded.labels == (() if "cfg" in exclude else component.labels)
    assert loaded.is_initialized == ("model" not in exclude)
    assert component.to_bytes(exclude=exclude) == loaded.to_bytes(exclude=exclude)


def test_loading_executes_no_pickle(trained, make_nlp, entities_of, monkeypatch):
    """Else a downloaded pipeline could run any code on the user's machine."""
    data = trained.get_pipe("bertcrf").to_bytes()
    nlp = make_nlp()

    def refuse(*args, **kwargs):
        raise AssertionError("pickle was loaded")

    with monkeypatch.context() as patches:
        patches.setattr(pickle, "loads", refuse)
        patches.setattr(pickle, "load", refuse)
        patches.setattr(pickle, "Unpickler", refuse)
        patches.setattr(torch, "load", refuse)
        nlp.get_pipe("bertcrf").from_bytes(data)
    assert entities_of(nlp.pipe(TEXTS)) == entities_of(trained.pipe(TEXTS))


def test_weights_are_safetensors(trained_nlp):
    """Else other tools could not read the weights, and we would be back at pickle."""
    model = trained_nlp.get_pipe("bertcrf").model
    for name in ("sequence_tagger", "crf"):
        shim = model.get_ref(name).shims[0]
        saved = safetensors.torch.load(srsly.msgpack_loads(shim.to_bytes())["state"])
        assert saved.keys() == shim.module.state_dict().keys()
        for key, value in shim.module.state_dict().items():
            assert torch.equal(saved[key], value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("encoder.hidden_width", 64, r"lstm\.weight_ih_l0' is .*\(512, 128\), in the model"),
        ("encoder.depth", 2, r"lstm\.weight_ih_l1' is missing"),
        ("tok2vec.width", 64, r"nO"),
        ("tok2vec.depth", 2, r"structure"),
    ],
)
def test_weights_of_another_config_are_refused(trained, make_nlp, key, value, message):
    """Else a pipeline with an edited config would load and predict nonsense."""
    nlp = make_nlp(**{f"components.bertcrf.model.{key}": value})
    with pytest.raises(ValueError, match=message):
        nlp.from_bytes(trained.to_bytes())


def test_a_pipeline_that_is_not_initialized_can_be_saved(make_nlp, make_examples, tmp_path):
    """Else `nlp.to_disk` would fail before training, which it does for none of spaCy's own."""
    nlp = make_nlp()
    nlp.to_disk(tmp_path / "nlp")
    nlp = make_nlp().from_disk(tmp_path / "nlp")
    assert not nlp.get_pipe("bertcrf").is_initialized
    nlp.initialize(lambda: make_examples(nlp))
    assert nlp.get_pipe("bertcrf").is_initialized


def test_loading_keeps_the_scheme_of_the_training(scheme_nlp, make_nlp, entities_of):
    """Else the tags of one scheme would be read as those of another."""
    overrides = {"components.bertcrf.model.tok2vec.width": 32}
    nlp: Language = make_nlp(**overrides).from_bytes(scheme_nlp("BIO").to_bytes())
    assert nlp.get_pipe("bertcrf").tag_set.scheme == "BIO"
    assert entities_of(nlp.pipe(TEXTS)) == entities_of(scheme_nlp("BIO").pipe(TEXTS))


def test_selected_pipes_leave_the_entities_alone(trained, entities_of):
    """Else the component could not be switched off for a while."""
    expected = entities_of(trained.pipe(TEXTS))
    with trained.select_pipes(disable="bertcrf"):
        assert entities_of(trained.pipe(TEXTS)) == [[], [], []]
    with trained.select_pipes(enable="bertcrf"):
        assert entities_of(trained.pipe(TEXTS)) == expected
    assert entities_of(trained.pipe(TEXTS)) == expected


def test_a_sourced_component_predicts_the_same(trained_copy, make_nlp, entities_of):
    """Else a trained component could not be taken over into another pipeline."""
    expected = entities_of(trained_copy.pipe(TEXTS))
    nlp = make_nlp()
    nlp.remove_pipe("bertcrf")
    nlp.add_pipe("bertcrf", name="names", source=trained_copy)
    assert entities_of(nlp.pipe(TEXTS)) == expected
    assert nlp.get_pipe("names").name == "names"


@pytest.mark.slow
def test_a_sourced_component_learns_on(trained_copy, make_nlp, make_examples):
    """Else a component that was taken over could not be trained on new data."""
    nlp = make_nlp()
    nlp.remove_pipe("bertcrf")
    nlp.add_pipe("bertcrf", source=trained_copy)
    _learn_on(nlp, make_examples)


@pytest.mark.slow
def test_a_loaded_pipeline_learns_on(trained_nlp, make_examples):
    """Else `nlp.resume_training` would not work as it does with spaCy's `ner`."""
    nlp = load_model_from_config(trained_nlp.config, auto_fill=True)
    _learn_on(nlp.from_bytes(trained_nlp.to_bytes()), make_examples)


def _learn_on(nlp: Language, make_examples: Callable) -> None:
    text = "周杰伦去了台北。"
    new = type(make_examples(nlp)[0]).from_dict(
        nlp.make_doc(text), {"entities": [(0, 3, "name"), (5, 7, "address")]}
    )
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.005
    for _ in range(20):
        losses = nlp.update([new, *make_examples(nlp)], sgd=optimizer)
    assert losses["bertcrf"] < 1
    assert [(ent.text, ent.label_) for ent in nlp(text).ents] == [
        ("周杰伦", "name"),
        ("台北", "address"),
    ]
    assert [ent.text for ent in nlp(TEXTS[0]).ents] == ["王小明", "北京大学"]
