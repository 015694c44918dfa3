"""Pipelines that are trained on either device, and what there is to see of them."""

from pathlib import Path
from typing import Any

# First of all, before thinc looks for a GPU.
from stand_in_gpu import Array, DeviceTensor, unwrapped  # isort: skip

import numpy as np
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import load_config
from thinc.api import PyTorchShim

ROOT = Path(__file__).parents[2]
CPU, GPU = "numpy", "cupy"
TEXTS = {
    "zh": [
        ("王小明在北京大学工作。", [(0, 3, "name"), (4, 8, "organization")]),
        ("李雷和韩梅梅去了上海。", [(0, 2, "name"), (3, 6, "name"), (8, 10, "address")]),
        ("今天天气很好。", []),
        ("北京的张伟喜欢Windows10。", [(0, 2, "address"), (3, 5, "name")]),
    ],
    "en": [
        ("John works in Berlin.", [(0, 4, "name"), (14, 20, "address")]),
        ("Mary met John .", [(0, 4, "name"), (9, 13, "name")]),
        ("It rains", []),
    ],
}


def pipeline(case: dict[str, Any]) -> Language:
    path = ROOT / "configs" / f"{case['config']}.cfg"
    config = load_config(path, overrides=case.get("overrides", {}), interpolate=True)
    if "strategies" in case:
        config["components"]["bertcrf"]["strategies"] = case["strategies"]
    if "optimizer" in case:
        config["training"]["optimizer"] = case["optimizer"]
    return spacy.util.load_model_from_config(config, auto_fill=True)


def texts(nlp: Language) -> list[tuple[str, list]]:
    return TEXTS[nlp.lang]


def make_examples(nlp: Language, case: dict[str, Any]) -> list[Example]:
    made = []
    for i, (text, entities) in enumerate(texts(nlp)):
        cats = {"long": float(len(text) > 10), "short": float(len(text) <= 10)}
        given = {"entities": entities, "cats": cats}
        example = Example.from_dict(nlp.make_doc(text), given)
        if case.get("missing") and i == 0:
            example.reference.set_ents(example.reference.ents[:1], missing=[example.reference[4:]])
        if case.get("incorrect") and i == 1:
            example.reference.spans["incorrect"] = [Span(example.reference, 3, 7, label="name")]
        if "bert_spans" in case.get("config", ""):
            ents = example.reference.ents
            # Two that overlap are what this recogniser is for.
            more = [Span(example.reference, 0, ents[1].end, "address")] if len(ents) > 1 else []
            example.reference.spans["sc"] = [*ents, *more]
        made.append(example)
    return made


def drop_nothing(nlp: Language) -> None:
    """Dropout draws other numbers on a GPU than on the CPU."""
    for node in nodes(nlp):
        for shim in node.shims:
            for part in shim._model.modules() if isinstance(shim, PyTorchShim) else ():
                if isinstance(part, torch.nn.Dropout):
                    part.p = 0.0
                if hasattr(part, "dropout_prob"):  # of attention, in transformers
                    part.dropout_prob = 0.0


def weights(nlp: Language) -> dict[str, np.ndarray]:
    """Copies of all weights."""
    found = {}
    for i, node in enumerate(nodes(nlp)):
        for name in node.param_names:
            if node.has_param(name):
                found[f"{i}.{node.name}.{name}"] = np.array(unwrapped(node.get_param(name)))
        for shim in node.shims:
            for name, value in shim._model.state_dict().items():
                found[f"{i}.{node.name}.{name}"] = raw(value).numpy().copy()
    return found


def off_the_device(nlp: Language) -> list[str]:
    found = []
    for node in nodes(nlp):
        values: dict[str, Any] = {
            n: node.get_param(n) for n in node.param_names if node.has_param(n)
        }
        for shim in node.shims:
            values.update(shim._model.named_parameters())
            values.update(shim._model.named_buffers())
        found += [
            f"{node.name}.{name}"
            for name, value in values.items()
            if not isinstance(value, Array | DeviceTensor)
        ]
    return found


def annotations(docs: list[Doc]) -> Any:
    return [
        {
            "entities": [(e.start, e.end, e.label_) for e in doc.ents],
            "cats": dict(doc.cats),
            "spans": [[(s.start, s.end, s.label_) for s in g] for g in doc.spans.values()],
            "scores": [list(map(float, g.attrs.get("scores", ()))) for g in doc.spans.values()],
        }
        for doc in docs
    ]


def nodes(nlp: Language) -> list[Any]:
    return [
        node for _, pipe in nlp.pipeline if hasattr(pipe, "model") for node in pipe.model.walk()
    ]


def raw(tensor: torch.Tensor) -> torch.Tensor:
    return (tensor.raw if isinstance(tensor, DeviceTensor) else tensor).detach()
