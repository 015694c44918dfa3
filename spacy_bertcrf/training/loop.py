"""The training loop: what `spacy train` does, with the same numbers."""

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import IO, Any

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training import Example
from spacy.training.loop import (
    clean_output_dir,
    create_before_to_disk_callback,
    create_evaluation_callback,
    create_train_batches,
    subdivide_batch,
    update_meta,
)
from spacy.util import registry, resolve_dot_names
from thinc.api import constant, fix_random_seed, set_gpu_allocator
from wasabi import Printer

from .ranks import ALONE, Ranks

MODEL_BEST, MODEL_LAST = "model-best", "model-last"


def train(
    nlp: Language,
    output: Path | None = None,
    *,
    ranks: Ranks = ALONE,
    use_gpu: int = -1,
    stdout: IO = sys.stdout,
    stderr: IO = sys.stderr,
) -> Path | None:
    """Train an initialized pipeline as its config says.

    output: folder for model-best and model-last; None to save nothing.
    ranks: the processes that train together.
    use_gpu: the GPU, which the caller has chosen already; -1 for none.
    stdout, stderr: where the logger writes to.

    Returns the path of model-last.
    """
    message = Printer(no_print=True)
    config = nlp.config.interpolate()
    settings = config["training"]
    seed = settings["seed"]
    if seed is None and ranks.size > 1:
        seed = ranks.agree(random.randrange(2**31))
    if seed is not None:
        fix_random_seed(seed)
    if use_gpu >= 0 and settings["gpu_allocator"]:
        set_gpu_allocator(settings["gpu_allocator"])
    training = registry.resolve(settings, schema=ConfigSchemaTraining)
    train_corpus, dev_corpus = resolve_dot_names(
        config, [training["train_corpus"], training["dev_corpus"]]
    )
    frozen = training["frozen_components"]
    before_to_disk = create_before_to_disk_callback(training["before_to_disk"])
    optimizer = training["optimizer"]

    def save(name: str) -> None:
        assert output is not None
        with nlp.use_params(optimizer.averages):
            before_to_disk(nlp).to_disk(output / name)

    steps = _Steps(nlp, training, dev_corpus, ranks)
    batches = create_train_batches(nlp, train_corpus, training["batcher"], training["max_epochs"])
    ranks.begin(nlp)
    log_step, finalize = _silent, _nothing
    if ranks.is_first:
        clean_output_dir(output)
        stdout.write(message.info(f"Pipeline: {nlp.pipe_names}") + "\n")
        if frozen:
            stdout.write(message.info(f"Frozen components: {frozen}") + "\n")
        if training["annotating_components"]:
            names = training["annotating_components"]
            stdout.write(message.info(f"Set annotations on update for: {names}") + "\n")
        stdout.write(message.info(f"Initial learn rate: {optimizer.learn_rate}") + "\n")
        for line in ranks.describe(_batch_size(settings["batcher"])):
            stdout.write(message.info(line) + "\n")
        with nlp.select_pipes(disable=frozen):
            log_step, finalize = training["logger"](nlp, stdout, stderr)
    try:
        for epoch, batch in batches:
            info, is_best = steps.take(epoch, batch)
            if is_best is not None and ranks.is_first:
                with nlp.select_pipes(disable=frozen):
                    update_meta(training, nlp, info)
                if output is not None:
                    save(MODEL_LAST)
                    if is_best:
                        save(MODEL_BEST)
                    info["output_path"] = str(output / MODEL_LAST)
            log_step(None if is_best is None else info)
            if steps.are_over():
                break
    finally:
        finalize()
        if output is not None and ranks.is_first:
            save(MODEL_LAST)
    return None if output is None else output / MODEL_LAST


class _Steps:
    def __init__(self, nlp: Language, training: dict[str, Any], dev_corpus: Callable, ranks: Ranks):
        self._nlp = nlp
        self._training = training
        self._ranks = ranks
        self._dev_corpus = dev_corpus
        self._optimizer = training["optimizer"]
        dropout = training["dropout"]
        self._dropouts: Iterator[float] = (
            constant(dropout) if isinstance(dropout, float) else dropout
        )
        self._evaluate = create_evaluation_callback(nlp, dev_corpus, training["score_weights"])
        self.n_taken = 0
        self.results: list[tuple[float, int]] = []
        self.losses: dict[str, float] = {}
        self.words = 0
        self._start = perf_counter()

    def take(self, epoch: int, batch: list[Example]) -> tuple[dict[str, Any], bool | None]:
        """Learn from a batch; evaluate if it is time.

        Returns spaCy's info for loggers, and whether the pipeline was evaluated as better than
        ever; None if it was not evaluated.
        """
        step = self.n_taken
        if self._training["before_update"]:
            self._training["before_update"](self._nlp, {"step": step, "epoch": epoch})
        dropout = next(self._dropouts)
        for part in subdivide_batch(batch, self._training["accumulate_gradient"]):
            self._ranks.update(
                self._nlp,
                part,
                drop=dropout,
                losses=self.losses,
                sgd=False,
                exclude=self._training["frozen_components"],
                annotates=self._training["annotating_components"],
            )
        with self._ranks.step(self._nlp, self._training["frozen_components"]):
            self._finish_update()
        self._optimizer.step_schedules()
        self.n_taken += 1
        self.words += sum(map(len, batch))
        score, other_scores, is_best = None, None, None
        losses = self.losses
        if step % self._training["eval_frequency"] == 0:
            with self._nlp.use_params(self._optimizer.averages or {}):
                score, other_scores = self._ranks.evaluate(
                    self._nlp, self._dev_corpus, self._evaluate
                )
            self.results.append((score, step))
            is_best = score == max(self.results)[0]
            self.losses = {}
        info = {
            "epoch": epoch,
            "step": step,
            "score": score,
            "other_scores": other_scores,
            "losses": losses,
            "checkpoints": self.results,
            "seconds": int(perf_counter() - self._start),
            "words": self.words,
        }
        return info, is_best

    def are_over(self) -> bool:
        """Whether the last step was the last of all."""
        step = self.n_taken - 1
        _, best_step = max((score, -step) for score, step in self.results)
        patience, max_steps = self._training["patience"], self._training["max_steps"]
        is_out_of_patience = patience and step + best_step >= patience
        return self._ranks.agree(bool(is_out_of_patience or (max_steps and step >= max_steps)))

    def _finish_update(self) -> None:
        for name, pipe in self._nlp.pipeline:
            if (
                name not in self._training["frozen_components"]
                and getattr(pipe, "is_trainable", False)
                and getattr(pipe, "model", None) not in (True, False, None)
            ):
                pipe.finish_update(self._optimizer)  # type: ignore[attr-defined]


def _batch_size(batcher: dict[str, Any]) -> int | None:
    size = batcher.get("size")
    return size if isinstance(size, int) else None


def _silent(info: dict[str, Any] | None) -> None:
    """The log of a process that logs nothing."""


def _nothing() -> None:
    """The end of such a log."""
