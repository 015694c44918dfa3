"""NER and classification on one shared encoder, configs/bert_ner_classifier.cfg."""

import warnings
from collections.abc import Callable

import pytest
import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_bertcrf.models.bert.bert_shim import bert_shim

CLASSES = ["people", "people", "weather", "places", "places", "people"]


@pytest.fixture
def shared(make_nlp: Callable[..., Language]) -> Callable[..., Language]:
    """The shipped config, for a BERT of the tests' width; overrides as in `train`."""

    def build(**overrides: object) -> Language:
        return make_nlp(
            "bert_ner_classifier",
            **{
                "variables.width": 32,
                "training.max_epochs": 0,
                "training.max_steps": 9,
                **overrides,
            },
        )

    return build


@pytest.fixture
def mixed(make_examples: Callable[[Language], list[Example]]) -> Callable[..., list[Example]]:
    """Every text twice: annotated for NER alone, and for classification alone."""

    def make(nlp: Language) -> list[Example]:
        classified = []
        for example, label in zip(make_examples(nlp), CLASSES, strict=True):
            doc = Doc(nlp.vocab, words=[t.text for t in example.predicted],
                      spaces=[False] * len(example.predicted))  # fmt: skip
            doc.cats = {other: float(other == label) for other in sorted(set(CLASSES))}
            classified.append(Example(nlp.make_doc(doc.text), doc))
        return [*make_examples(nlp), *classified]

    return make


def gradients(nlp: Language) -> dict[str, torch.Tensor]:
    """Of the encoder, by parameter, and dropped there."""
    module = bert_shim(nlp.get_pipe("tok2vec").model).module
    found = {n: p.grad.clone() for n, p in module.named_parameters() if p.grad is not None}
    module.zero_grad()
    return found


@pytest.mark.slow
def test_both_tasks_are_learned_from_texts_annotated_for_one(shared, mixed, tmp_path):
    """And what is saved predicts both."""
    nlp = shared()
    optimizer = nlp.initialize(lambda: mixed(nlp))
    optimizer.learn_rate = 0.01
    for _ in range(60):
        nlp.update(mixed(nlp), sgd=optimizer)
    nlp = shared().from_bytes(nlp.to_bytes())
    scores = nlp.evaluate(mixed(nlp))
    assert scores["ents_f"] == 1.0
    assert scores["cats_macro_f"] == 1.0


def test_the_encoder_gets_the_sum_of_both_gradients(shared, mixed):
    """Else one task would be learned by its head alone."""
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    nlp = shared(**{"components.tok2vec.model.transformer_config": no_dropout})
    nlp.initialize(lambda: mixed(nlp))

    def gradients_of(*tasks: str) -> dict[str, torch.Tensor]:
        # Always the same texts, so that all means are over the same number of Docs.
        batch = mixed(nlp)
        for example in batch:
            if "ner" not in tasks:
                example.reference.set_ents([], default="missing")
            if "classes" not in tasks:
                example.reference.cats = {}
        for name in nlp.pipe_names:
            nlp.get_pipe(name).update(batch)
        return gradients(nlp)

    both, ner, classes = (
        gradients_of("ner", "classes"),
        gradients_of("ner"),
        gradients_of("classes"),
    )
    for name, gradient in both.items():
        torch.testing.assert_close(gradient, ner[name] + classes[name], rtol=1e-3, atol=1e-5)
    for alone in (ner, classes):
        assert any(gradient.abs().sum() > 1e-3 for gradient in alone.values())


def test_all_parameters_are_limited_together(shared, mixed):
    """The norm of AdamW's grad_clip is that of the encoder and both heads."""
    nlp = shared(**{"training.optimizer.grad_clip": 1e-9, "training.optimizer.layer_decay": 0.9})
    optimizer = nlp.initialize(lambda: mixed(nlp))
    for name in nlp.pipe_names:
        nlp.get_pipe(name).update(mixed(nlp))
    expected = 0.0
    for name in nlp.pipe_names:
        for node in nlp.get_pipe(name).model.walk():
            for shim in node.shims:
                grads = [p.grad for p in shim.module.parameters() if p.grad is not None]
                expected += sum(float(grad.square().sum()) for grad in grads)
    for name in nlp.pipe_names:
        nlp.get_pipe(name).finish_update(optimizer)
    assert optimizer.gradient_norm == pytest.approx(expected**0.5, rel=1e-4)
    optimizer.step_schedules()  # refuses a layer_decay where it has found no layers


def test_a_frozen_encoder_stays_as_it_is(shared, mixed):
    """With `frozen_components` and `annotating_components`, as README has it."""
    nlp = shared()
    optimizer = nlp.initialize(lambda: mixed(nlp))
    module = bert_shim(nlp.get_pipe("tok2vec").model).module
    before = {name: value.clone() for name, value in module.state_dict().items()}
    losses: dict[str, float] = {}
    for _ in range(3):
        nlp.update(mixed(nlp), sgd=optimizer, exclude=["tok2vec"], annotates=["tok2vec"],
                   losses=losses)  # fmt: skip
    for name, value in module.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert losses["bertcrf"] > 0


def test_listeners_of_another_width_are_refused(shared, mixed):
    """Else the first step fails with the sizes of two matrices."""
    nlp = shared(**{"variables.width": 48})
    with pytest.raises(ValueError, match=r"48 wide, and those of 'tok2vec' are 32 wide. Set width"):
        nlp.initialize(lambda: mixed(nlp))


@pytest.mark.parametrize("config", ["bert_ner_classifier", "shared_transformer"])
@pytest.mark.slow
def test_a_shared_encoder_that_is_switched_off_is_told(config, shared, mixed, trained_as, make_nlp):
    """Else entities would come out of nothing: a listener predicts from vectors of zeros."""
    if config == "shared_transformer":
        nlp = make_nlp(config).from_bytes(trained_as(config).to_bytes())
    else:
        nlp = shared()
        nlp.initialize(lambda: mixed(nlp))
    upstream = nlp.pipe_names[0]
    text = "王小明在北京大学工作。"
    with nlp.select_pipes(disable=[upstream]):
        with pytest.raises(ValueError, match=rf"'bertcrf' listens to .*{upstream}.*not disable"):
            nlp(text)
        assert nlp("").ents == (), "there is nothing to read in an empty text"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert nlp(text).has_annotation("ENT_IOB")
    if "textcat" in nlp.pipe_names:
        with nlp.select_pipes(enable=["textcat"]), pytest.warns(UserWarning, match="has not read"):
            nlp(text)
