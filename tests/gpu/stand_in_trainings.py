"""Trainings on a stand-in for a GPU, beside the same on the CPU: a script that the tests start in
a process of its own, for such a device is there for good once it is there.

    python stand_in_trainings.py CASES.json OUTPUT.json
"""

import io
import json
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

# First of all, before thinc looks for a GPU.
from stand_in_gpu import DEVICE, Array, DeviceTensor, unwrapped  # isort: skip

import numpy as np
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.util import fix_random_seed, load_config
from stand_in_faults import FAULTS
from stand_in_journal import Place, journal
from stand_in_nccl import nccl
from thinc.api import CupyOps, Optimizer, PyTorchShim, use_ops

from spacy_bertcrf.layers import LinearChainCRF
from spacy_bertcrf.training.checkpoints.checkpoints import Checkpoints
from spacy_bertcrf.training.distributed import ProcessRanks, join
from spacy_bertcrf.training.distributed.weights import different_weights
from spacy_bertcrf.training.loop import train
from spacy_bertcrf.training.ranks import ALONE, Ranks

ROOT = Path(__file__).parents[2]
CPU, GPU = "numpy", "cupy"
N_STEPS = 5
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
            step = noted()
        after = weights(nlp)
        docs = [nlp.make_doc(text) for text, _ in texts(nlp)]
        journal.clear()
        docs = list(nlp.pipe(docs))
        return Trained(nlp, sgd, losses, before, after, step, noted(), annotations(docs))


def in_place(trained: Trained, ops: str, function: Callable[[Trained], Any]) -> Any:
    with use_ops(ops):
        return function(trained)


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


def crf(case: dict[str, Any]) -> dict[str, Any]:
    """What the CRF asks of the device for a batch of ragged texts."""
    batch, longest, n_tags = case["size"]
    torch.manual_seed(0)
    lengths = torch.randint(longest // 4, longest + 1, (batch,))
    lengths[0] = longest  # so many steps
    mask = torch.arange(longest) < lengths[:, None]
    layer = LinearChainCRF(n_tags, batch_first=True).to(DEVICE)
    emissions = torch.randn(batch, longest, n_tags).to(DEVICE).requires_grad_()
    tags = torch.randint(n_tags, (batch, longest))
    journal.clear()
    layer(emissions, tags, mask, reduction="sum").backward()
    loss = noted()
    journal.clear()
    layer.decode(emissions, mask)
    return {"loss": loss, "best path": noted()}


class Killed(RuntimeError):
    """Ends a training as a crash does."""


def resumed(case: dict[str, Any]) -> dict[str, Any]:
    """A training by our loop that is killed and goes on, beside one that was not."""
    with tempfile.TemporaryDirectory() as folder:
        whole = looped(case, Path(folder, "whole"), GPU)
        with suppress(Killed):
            looped(case, Path(folder, "killed"), GPU, killed_after=5)
        if "fault" in case:
            with FAULTS[case["fault"]]():
                try:
                    looped(case, Path(folder, "killed"), GPU, resume=True)
                except RuntimeError as error:
                    return {"found": str(error)}
            return {"found": "nothing"}
        again = looped(case, Path(folder, "killed"), GPU, resume=True)
        on_cpu = looped(case, Path(folder, "cpu"), CPU)
    return {
        "difference": difference(weights(whole), weights(again)),
        "difference to the CPU": difference(weights(whole), weights(on_cpu)),
        "elsewhere": off_the_device(again),
    }


def in_processes(case: dict[str, Any]) -> dict[str, Any]:
    """A training that this process shares with others, beside one alone."""
    with tempfile.TemporaryDirectory() as folder:
        with nccl(), join(timeout=60, use_gpu=True) as group:
            output = Path(folder, "together")
            together = looped(case, output, GPU, ranks=ProcessRanks(group))
            found = {"different": different_weights(group, together)}
            found["drawn"] = float(sys.modules["cupy"].random.uniform())
            drawn = group.gather(json.dumps(found["drawn"]).encode(), "compare")
            if drawn is None:
                return {}
        alone = looped(case, Path(folder, "alone"), GPU)
    found["drawn"] = list(map(json.loads, drawn))
    return {
        **found,
        "difference": difference(weights(together), weights(alone)),
        "elsewhere": off_the_device(together),
    }


def looped(
    case: dict[str, Any],
    output: Path,
    ops: str,
    killed_after: int = 0,
    resume: bool = False,
    ranks: Ranks = ALONE,
) -> Language:
    corpus = output.with_suffix(".spacy")
    write_corpus(corpus)
    overrides = {**case["overrides"], "paths.train": str(corpus), "paths.dev": str(corpus)}
    config = load_config(ROOT / "configs" / f"{case['config']}.cfg", overrides=overrides)
    config["components"]["bertcrf"]["strategies"] = case.get("strategies", {})
    config["training"]["logger"] = {"@loggers": "stand_in.killing.v1"}
    killer.steps = killed_after
    with use_ops(ops):
        use_gpu = 0 if ops == GPU else -1
        nlp = init_nlp(config, use_gpu=use_gpu)
        drop_nothing(nlp)
        stdout = io.StringIO()
        checkpoints = None
        if ranks is ALONE:
            checkpoints = Checkpoints(output / "checkpoints", frequency=3)
        output.mkdir(exist_ok=True)
        train(
            nlp,
            output,
            ranks=ranks,
            use_gpu=use_gpu,
            checkpoints=checkpoints,
            resume=resume,
            stdout=stdout,
            stderr=stdout,
        )
        return nlp


def write_corpus(path: Path) -> None:
    nlp = spacy.blank("zh")
    docs = []
    for text, entities in TEXTS["zh"]:
        doc = nlp.make_doc(text)
        doc.ents = [doc.char_span(start, end, label=label) for start, end, label in entities]
        docs.append(doc)
    DocBin(docs=docs).to_disk(path)


class Killer:
    """A logger that ends the training after so many steps; 0 for never."""

    steps = 0

    def __call__(self, nlp: Language, stdout: Any, stderr: Any) -> tuple[Callable, Callable]:
        def log_step(info: Any) -> None:
            self.steps -= 1
            if self.steps == 0:
                raise Killed

        return log_step, lambda: None


killer = Killer()
spacy.registry.loggers.register("stand_in.killing.v1", func=lambda: killer)


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


def nodes(nlp: Language) -> list[Any]:
    return [
        node for _, pipe in nlp.pipeline if hasattr(pipe, "model") for node in pipe.model.walk()
    ]


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


def raw(tensor: torch.Tensor) -> torch.Tensor:
    return (tensor.raw if isinstance(tensor, DeviceTensor) else tensor).detach()


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


def difference(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> float:
    assert found.keys() == expected.keys()
    return max(float(np.abs(found[name] - expected[name]).max(initial=0)) for name in expected)


def different(found: Any, expected: Any, name: str = "") -> list[str]:
    """The names of all numbers that are not the same up to rounding, with both."""
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        return [d for key in found for d in different(found[key], expected[key], f"{name}.{key}")]
    sequences = (list, tuple, np.ndarray)
    if isinstance(found, sequences) and len(found) == len(expected):
        pairs = enumerate(zip(found, expected, strict=True))
        return [d for i, pair in pairs for d in different(*pair, f"{name}.{i}")]
    if isinstance(found, float | np.floating):
        is_same = abs(found - expected) <= 1e-4 * max(1.0, abs(expected))
    else:
        is_same = found == expected
    return [] if is_same else [f"{name}: {found} and {expected}"]


def noted() -> dict[str, Any]:
    """What the device has done since the journal was cleared."""
    return {"launches": sum(journal.launches.values()), "waits": listed(journal.waits)}


def listed(counted: Counter[tuple[Place, str]]) -> list[tuple]:
    return sorted((*place, what, n) for (place, what), n in counted.items())


KINDS = {
    "twin": twin,
    "crf": crf,
    "resumed": resumed,
    "processes": in_processes,
    "fault": fault,
}


def main(cases: str, output: str) -> None:
    found = {}
    for name, case in json.loads(Path(cases).read_text()).items():
        try:
            found[name] = KINDS[case.get("kind", "twin")](case)
        except Exception:
            found[name] = {"error": traceback.format_exc()}
    Path(output).write_text(json.dumps(found))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
