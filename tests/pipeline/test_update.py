"""Learning: the loss and its gradient, what is left alone, and that it can be repeated."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import SGD, Adam, PyTorchShim
from thinc.types import Ragged

ODD_TEXTS = [
    "", " \n", "王", "\x00", "\ufe0f", "今天\x00天气\ufe0f很好。", "今天天气很好,适合出门。" * 60
]  # fmt: skip
SMALL = {"components.bertcrf.model.tok2vec.width": 16}


@pytest.fixture
def nlp(make_nlp, make_examples):
    """An untrained pipeline without BERT, initialized."""
    return _initialized(make_nlp(**SMALL), make_examples)


@pytest.fixture
def architecture_nlp(architecture, make_nlp, make_examples):
    """An untrained pipeline of each shipped config, initialized."""
    return _initialized(make_nlp(architecture), make_examples)


def _initialized(nlp, make_examples):
    fix_random_seed(0)
    nlp.initialize(lambda: make_examples(nlp))
    return nlp


def random_emissions(component, examples, seed=0):
    lengths = np.array([len(example.predicted) for example in examples])
    rng = np.random.default_rng(seed)
    return Ragged(rng.normal(size=(lengths.sum(), len(component.tag_set))), lengths)


def partly_annotated(nlp):
    """The first token a name, the next open, the rest outside; the last two Docs open."""
    examples = []
    for text, known in [("王小明在北京。", True), ("李雷去了上海。", False), ("张伟", False)]:
        example = Example(nlp.make_doc(text), nlp.make_doc(text))
        doc = example.reference
        if known:
            doc.set_ents([doc.char_span(0, 1, "name")], missing=[doc[1:4]], default="outside")
        examples.append(example)
    return examples


@pytest.mark.slow
def test_odd_texts_can_be_learned_from(architecture_nlp, make_examples):
    """Else one odd line of a corpus would stop a training of hours."""
    nlp = architecture_nlp
    odd = [Example(nlp.make_doc(text), nlp.make_doc(text)) for text in ODD_TEXTS]
    for example in odd:
        example.reference.ents = []
    optimizer = nlp.create_optimizer()
    for batch in ([*odd, *make_examples(nlp)], odd[:1], odd[1:2], odd[3:5], make_examples(nlp)):
        losses = nlp.update(batch, sgd=optimizer)
        assert np.isfinite(losses["bertcrf"])
    assert np.isfinite(nlp.get_pipe("bertcrf").model.predict([nlp.make_doc("王")]).dataXd).all()


def test_a_batch_of_empty_docs_changes_nothing(architecture_nlp, make_examples):
    """Else weights would move, or the training stop, at a batch of empty lines."""
    nlp = architecture_nlp
    optimizer = Adam(0.01, L2=0.1)
    empty = [Example.from_dict(nlp.make_doc(""), {}) for _ in range(3)]
    before = _weights(nlp)
    assert nlp.update(empty, sgd=optimizer)["bertcrf"] == 0
    _assert_same(_weights(nlp), before)
    nlp.update(make_examples(nlp), sgd=False)
    assert nlp.update(empty, sgd=False)["bertcrf"] == 0
    _assert_same(_weights(nlp), before)
    component = nlp.get_pipe("bertcrf")
    assert component.update(empty, sgd=False) == {"bertcrf": 0}
    assert component.update([], sgd=optimizer) == {"bertcrf": 0}


@pytest.mark.slow
def test_training_can_be_repeated(architecture, make_nlp, make_examples):
    """Else no result could be reproduced, and no change measured."""
    weights = []
    for _ in range(2):
        nlp = _initialized(make_nlp(architecture), make_examples)
        optimizer = nlp.create_optimizer()
        for _ in range(3):
            nlp.update(make_examples(nlp), sgd=optimizer, drop=0.3)
        weights.append(_weights(nlp))
    _assert_same(*weights)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["cpu_cnn_crf", "bert_bilstm_crf", "bert_tcn_crf"])
def test_a_frozen_tok2vec_stays_as_it_is(architecture, make_nlp, make_examples):
    """Else "frozen" would mean slowly eaten by weight decay."""
    nlp = make_nlp(architecture, **{"components.bertcrf.model.freeze_tok2vec": True})
    _initialized(nlp, make_examples)
    before = _weights(nlp)
    optimizer = Adam(0.01, L2=0.1, L2_is_weight_decay=True)
    losses = [nlp.update(make_examples(nlp), sgd=optimizer, drop=0.1) for _ in range(8)]
    after = _weights(nlp)
    tok2vec = nlp.get_pipe("bertcrf").model.get_ref("tok2vec")
    frozen = {name for name in before if name.startswith("bertcrf.tok2vec.")}
    assert len(frozen) >= len(list(tok2vec.walk())) / 4
    _assert_same({name: after[name] for name in frozen}, {name: before[name] for name in frozen})
    for name in before.keys() - frozen:
        assert not np.array_equal(after[name], before[name]), name
    assert losses[-1]["bertcrf"] < losses[0]["bertcrf"]


def test_what_was_frozen_can_be_thawed(make_nlp, make_examples, tmp_path):
    """The usual order of work: first the head, and then BERT with it."""
    nlp = make_nlp("cpu_cnn_crf", **{"components.bertcrf.model.freeze_tok2vec": True})
    _initialized(nlp, make_examples).to_disk(tmp_path)
    for is_frozen in (False, True):
        setting = {"components.bertcrf.model.freeze_tok2vec": is_frozen}
        loaded = spacy.load(tmp_path, config=setting)
        before = _weights(loaded)
        loaded.update(make_examples(loaded), sgd=Adam(0.01))
        after = _weights(loaded)
        inner = [name for name in before if name.startswith("bertcrf.tok2vec.")]
        is_same = all(np.array_equal(after[name], before[name]) for name in inner)
        assert is_same == is_frozen


@pytest.mark.slow
def test_a_frozen_shared_transformer_stays_as_it_is(make_nlp, make_examples):
    """Else a transformer could not be shared with components that are trained already."""
    nlp = _initialized(make_nlp("shared_transformer"), make_examples)
    before = _weights(nlp)
    optimizer = Adam(0.01, L2=0.1, L2_is_weight_decay=True)
    for _ in range(30):
        losses = nlp.update(
            make_examples(nlp), sgd=optimizer, exclude=["transformer"], annotates=["transformer"]
        )
    after = _weights(nlp)
    for name in before:
        same = np.array_equal(after[name], before[name])
        assert same == name.startswith("transformer."), name
    assert losses["bertcrf"] < 5
    assert [ent.text for ent in nlp("李雷和韩梅梅去了上海。").ents] == ["李雷", "韩梅梅", "上海"]


@pytest.mark.slow
@pytest.mark.parametrize("partly", [False, True])
@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_the_gradient_is_that_of_the_loss(make_nlp, make_examples, partly, scheme):
    """Else training would go another way than down."""
    nlp = _initialized(make_nlp(**SMALL, **{"components.bertcrf.scheme": scheme}), make_examples)
    component = nlp.get_pipe("bertcrf")
    examples = partly_annotated(nlp) if partly else make_examples(nlp)[:2]
    emissions = random_emissions(component, examples)
    _, gradient = component.get_loss(examples, emissions)
    rng = np.random.default_rng(1)
    for _ in range(5):
        direction = rng.normal(size=emissions.dataXd.shape)
        step = 1e-5
        up, down = (
            component.get_loss(
                examples, Ragged(emissions.dataXd + sign * direction, emissions.lengths)
            )[0]
            for sign in (step, -step)
        )
        slope = float((gradient.dataXd * direction).sum())
        assert (up - down) / (2 * step) == pytest.approx(slope, abs=1e-5)


@pytest.mark.parametrize("partly", [False, True])
def test_batch_mates_change_no_loss(nlp, make_examples, partly):
    """Else the result of a training would depend on what stands in one batch."""
    component = nlp.get_pipe("bertcrf")
    component.learning.loss_reduction = "sum"
    examples = make_examples(nlp) + (partly_annotated(nlp) if partly else [])
    emissions = random_emissions(component, examples)
    loss, gradient = component.get_loss(examples, emissions)
    losses, gradients = [], []
    ends = np.cumsum(emissions.lengths)
    for example, end, length in zip(examples, ends, emissions.lengths, strict=True):
        own = Ragged(emissions.dataXd[end - length : end], np.array([length]))
        own_loss, own_gradient = component.get_loss([example], own)
        losses.append(own_loss)
        gradients.append(own_gradient.dataXd)
    assert loss == pytest.approx(sum(losses), rel=1e-9)
    np.testing.assert_allclose(gradient.dataXd, np.concatenate(gradients), rtol=0, atol=1e-9)


def test_reductions_scale_loss_and_gradient(nlp, make_examples):
    """Else the learning rate of one setting would be wrong in an unknown way for the others."""
    component = nlp.get_pipe("bertcrf")
    empty = Example.from_dict(nlp.make_doc(""), {})
    examples = [*make_examples(nlp), empty]
    emissions = random_emissions(component, examples)
    found = {}
    for reduction in ("sum", "mean", "token_mean"):
        component.learning.loss_reduction = reduction
        loss, gradient = component.get_loss(examples, emissions)
        crf = component.model.get_ref("crf").shims[0].module
        found[reduction] = loss, gradient.dataXd, crf.transitions.grad.numpy().copy()
        crf.zero_grad()
    n_docs, n_tokens = len(examples) - 1, emissions.lengths.sum()
    for reduction, divisor in (("mean", n_docs), ("token_mean", n_tokens)):
        for part, whole in zip(found[reduction], found["sum"], strict=True):
            np.testing.assert_allclose(part, whole / divisor, rtol=1e-5, atol=1e-9)


def test_the_loss_reported_is_that_of_the_config(nlp, make_examples):
    """Else the losses that `spacy train` prints would mean nothing."""
    component = nlp.get_pipe("bertcrf")
    emissions = component.model.predict([eg.predicted for eg in make_examples(nlp)])
    loss, _ = component.get_loss(make_examples(nlp), emissions)
    losses = component.update(make_examples(nlp), losses={"bertcrf": 2.0, "tagger": 1.0})
    assert losses == {"bertcrf": pytest.approx(2.0 + loss, rel=1e-5), "tagger": 1.0}


def test_what_is_not_annotated_teaches_nothing(nlp):
    """Else unannotated text would be learned as text without entities."""
    component = nlp.get_pipe("bertcrf")
    component.learning.loss_reduction = "sum"
    known, *open_examples = partly_annotated(nlp)
    emissions = random_emissions(component, open_examples)
    loss, gradient = component.get_loss(open_examples, emissions)
    assert loss == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(gradient.dataXd, 0, atol=1e-12)
    transitions = component.model.get_ref("crf").shims[0].module.transitions
    np.testing.assert_allclose(transitions.grad, 0, atol=1e-6)
    emissions = random_emissions(component, [known])
    loss, gradient = component.get_loss([known], emissions)
    assert loss > 0.1
    outside = component.tag_set.tags.index("O")
    as_outside = Example(known.predicted.copy(), known.reference.copy())
    as_outside.reference.set_ents(known.reference.ents, default="outside")
    loss_outside, _ = component.get_loss([as_outside], emissions)
    assert loss < loss_outside
    assert (gradient.dataXd[4:, outside] < 0).all(), "known tokens are pushed to outside"


def test_misaligned_entities_are_not_unlearned(nlp):
    """Else a tokenizer that fits the corpus badly would teach the model to miss entities."""
    words = ["王小", "明在", "北京", "。"]
    component = nlp.get_pipe("bertcrf")

    def example(ents):
        reference = nlp.make_doc("".join(words))
        reference.ents = [reference.char_span(*ent) for ent in ents]
        return Example(Doc(nlp.vocab, words=words, spaces=[False] * 4), reference)

    misaligned = example([(0, 3, "name"), (4, 6, "address")])
    emissions = random_emissions(component, [misaligned])
    _, gradient = component.get_loss([misaligned], emissions)
    _, gradient_outside = component.get_loss([example([(4, 6, "address")])], emissions)
    name_tags = [i for i, tag in enumerate(component.tag_set.tags) if tag.endswith("name")]
    outside = component.tag_set.tags.index("O")
    down = gradient_outside.dataXd[:2, name_tags].sum(axis=1)
    assert (down > 0.1).all(), "tokens outside push names down"
    assert (gradient.dataXd[:2, name_tags].sum(axis=1) < down / 5).all()
    assert (gradient.dataXd[:2, outside] > gradient_outside.dataXd[:2, outside] / 5).all()


def test_an_unknown_label_is_named(nlp, make_examples):
    """Else the user could not find the one wrong label in a corpus."""
    text = "王小明在北京大学工作。"
    unknown = Example.from_dict(nlp.make_doc(text), {"entities": [(4, 8, "school")]})
    with pytest.raises(ValueError, match=rf"'北京大学' has the label 'school'.*'{text}'"):
        nlp.update([*make_examples(nlp), unknown], sgd=SGD(0.1))


def test_scores_that_are_no_numbers_are_an_error(nlp, make_examples):
    """Else a training that has diverged would go on for hours."""
    module = nlp.get_pipe("bertcrf").model.get_ref("sequence_tagger").shims[0].module
    with torch.no_grad():
        module.projection.bias[0] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        nlp.update(make_examples(nlp), sgd=SGD(0.1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "reduction"),
    [
        ("cpu_cnn_crf", "mean"),
        ("cpu_cnn_crf", "token_mean"),
        ("bert_bilstm_crf", "mean"),
        ("bert_tcn_crf", "token_mean"),
        ("bert_tcn_crf", "sum"),
        ("shared_transformer", "sum"),
        ("shared_transformer", "mean"),
    ],
)
def test_gradients_accumulate(architecture, reduction, make_nlp, make_examples):
    """Else `training.accumulate_gradient` would not stand for the larger batch."""
    weights = []
    for ends in ([6], [1, 4, 6]):
        nlp = make_nlp(
            architecture,
            **{
                "components.bertcrf.loss_reduction": reduction,
                "components.bertcrf.model.encoder.dropout": 0.0,
            },
        )
        _initialized(nlp, make_examples)
        _without_dropout(nlp)
        before = _weights(nlp)
        examples = make_examples(nlp)
        for begin, end in pairwise([0, *ends]):
            nlp.update(examples[begin:end], sgd=False)
        _assert_same(_weights(nlp), before)
        for _, component in nlp.components:
            component.finish_update(SGD(0.01, grad_clip=0.0))
        weights.append(_weights(nlp))
    whole, in_parts = weights
    for name in whole:
        np.testing.assert_allclose(in_parts[name], whole[name], rtol=0, atol=1e-5, err_msg=name)


def test_predicted_docs_are_not_annotated(nlp, make_examples):
    """Else training would leave its traces in the user's Docs."""
    examples = make_examples(nlp)
    nlp.get_pipe("bertcrf").update(examples, sgd=SGD(0.1))
    assert not any(example.predicted.has_annotation("ENT_IOB") for example in examples)


def _without_dropout(nlp):
    for _, component in nlp.components:
        for node in component.model.walk():
            for shim in node.shims:
                if isinstance(shim, PyTorchShim):
                    for module in shim._model.modules():
                        if isinstance(module, torch.nn.Dropout):
                            module.p = 0.0
                        if hasattr(module, "dropout_prob"):  # of attention, in transformers
                            module.dropout_prob = 0.0


def _weights(nlp):
    """Copies of all weights that training could change, by component and layer."""
    weights = {}
    for name, component in nlp.components:
        model = component.model
        parts = {ref: model.get_ref(ref) for ref in model.ref_names} or {"model": model}
        for part, root in parts.items():
            for i, node in enumerate(root.walk()):
                for param in node.param_names:
                    if node.has_param(param):
                        weights[f"{name}.{part}.{i}.{param}"] = node.get_param(param).copy()
                for shim in node.shims:
                    for param, value in shim._model.named_parameters():
                        if "pooler" not in param:
                            key = f"{name}.{part}.{i}.{param}"
                            weights[key] = value.detach().numpy().copy()
    return copy.deepcopy(weights)


def _assert_same(some, others):
    assert some.keys() == others.keys()
    for name in some:
        assert np.array_equal(some[name], others[name]), name
