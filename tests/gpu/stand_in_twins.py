"""A few steps on both devices, and what they predict then."""

import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple

# First of all, before thinc looks for a GPU.
from stand_in_gpu import Array, DeviceTensor  # isort: skip

import numpy as np
import spacy
from spacy.language import Language
from spacy.util import fix_random_seed
from stand_in_differences import difference, different
from stand_in_faults import FAULTS
from stand_in_journal import journal
from stand_in_pipelines import (
    CPU,
    GPU,
    annotations,
    drop_nothing,
    make_examples,
    off_the_device,
    pipeline,
    texts,
    weights,
)
from thinc.api import CupyOps, Optimizer, use_ops

N_STEPS = 5


class Trained(NamedTuple):
    """A pipeline after its steps.

    losses: of each step. before, after: the weights. step, prediction: what the device did in the
    last step, and in predicting all texts.
    """

    nlp: Language
    sgd: Optimizer
    losses: list[dict[str, float]]
    before: dict[str, np.ndarray]
    after: dict[str, np.ndarray]
    step: dict[str, Any]
    prediction: dict[str, Any]
    predicted: Any


def twin(case: dict[str, Any]) -> dict[str, Any]:
    """A few steps on both, and what they predict then."""
    cpu, gpu = trained(case, CPU), trained(case, GPU)
    found = {
        "difference": difference(cpu.after, gpu.after),
        "learned": difference(cpu.before, cpu.after),
        "different losses": different(cpu.losses, gpu.losses),
        "elsewhere": elsewhere(gpu),
        "step": gpu.step,
        "prediction": gpu.prediction,
        "different predictions": different(cpu.predicted, gpu.predicted),
    }
    if case.get("features"):
        found["different features"] = different(
            in_place(cpu, CPU, features), in_place(gpu, GPU, features)
        )
    return found


def fault(case: dict[str, Any]) -> dict[str, Any]:
    """By what a fault that is put into the code shows itself, in a training that is sound."""
    sound = twin(case)
    found = {}
    for name in case["faults"]:
        with FAULTS[name]():
            try:
                faulty = twin(case)
            except Exception as error:
                found[name] = f"error: {error!r}"
                continue
        found[name] = "nothing"
        if faulty["difference"] > 1e-5 or faulty["different losses"]:
            found[name] = "numbers"
        elif faulty["elsewhere"]:
            found[name] = "device"
        elif any(faulty[part]["waits"] != sound[part]["waits"] for part in ("step", "prediction")):
            found[name] = "waits"
    return found


def trained(case: dict[str, Any], ops: str) -> Trained:
    with use_ops(ops):
        fix_random_seed(0)
        nlp = pipeline(case)
        examples = make_examples(nlp, case)
        sgd = nlp.initialize(lambda: examples)
        drop_nothing(nlp)
        before = weights(nlp)
        # What is drawn is the same on both, from now on too.
        fix_random_seed(0)
        losses = []
        for _ in range(N_STEPS):
            journal.clear()
            losses.append(nlp.update(examples, sgd=sgd, drop=0.0, losses={}))
            step = journal.noted()
        after = weights(nlp)
        docs = [nlp.make_doc(text) for text, _ in texts(nlp)]
        journal.clear()
        docs = list(nlp.pipe(docs))
        return Trained(nlp, sgd, losses, before, after, step, journal.noted(), annotations(docs))


def in_place(trained: Trained, ops: str, function: Callable[[Trained], Any]) -> Any:
    with use_ops(ops):
        return function(trained)


def features(trained: Trained) -> dict[str, Any]:
    """What else a trained pipeline can do."""
    nlp = trained.nlp
    component: Any = nlp.get_pipe("bertcrf")
    docs = [nlp.make_doc(text) for text, _ in texts(nlp)]
    examples = make_examples(nlp, {})
    found: dict[str, Any] = {"k best": component.k_best(docs, 3)}
    found["spans"] = component.span_probabilities(docs[0], [(0, 3, "name"), (4, 8, "address")])
    component.spans_key, component.threshold = "sc", 0.3
    found["with probabilities"] = annotations(list(nlp.pipe(docs)))
    component.spans_key, component.threshold = None, None
    found["scores"] = {k: v for k, v in nlp.evaluate(examples).items() if k != "speed"}
    try:
        found["temperature"] = component.fit_temperature(examples)
    except ValueError as error:  # of some BERTs, five steps are not enough for any entity
        found["temperature"] = str(error)
    with tempfile.TemporaryDirectory() as folder:
        nlp.to_disk(folder)
        loaded = spacy.load(folder)
        if isinstance(loaded.get_pipe("bertcrf").model.ops, CupyOps):
            assert not off_the_device(loaded)
        found["from disk"] = annotations(list(loaded.pipe(text for text, _ in texts(nlp))))
        # What one device has written, others read.
        with use_ops(CPU):
            loaded = spacy.load(folder)
            found["on a CPU"] = annotations(list(loaded.pipe(text for text, _ in texts(nlp))))
    nlp.from_bytes(nlp.to_bytes())
    found["weights from bytes"] = difference(trained.after, weights(nlp))
    component.add_label("product")
    # Modules that were built anew have their dropout again.
    drop_nothing(nlp)
    losses = [nlp.update(examples, sgd=trained.sgd, losses={}) for _ in range(2)]
    found["grown"] = losses, annotations(list(nlp.pipe(docs)))
    return found


def elsewhere(trained: Trained) -> list[str]:
    """All that a training keeps from step to step, and that is not on the device."""
    tables = ("mom1", "mom2", "averages")
    kept = {
        f"{table} {key}": value
        for table in tables
        for key, value in (getattr(trained.sgd, table) or {}).items()
    }
    # UncertaintyWeights' own is a number of the CPU's.
    return off_the_device(trained.nlp) + [
        name
        for name, value in kept.items()
        if not isinstance(value, Array | DeviceTensor) and value.size > 1
    ]
