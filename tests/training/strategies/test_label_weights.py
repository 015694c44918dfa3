"""Weights of labels in the CRF's loss."""

import math

import numpy as np
import pytest
import torch
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import Model

from spacy_bertcrf.models.strategy import ScoredBatch
from spacy_bertcrf.models.tagger.crf import CRF, build_crf
from spacy_bertcrf.models.types import TagTargets
from spacy_bertcrf.tagging import TagSet
from spacy_bertcrf.training.strategies.label_weights import LabelWeights

LENGTHS = [5, 2]


@pytest.fixture(params=["BIO", "BIOES"])
def batch(request):
    """Random scores of two texts, all tags known."""
    tag_set = TagSet(["name", "address"], request.param)
    model = Model("tagger", lambda *_: None, layers=[crf := CRF()], refs={"crf": crf})
    build_crf(crf, tag_set)
    torch.manual_seed(0)
    spans = [(0, 2, "name"), (2, 3, "address"), (5, 6, "name")]
    emissions = torch.randn(sum(LENGTHS), len(tag_set), requires_grad=True)
    targets = TagTargets(tag_set.encode(spans, sum(LENGTHS)))
    return ScoredBatch(model, [], emissions, np.asarray(LENGTHS), targets)


def crf_loss(batch):
    emissions = torch.nn.utils.rnn.pad_sequence(batch.emissions.split(LENGTHS), True)
    tags = torch.from_numpy(batch.targets.tags)
    tags = torch.nn.utils.rnn.pad_sequence(tags.split(LENGTHS), True)
    mask = torch.arange(5) < torch.tensor(LENGTHS)[:, None]
    return -batch.crf(emissions, tags, mask, reduction="sum")


@pytest.mark.parametrize("weight", [1.0, 3.0, 0.0, 0.25])
def test_with_one_weight_for_all_it_is_the_crfs_loss_so_often(batch, weight):
    strategy = LabelWeights({"name": weight, "address": weight, "O": weight})
    expected = weight * crf_loss(batch)
    found = crf_loss(batch) + strategy.loss(batch)
    torch.testing.assert_close(found, expected, check_dtype=False, rtol=1e-5, atol=1e-5)
    inputs = [batch.emissions, *batch.crf.parameters()]
    for gradient, exact in zip(
        torch.autograd.grad(found, inputs), torch.autograd.grad(expected, inputs), strict=True
    ):
        torch.testing.assert_close(gradient, exact, rtol=1e-4, atol=1e-5)


def test_what_is_not_known_counts_as_before(batch):
    """Else partly annotated text would be weighted by what it may be."""
    known = np.eye(len(batch.tag_set), dtype=bool)[batch.targets.tags]
    targets = TagTargets(batch.targets.tags, np.ones_like(known))
    nothing = ScoredBatch(batch.model, [], batch.emissions, batch.lengths, targets)
    assert float(LabelWeights({"name": 9.0}).loss(nothing)) == 0
    again = TagTargets(batch.targets.tags, known)
    same = ScoredBatch(batch.model, [], batch.emissions, batch.lengths, again)
    strategy = LabelWeights({"name": 2.0, "O": 0.5})
    assert float(strategy.loss(same)) == float(strategy.loss(batch)) != 0


@pytest.mark.slow
@pytest.mark.parametrize(("weights", "is_found"), [(None, False), ({"name": 4.0}, True)])
def test_a_label_that_is_often_missed_by_annotators_can_be_made_to_count(
    make_nlp, weights, is_found
):
    """Of three equal texts one is annotated: at odds of 1 to 2, only the weight decides."""
    strategies = {}
    if weights:
        strategies["labels"] = {"@misc": "spacy-bertcrf.LabelWeights.v1", "weights": weights}
    nlp = make_nlp(**{"components.bertcrf.strategies": strategies})
    text, entity = "昨天张伟来过", (2, 4, "name")
    annotated = [[entity], [], []]
    examples = [Example.from_dict(nlp.make_doc(text), {"entities": ents}) for ents in annotated]
    fix_random_seed(0)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    for _ in range(40):
        nlp.update(examples, sgd=optimizer)
    assert [ent.text for ent in nlp(text).ents] == (["张伟"] if is_found else [])


def test_what_cannot_be_is_an_error(batch):
    for weights in ({}, {"name": -1.0}, {"name": math.inf}, {"name": math.nan}):
        with pytest.raises(ValueError, match="that is not negative and not infinite"):
            LabelWeights(weights)
    with pytest.raises(ValueError, match="name PER, and the labels are name, address"):
        LabelWeights({"PER": 2.0}).loss(batch)
