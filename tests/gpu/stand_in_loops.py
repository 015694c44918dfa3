"""Trainings by our loop: killed and resumed, and shared by processes."""

import io
import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.util import load_config
from stand_in_differences import difference
from stand_in_faults import FAULTS
from stand_in_nccl import nccl
from stand_in_pipelines import CPU, GPU, ROOT, TEXTS, drop_nothing, off_the_device, weights
from thinc.api import use_ops

from spacy_bertcrf.training.checkpoints.checkpoints import Checkpoints
from spacy_bertcrf.training.distributed import ProcessRanks, join
from spacy_bertcrf.training.distributed.weights import different_weights
from spacy_bertcrf.training.loop import train
from spacy_bertcrf.training.ranks import ALONE, Ranks


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
    """Trainings that this process shares with others, one of them beside one alone on the CPU."""
    nothing_drawn = {**case, "strategies": case["strategies drawing nothing"]}
    with tempfile.TemporaryDirectory() as folder:
        with nccl(), join(timeout=60, use_gpu=True) as group:
            together = looped(case, Path(folder, "together"), GPU, ranks=ProcessRanks(group))
            found: dict[str, Any] = {"different": different_weights(group, together)}
            drawn = float(sys.modules["cupy"].random.uniform())
            gathered = group.gather(json.dumps(drawn).encode(), "compare")
            ranks = ProcessRanks(group)
            alike = looped(nothing_drawn, Path(folder, "alike"), GPU, ranks=ranks)
            if gathered is None:
                return {}
        on_cpu = looped(nothing_drawn, Path(folder, "cpu"), CPU)
    return {
        **found,
        "drawn": list(map(json.loads, gathered)),
        "difference to the CPU": difference(weights(alike), weights(on_cpu)),
        "sent early": ranks.early_exchange.n_early,
        "elsewhere": off_the_device(together) + off_the_device(alike),
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
