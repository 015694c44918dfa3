"""Strategies inside the component: each does what it says, alone and with the others."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from spacy.util import fix_random_seed
from thinc.api import SGD, Adam

from spacy_bertcrf.models.bert import encoder_input
from spacy_bertcrf.models.strategy import inner_bert
from spacy_bertcrf.training.strategies.child_tuning import ChildTuningD, ChildTuningF
from spacy_bertcrf.training.strategies.consistency import MultiSampleDropout, RDrop, TokenDropout
from spacy_bertcrf.training.strategies.context_loss import ContextLoss, _masked
from spacy_bertcrf.training.strategies.gradual_unfreezing import gradual_unfreezing

NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
ALL = {
    "fgm": {"@misc": "spacy-bertcrf.FGM.v1"},
    "rdrop": {"@misc": "spacy-bertcrf.RDrop.v1"},
    "samples": {"@misc": "spacy-bertcrf.MultiSampleDropout.v1"},
    "token_dropout": {"@misc": "spacy-bertcrf.TokenDropout.v1"},
    "tokens": {"@misc": "spacy-bertcrf.TokenCrossEntropy.v1"},
    "boundaries": {"@misc": "spacy-bertcrf.EntityBoundaries.v1"},
    "context": {"@misc": "spacy-bertcrf.ContextLoss.v1"},
    "child": {"@misc": "spacy-bertcrf.ChildTuningF.v1"},
    "weights": {"@misc": "spacy-bertcrf.UncertaintyWeights.v1"},
}


@pytest.fixture
def build(make_nlp, make_examples):
    """A recogniser with some strategies, initialized, and the examples to train it with."""

    def make(strategies=None, config="bert_bilstm_crf", transformer_config=NO_DROPOUT):
        overrides = {"components.bertcrf.strategies": strategies or {}}
        if config != "cpu_cnn_crf" and config != "shared_transformer":
            key = "components.bertcrf.model.tok2vec.transformer_config"
            overrides[key] = transformer_config
        nlp = make_nlp(config, **overrides)
        fix_random_seed(0)
        nlp.initialize(lambda: make_examples(nlp))
        return nlp, make_examples(nlp)

    return make


def bert_of(nlp):
    return inner_bert(nlp.get_pipe("bertcrf").model).module


def gradients(nlp, strategies, examples, drop=0.0, seed=0):
    """The gradients of one update, by layer and parameter."""
    component = nlp.get_pipe("bertcrf")
    component.learning.strategies = strategies
    fix_random_seed(seed)
    losses = component.update(examples, drop=drop, sgd=False)
    found = {}
    for i, node in enumerate(component.model.walk()):
        for shim in node.shims:
            for name, parameter in shim.module.named_parameters():
                if parameter.grad is not None:
                    found[f"{i}.{name}"] = parameter.grad.clone()
                    parameter.grad = None
    component.learning.complete_gradients()
    return losses, found


def assert_close(found, expected, atol=1e-5):
    assert found.keys() == expected.keys()
    for name in found:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=atol, msg=name)


@pytest.mark.slow
def test_all_together_learn(build):
    """Else they could not be combined."""
    nlp, examples = build(ALL, transformer_config={})
    optimizer = Adam(0.003)
    crf = [nlp.update(examples, sgd=optimizer, drop=0.1)["bertcrf/crf"] for _ in range(15)]
    assert np.isfinite(crf).all()
    assert crf[-1] < crf[0] / 2


@pytest.mark.slow
def test_losses_are_reported_by_part(build):
    """Else nobody would see which loss goes wrong."""
    parts = {name: ALL[name] for name in ("tokens", "boundaries", "fgm")}
    nlp, examples = build(parts)
    losses = nlp.update(examples, sgd=SGD(0.1))
    assert losses.keys() == {f"bertcrf{part}" for part in ("", "/crf", "/tokens", "/boundaries")}
    assert losses["bertcrf"] == pytest.approx(sum(losses.values()) / 2)
    again = nlp.update(examples, sgd=SGD(0.1), losses=dict(losses))
    assert again["bertcrf/tokens"] > losses["bertcrf/tokens"]


@pytest.mark.slow
def test_a_trained_pipeline_predicts_without_them(build, make_nlp):
    """Else what was meant for the training would disturb those who use the result."""
    nlp, examples = build(ALL)
    optimizer = Adam(0.003)
    for _ in range(3):
        nlp.update(examples, sgd=optimizer, drop=0.1)
    plain = make_nlp("bert_bilstm_crf").from_bytes(nlp.to_bytes())
    docs = [example.reference.copy() for example in examples]
    found, expected = (p.get_pipe("bertcrf").model.predict(docs).dataXd for p in (plain, nlp))
    np.testing.assert_array_equal(found, expected)
    plain.update(examples, sgd=SGD(0.1), losses=(losses := {}))
    assert losses.keys() == {"bertcrf"}
    pickle.loads(pickle.dumps(nlp.get_pipe("bertcrf")))


@pytest.mark.slow
def test_two_readings_without_dropout_are_one(build):
    """Else R-Drop would learn something else than the texts."""
    nlp, examples = build()
    _, expected = gradients(nlp, {}, examples)
    losses, found = gradients(nlp, {"rdrop": RDrop(5.0)}, examples)
    assert losses["bertcrf/rdrop"] == pytest.approx(0, abs=1e-6)
    assert_close(found, expected)
    losses, _ = gradients(nlp, {"rdrop": RDrop(5.0)}, examples, drop=0.3)
    assert losses["bertcrf/rdrop"] > 1e-4


class UnlikeReadings(RDrop):
    """R-Drop whose two readings differ by a fixed factor instead of at random."""

    def loss(self, batch):
        n_samples = len(batch.lengths) // len(batch.docs)
        scores = batch.emissions.view(n_samples, 2, -1, batch.emissions.shape[1])
        unlike = scores * torch.tensor([1.0, 1.5])[:, None, None]
        return super().loss(replace(batch, emissions=unlike.reshape(batch.emissions.shape)))


class Twice(RDrop):
    """R-Drop that looks at the mean of the two likelihoods alone."""

    has_loss = False

    def loss(self, batch):
        return None


@pytest.mark.slow
@pytest.mark.parametrize("others", [{}, {"samples": MultiSampleDropout(4)}], ids=["", "samples"])
def test_rdrops_loss_is_a_mean_over_docs(build, others):
    """Else alpha would mean another thing in a larger batch, and with more samples."""
    nlp, examples = build()
    once = gradients(nlp, {"rdrop": UnlikeReadings()}, examples)[0]["bertcrf/rdrop"]
    strategies = {"rdrop": UnlikeReadings(), **others}
    twice = gradients(nlp, strategies, examples * 2)[0]["bertcrf/rdrop"]
    assert once > 1e-3
    assert twice == pytest.approx(once, rel=1e-4)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("strategy", [MultiSampleDropout(4), Twice()], ids=["samples", "twice"])
def test_samples_of_no_dropout_are_one(build, reduction, strategy):
    """Else several samples, or readings, would be a larger learning rate."""
    nlp, examples = build()
    nlp.get_pipe("bertcrf").learning.loss_reduction = reduction
    loss, expected = gradients(nlp, {}, examples)
    sampled, found = gradients(nlp, {"several": strategy}, examples)
    assert sampled["bertcrf"] == pytest.approx(loss["bertcrf"], rel=1e-5)
    assert_close(found, expected)


@pytest.mark.slow
def test_the_context_loss_weighs_as_much_beside_samples(build):
    """It reads each text once, and the others as often as there are samples."""
    nlp, examples = build()
    component = nlp.get_pipe("bertcrf")
    found = []
    for others in ({}, {"samples": MultiSampleDropout(4)}):
        component.learning.strategies = {"context": ContextLoss(1.0, share=0.999), **others}
        found.append(component.update(examples * 4, sgd=False)["bertcrf/context"])
    assert found[1] == pytest.approx(found[0], rel=0.1)


def test_every_sample_has_a_dropout_of_its_own(build):
    """Else the samples would cost time for nothing."""
    nlp, examples = build()
    component = nlp.get_pipe("bertcrf")
    seen = []

    def learn(batch):
        docs = [example.predicted for example in batch]
        seen.append(component.model.begin_update(docs)[0])
        return {}

    component.model.get_ref("sequence_tagger").attrs["dropout_rate"] = 0.5
    MultiSampleDropout(3).around(learn, component.model)(examples)
    (emissions,) = seen
    assert len(emissions.lengths) == 3 * len(examples)
    first, second, third = np.split(emissions.dataXd, 3)
    assert not np.allclose(first, second)
    assert not np.allclose(second, third)
    assert component.model.get_ref("sequence_tagger").attrs["dropout_samples"] == 1


def test_token_dropout_drops_whole_tokens(build):
    """Else it would be the dropout that there is already."""
    nlp, examples = build()
    component = nlp.get_pipe("bertcrf")
    tagger = component.model.get_ref("sequence_tagger")
    seen = []
    forward = tagger._func

    def watch(model, vectors, is_train):
        seen.append(vectors.dataXd)
        return forward(model, vectors, is_train)

    tagger._func = watch
    component.update(examples, sgd=False)
    component.learning.strategies = {"drop": TokenDropout(0.4)}
    component.update(examples * 10, sgd=False)
    component.model.predict([example.predicted for example in examples])
    whole, dropped, predicted = seen
    np.testing.assert_allclose(predicted, whole, atol=1e-5)
    is_kept = dropped.any(axis=1)
    assert 0.5 < is_kept.mean() < 0.7
    expected = np.tile(whole, (10, 1))[is_kept] / 0.6
    np.testing.assert_allclose(dropped[is_kept], expected, rtol=1e-3, atol=1e-4)


def test_child_tuning_f_takes_another_share_in_every_step(build):
    """Else not the share that was asked for would be updated."""
    nlp, examples = build()
    _, expected = gradients(nlp, {}, examples)
    component = nlp.get_pipe("bertcrf")
    kept = []
    for _ in range(2):
        component.update(examples, sgd=False)
        ChildTuningF(0.25).before_step(component.model)
        weight = bert_of(nlp).bert.encoder.layer[0].output.dense.weight
        chosen = weight.grad != 0
        assert chosen.float().mean() == pytest.approx(0.25, abs=0.03)
        whole = next(g for n, g in expected.items() if n.endswith("layer.0.output.dense.weight"))
        torch.testing.assert_close(weight.grad[chosen], whole[chosen] * 4, rtol=1e-3, atol=1e-5)
        crf = component.model.get_ref("crf").shims[0].module.transitions
        assert (crf.grad != 0).float().mean() > 0.25  # not BERT's
        kept.append(chosen)
        for node in component.model.walk():
            for shim in node.shims:
                shim.module.zero_grad(set_to_none=True)
        component.learning.complete_gradients()
    assert not torch.equal(*kept)


@pytest.mark.slow
def test_child_tuning_d_keeps_to_the_most_informative_share(build):
    """Else it would be a random share, or BERT would move before it is known."""
    nlp, examples = build()
    component = nlp.get_pipe("bertcrf")
    strategy = ChildTuningD(0.2, steps=3)
    component.learning.strategies = {"child": strategy}
    weights = {n: p.detach().clone() for n, p in bert_of(nlp).named_parameters()}
    fisher = {n: torch.zeros_like(p) for n, p in weights.items()}
    optimizer = SGD(0.01)
    for _ in range(3):
        component.update(examples, sgd=False)
        for n, p in bert_of(nlp).named_parameters():
            if p.grad is not None:
                fisher[n] += p.grad.square()
        component.finish_update(optimizer)
    for n, p in bert_of(nlp).named_parameters():
        assert torch.equal(p, weights[n]), n
    for _ in range(4):
        component.update(examples, sgd=optimizer)
    moved = torch.cat([(p != weights[n]).flatten() for n, p in bert_of(nlp).named_parameters()])
    values = torch.cat([f.flatten() for f in fisher.values()])
    assert 0.1 < moved.float().mean() <= 0.2 + 1e-4
    assert values[moved].min() >= values.sort(descending=True).values[round(0.2 * len(values))]


def test_child_tuning_d_refuses_layers_that_join_in_later(build):
    """Else they would have no gradient while it is measured, and never learn."""
    nlp, examples = build()
    component = nlp.get_pipe("bertcrf")
    unfreeze = gradual_unfreezing("bertcrf", every=1, unit="epochs")
    unfreeze(nlp, {"step": 0, "epoch": 0})
    component.learning.strategies = {"child": ChildTuningF()}
    component.update(examples, sgd=SGD(0.01))
    component.learning.strategies = {"child": ChildTuningD(steps=3)}
    with pytest.raises(ValueError, match="under gradual unfreezing they never learn"):
        component.update(examples, sgd=SGD(0.01))


@pytest.mark.slow
def test_the_context_loss_teaches_bert_to_fill_gaps(build):
    """Else BERT would forget its language, which the loss is there to prevent."""
    nlp, examples = build()
    component = nlp.get_pipe("bertcrf")
    component.learning.strategies = {"context": ContextLoss(1.0, share=0.3)}
    optimizer = Adam(0.01)
    losses = [component.update(examples * 2, sgd=optimizer)["bertcrf/context"] for _ in range(30)]
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])


@pytest.mark.slow
def test_a_long_text_teaches_the_context_loss_the_same(make_nlp, make_examples, monkeypatch):
    """Else its gaps would be filled from other gaps than those that were guessed."""
    weights = []
    for is_recomputed in (True, False):
        if not is_recomputed:
            monkeypatch.setattr(encoder_input, "_n_beyond", lambda *_: 0)
        overrides = {
            "components.bertcrf.strategies": {"context": {"@misc": "spacy-bertcrf.ContextLoss.v1"}},
            "components.bertcrf.model.tok2vec.max_batch_pieces": 16,
        }
        nlp = make_nlp("bert_bilstm_crf", **overrides)
        fix_random_seed(0)
        nlp.initialize(lambda nlp=nlp: make_examples(nlp))
        bert = inner_bert(nlp.get_pipe("bertcrf").model)
        before = [parameter.clone() for parameter in bert.module.parameters()]
        nlp.update(make_examples(nlp), sgd=SGD(0.01), drop=0.1)
        after = list(bert.module.parameters())
        assert any((new != old).any() for new, old in zip(after, before, strict=True))
        weights.append(after)
    for recomputed, kept in zip(*weights, strict=True):
        torch.testing.assert_close(recomputed, kept, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_masks_are_those_of_the_paper(build):
    """Of 10,000 chosen wordpieces, 80 % masked, 10 % another, 10 % as they were."""
    nlp, _ = build()
    tokenizer = inner_bert(nlp.get_pipe("bertcrf").model).tokenizer.tokenizer
    torch.manual_seed(0)
    ids = torch.full((100, 200), 7)
    chosen = torch.zeros(100, 200, dtype=torch.bool)
    chosen[:, :100] = True
    found = _masked(ids, chosen, tokenizer)
    assert torch.equal(found[:, 100:], ids[:, 100:])
    masked = (found[:, :100] == tokenizer.mask_token_id).float().mean()
    same = (found[:, :100] == 7).float().mean()
    assert masked == pytest.approx(0.8, abs=0.02)
    assert same == pytest.approx(0.1, abs=0.02)


CHILD_D = {"@misc": "spacy-bertcrf.ChildTuningD.v1"}
FGM, PGD = {"@misc": "spacy-bertcrf.FGM.v1"}, {"@misc": "spacy-bertcrf.PGD.v1"}


@pytest.mark.parametrize(
    ("config", "strategies", "message"),
    [
        ("bert_bilstm_crf", {"a": FGM, "b": PGD}, "'a' and 'b' exclude"),
        ("bert_bilstm_crf", {"child": ALL["child"], "d": CHILD_D}, "exclude"),
        ("bert_bilstm_crf", {"weights": ALL["weights"]}, "only the"),
        ("bert_bilstm_crf", {"fgm": {"epsilon": 1.0}}, "not a strategy"),
        ("bert_bilstm_crf", {"crf": FGM}, "another name"),
        ("shared_transformer", {"fgm": FGM}, "part of the component"),
        ("shared_transformer", {"rdrop": ALL["rdrop"]}, "inside the component"),
        ("shared_transformer", {"context": ALL["context"]}, "part of the component"),
        ("cpu_cnn_crf", {"fgm": FGM}, "part of the component"),
        ("cpu_cnn_crf", {"child": ALL["child"]}, "part of the component"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_the_config(make_nlp, config, strategies, message):
    """Else a training of hours would end with an error, or without what was asked for."""
    with pytest.raises(ValueError, match=message):
        make_nlp(config, **{"components.bertcrf.strategies": strategies})


@pytest.mark.parametrize("strategy", [FGM, PGD])
def test_embeddings_that_are_frozen_for_good_are_not_to_be_disturbed(make_nlp, strategy):
    frozen = {"components.bertcrf.model.tok2vec.frozen_embeddings": True}
    with pytest.raises(ValueError, match="frozen_embeddings = false"):
        make_nlp("bert_bilstm_crf", **frozen, **{"components.bertcrf.strategies": {"a": strategy}})


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [FGM, PGD])
def test_embeddings_that_are_not_yet_unfrozen_are_left_alone(build, strategy):
    """Else adversarial training and gradual unfreezing could not be combined."""
    nlp, examples = build({"adversarial": strategy})
    embeddings = bert_of(nlp).bert.get_input_embeddings().weight
    embeddings.requires_grad = False
    nlp.update(examples, sgd=SGD(0.1))
    before = embeddings.detach().clone()
    embeddings.requires_grad = True
    nlp.update(examples, sgd=SGD(0.1))
    assert not torch.equal(embeddings, before)


@pytest.mark.slow
@pytest.mark.parametrize("config", ["cpu_cnn_crf", "shared_transformer"])
def test_without_a_bert_of_its_own_the_others_work(build, config):
    """Else a shared transformer would shut users out of all of them."""
    names = ["samples", "token_dropout", "tokens", "boundaries", "weights"]
    nlp, examples = build({name: ALL[name] for name in names}, config)
    optimizer = Adam(0.003)
    losses = [nlp.update(examples, sgd=optimizer, drop=0.1)["bertcrf/crf"] for _ in range(10)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RDrop(0.0), "alpha"),
        (lambda: MultiSampleDropout(1), "samples"),
        (lambda: TokenDropout(1.0), "rate"),
        (lambda: ChildTuningF(0.0), "share"),
        (lambda: ChildTuningD(0.3, steps=0), "steps"),
        (lambda: ContextLoss(share=1.0), "share"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def scaled_or_not(build, strategies):
    """Two recognisers that are the same, but for the scaling of BERT's gradients in the second."""
    for scales in (False, True):
        nlp, examples = build(strategies)
        component = nlp.get_pipe("bertcrf")
        shim = inner_bert(component.model)
        shim._grad_scaler._enabled = scales
        fix_random_seed(1)
        yield component, shim, examples


@pytest.mark.slow
def test_the_context_loss_is_scaled_with_the_crfs(build):
    """Else BERT would not learn from it in float16: its gradients would be divided by 65,536."""
    found = []
    context = {"@misc": "spacy-bertcrf.ContextLoss.v1", "weight": 1.0}
    for component, shim, examples in scaled_or_not(build, {"context": context}):
        component.update(examples, sgd=False)
        shim.unscale_gradients()
        head = component.learning.strategies["context"].gradients()
        found.append([*(p.grad for p in shim.module.parameters() if p.grad is not None), *head])
    for plain, scaled in zip(*found, strict=True):
        torch.testing.assert_close(scaled, plain, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_the_fisher_information_is_that_of_gradients_that_are_not_scaled(build):
    """Else the steps of a scale of 65,536 would outweigh those of one of 32,768 fourfold, and one
    overflow would leave no sum at all."""
    found = []
    child = {"@misc": "spacy-bertcrf.ChildTuningD.v1", "steps": 5}
    for component, shim, examples in scaled_or_not(build, {"child": child}):
        component.update(examples, sgd=SGD(0.01))
        if shim._grad_scaler._enabled:
            component.update(examples, sgd=False)
            next(shim.module.bert.parameters()).grad[0] = torch.inf
            component.finish_update(SGD(0.01))
        found.append(component.learning.strategies["child"]._fisher)
    for name, plain in found[0].items():
        torch.testing.assert_close(found[1][name], plain, rtol=1e-4, atol=1e-12)
