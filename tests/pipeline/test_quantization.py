"""torch's dynamic quantisation of a trained pipeline, as the guide shows it."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from spacy.language import Language
from torch import nn
from torch.ao.quantization import quantize_dynamic

from spacy_bertcrf.models.bridge.torch_shim import TorchShim

TEXT = "王小明在北京大学工作。李雷和韩梅梅去了上海。"


@pytest.fixture(params=["bert_bilstm_crf", "bert_tcn_crf", "bert_crf"])
def pipeline(
    request: pytest.FixtureRequest,
    trained_as: Callable[[str], Language],
    make_nlp: Callable[..., Language],
) -> Language:
    """A trained pipeline, to do with as one likes."""
    return make_nlp(request.param).from_bytes(trained_as(request.param).to_bytes())


def shims(nlp: Language) -> list[TorchShim]:
    model = nlp.get_pipe("bertcrf").model
    return [shim for node in model.walk() for shim in node.shims if isinstance(shim, TorchShim)]


def quantize(nlp: Language, *arguments: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch's, that its tensors will be replaced
        for shim in shims(nlp):
            quantize_dynamic(shim.module, *arguments, inplace=True)


def kinds(nlp: Language) -> set[type]:
    return {type(layer) for shim in shims(nlp) for layer in shim.module.modules()}


@pytest.mark.parametrize("layers", [({nn.Linear},), ()], ids=["linear", "all that torch can"])
def test_a_quantized_pipeline_predicts_nearly_the_same(layers, pipeline, entities_of):
    """Else torch's own tool for faster prediction on a CPU would do nothing, without a word, or
    something else."""
    model = pipeline.get_pipe("bertcrf").model
    docs = [pipeline.make_doc(TEXT)]
    entities, scores = entities_of([pipeline(TEXT)]), model.predict(docs).dataXd
    assert len(entities[0]) > 2
    quantize(pipeline, *layers)
    assert nn.Linear not in kinds(pipeline)
    assert torch.ao.nn.quantized.dynamic.Linear in kinds(pipeline)
    assert entities_of([pipeline(TEXT)]) == entities
    found = model.predict(docs).dataXd
    np.testing.assert_allclose(found, scores, atol=0.05 * np.ptp(scores))
    assert (found != scores).any(), "nothing quantised is nothing shown"


def test_what_a_quantized_pipeline_cannot_do_is_told(pipeline, make_examples):
    """Else its users would train what does not learn, or read torch's error about a dtype."""
    quantize(pipeline, {nn.Linear})
    with pytest.raises(ValueError, match="can neither learn nor be saved"):
        pipeline.update(make_examples(pipeline))
    with pytest.raises(ValueError, match="can neither learn nor be saved"):
        pipeline.to_bytes()
