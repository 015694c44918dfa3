"""Trainings by one of several processes, beside the same by one alone: a script that the tests
start once for each rank.

    python trainings.py CASES.json OUTPUT.json RANK

Rank 0 writes what it found out of each case.
"""

import io
import json
import os
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import spacy
import torch
from spacy.training.initialize import init_nlp
from spacy.util import load_config
from thinc.api import PyTorchShim

from spacy_bertcrf.training.checkpoints.checkpoints import Checkpoints
from spacy_bertcrf.training.distributed import ProcessRanks, early_exchange, join
from spacy_bertcrf.training.distributed.weights import different_weights
from spacy_bertcrf.training.loop import train
from spacy_bertcrf.training.ranks import ALONE

ROOT = Path(__file__).parents[3]


class Kept:
    """A logger that keeps what it is told."""

    def __init__(self):
        self.infos = []

    def __call__(self, nlp, stdout, stderr):
        def log_step(info):
            if info is not None:
                self.infos.append({**info, "losses": dict(info["losses"])})

        return log_step, lambda: None


class Killed(RuntimeError):
    """Ends a training as a crash of all processes does."""


class Killing:
    """A callback that ends the training before a step; None for never."""

    step = None

    def __call__(self, nlp, info):
        if info["step"] == self.step:
            raise Killed


kept, killing = Kept(), Killing()
spacy.registry.loggers.register("tests.kept.v1", func=lambda: kept)
spacy.registry.callbacks.register("tests.killing.v1", func=lambda: killing)


def pipeline(case):
    overrides = {**case["overrides"], "training.logger": {"@loggers": "tests.kept.v1"}}
    config = load_config(ROOT / "configs" / f"{case['config']}.cfg", overrides=overrides)
    for name in case["more"]:
        config["nlp"]["pipeline"].insert(-1, name)
        config["components"][name] = case["more"][name]
    config["components"]["bertcrf"]["strategies"] = case["strategies"]
    nlp = init_nlp(config)
    for _, component in nlp.components:
        for node in component.model.walk():
            for shim in node.shims:
                if isinstance(shim, PyTorchShim) and not case["dropout"]:
                    without_dropout(shim._model)
    return nlp


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout_prob"):  # of attention, in transformers
            module.dropout_prob = 0.0


def spoil(nlp):
    """The weights are to be those of the first process."""
    for _, component in nlp.components:
        for node in component.model.walk():
            for name in node.param_names:
                if node.has_param(name):
                    node.set_param(name, node.get_param(name) + 1)
            for shim in node.shims:
                for parameter in shim._model.parameters():
                    parameter.data.add_(1)


def weights(nlp):
    """Copies of all weights by component, layer and name."""
    found = {}
    for component, pipe in nlp.components:
        for i, node in enumerate(pipe.model.walk()):
            for name in node.param_names:
                if node.has_param(name):
                    found[f"{component}.{i}.{name}"] = node.get_param(name).copy()
            for shim in node.shims:
                for name, value in shim._model.state_dict().items():
                    found[f"{component}.{i}.{name}"] = value.numpy().copy()
    return found


def trained(case, ranks, checkpoints=None, *, resume=False):
    kept.infos = []
    nlp = pipeline(case)
    if ranks.rank > 0:
        spoil(nlp)
    before = weights(nlp)
    stdout = io.StringIO()
    train(
        nlp,
        ranks=ranks,
        checkpoints=checkpoints,
        resume=resume,
        stdout=stdout,
        stderr=stdout,
    )
    return nlp, before, list(kept.infos), stdout.getvalue()


def difference(found, expected):
    return max(float(np.abs(found[name] - expected[name]).max(initial=0)) for name in expected)


def main(cases, output, rank):
    """cases: by name, each with its number of processes."""
    cases = json.loads(Path(cases).read_text())
    results = {}
    # The third rank waits for nobody, and is not needed again.
    for n in sorted({case["n"] for case in cases.values()}, reverse=True):
        if rank < n:
            os.environ.update(
                RANK=str(rank), WORLD_SIZE=str(n), MASTER_PORT=os.environ[f"PORT_{n}"]
            )
            with join(timeout=60, use_gpu=False) as group:
                for name, case in cases.items():
                    if case["n"] == n:
                        look = resumed if case["folder"] else compared
                        results[name] = look(case, group)
                        group.meet("go on")
    if rank == 0:
        Path(output).write_text(json.dumps(results, default=float))


def compared(case, group):
    ranks = ProcessRanks(group, getattr(torch, case["gradient_dtype"]))
    nlp, _, infos, printed = trained(case, ranks)
    different = different_weights(group, nlp)
    too_early = int(group.sum(torch.tensor([ranks.early_exchange.n_too_early]), "compare")[0])
    if group.rank > 0:
        return None
    alone, before, infos_alone, _ = trained(case, ALONE)
    return {
        "different between ranks": different,
        "difference to one process": difference(weights(nlp), weights(alone)),
        "learned": difference(weights(alone), before),
        "scores": [info["other_scores"] for info in infos],
        "scores alone": [info["other_scores"] for info in infos_alone],
        "losses": [info["losses"] for info in infos],
        "losses alone": [info["losses"] for info in infos_alone],
        "bytes sent": ranks.bytes_sent,
        "sent early": ranks.early_exchange.n_early,
        "sent too early": too_early,
        "bytes of weights": {
            name: sum(array.nbytes for key, array in before.items() if key.startswith(name))
            for name, _ in nlp.components
        },
        "printed": printed,
    }


def resumed(case, group):
    """A training that is killed and goes on, beside one that was not."""
    folder = Path(case["folder"])
    whole, *_ = trained(case, ProcessRanks(group), Checkpoints(folder / "whole", frequency=2))
    checkpoints = Checkpoints(folder / "killed", frequency=2)
    killing.step = 3
    with suppress(Killed):
        trained(case, ProcessRanks(group), checkpoints)
    killing.step = None
    again, *_, printed = trained(case, ProcessRanks(group), checkpoints, resume=True)
    return {"difference": difference(weights(again), weights(whole)), "printed": printed}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    # Else small models would have one bucket.
    early_exchange.BUCKET_BYTES = 2048
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
