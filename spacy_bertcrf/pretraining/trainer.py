"""Masked-language modelling on transformers' Trainer."""

import importlib.util
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import IterableDataset
from transformers.trainer import Trainer
from transformers.training_args import TrainingArguments
from transformers.utils import is_torch_bf16_gpu_available

from spacy_bertcrf.pretraining.base_model import BaseModel
from spacy_bertcrf.pretraining.checkpoints import (
    checkpoint_to_start_from,
    describe_run,
    last_checkpoint,
    remove_checkpoints,
)
from spacy_bertcrf.pretraining.masking import IGNORED
from spacy_bertcrf.pretraining.sequences import Padding
from spacy_bertcrf.pretraining.settings import Settings


class Losses(NamedTuple):
    """What a training did; cross entropies in nats a masked wordpiece.

    before, after: on the held-out sequences; None if there are none.
    log: transformers' records: "step" with "loss" or "eval_loss".
    is_main: whether this is the process that writes, of several that train together.
    """

    before: float | None
    after: float | None
    log: list[dict[str, Any]]
    is_main: bool


def check_accelerate() -> None:
    """Raise ImportError, with the extra to install, if there is no accelerate."""
    if importlib.util.find_spec("accelerate") is None:
        raise ImportError(
            "transformers trains with accelerate. Install it: pip install 'spacy-bertcrf[pretrain]'"
        )


@contextmanager
def _environment_kept(name: str) -> Iterator[None]:
    value = os.environ.get(name)
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


# transformers leaves its precision there, and would take it for that of the next training.
@_environment_kept("ACCELERATE_MIXED_PRECISION")
def train(
    base: BaseModel,
    sequences: IterableDataset[dict[str, np.ndarray]],
    held_out: Sequence[dict[str, np.ndarray]],
    settings: Settings,
    checkpoints: Path,
    *,
    resume: bool = False,
    run: dict[str, Any] | None = None,
) -> Losses:
    """Train the model in place.

    base: the model, with its tokenizer.
    sequences: endless, "input_ids" and "labels".
    held_out: of the same kind, with fixed masks.
    checkpoints: a folder for them.
    resume: go on from the last checkpoint there.
    run: what else a resumed training must have in common with the one that wrote them.

    `settings` has its steps and head_steps.

    Raises ValueError as `checkpoint_to_start_from`, and ImportError without accelerate.
    """
    check_accelerate()
    described = {**(run or {}), **asdict(settings)}
    start = checkpoint_to_start_from(checkpoints, described, resume)
    assert settings.steps is not None
    assert settings.head_steps is not None
    trainer = _Trainer(
        base.model,
        _arguments(settings, settings.steps, checkpoints, has_held_out=bool(held_out)),
        sequences,
        list(held_out),
        Padding(base.tokenizer.pad_token_id or 0),
        settings.head_steps,
        settings.warmup,
    )
    is_main = trainer.is_world_process_zero()
    try:
        before = trainer.evaluate()["eval_loss"] if held_out else None
        if is_main:
            describe_run(checkpoints, described)
        trainer.train(resume_from_checkpoint=str(start) if start else None)
        after = trainer.evaluate()["eval_loss"] if held_out else None
    finally:
        if is_main and not last_checkpoint(checkpoints):
            remove_checkpoints(checkpoints)
    log = trainer.state.log_history
    if before is not None:
        log = [{"step": 0, "eval_loss": before}, *(entry for entry in log if entry["step"])]
    return Losses(before, after, log, is_main)


class _Trainer(Trainer):
    """transformers' Trainer, with a rate of its own for the head and an exact held-out loss."""

    def __init__(
        self,
        model: Any,
        arguments: TrainingArguments,
        sequences: IterableDataset[dict[str, np.ndarray]],
        held_out: list[dict[str, np.ndarray]],
        padding: Padding,
        head_steps: int,
        warmup: float,
    ):
        super().__init__(
            model,
            arguments,
            data_collator=padding,
            train_dataset=sequences,
            eval_dataset=held_out,
        )
        self.bert = model
        self.held_out = held_out
        self.padding = padding
        self.head_steps = head_steps
        self.warmup = warmup
        # Of accumulated batches the mean is taken, whether or not the model could weigh them.
        self.model_accepts_loss_kwargs = False

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        labels = inputs.pop("labels")
        is_masked = labels != IGNORED
        return functional.cross_entropy(
            self._scores(model, inputs, is_masked).float(), labels[is_masked]
        )

    def _scores(
        self, model: Any, batch: dict[str, torch.Tensor], is_masked: torch.Tensor
    ) -> torch.Tensor:
        """(n_masked, n_wordpieces), what the model says of the masked wordpieces alone: in a
        small model most of the time would go to the others."""

        def keep_masked(module: Any, arguments: Any) -> Any:
            return (arguments[0][is_masked], *arguments[1:])

        if self.args.n_gpu > 1:  # the batch is parted behind this
            parted: torch.Tensor = model(**batch).logits[is_masked]
            return parted
        hook = self.bert.get_output_embeddings().register_forward_pre_hook(keep_masked)
        try:
            scores: torch.Tensor = model(**batch).logits
        finally:
            hook.remove()
        # Some models use the weight without calling the layer.
        return scores if scores.ndim == 2 else scores[is_masked]

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The loss a masked wordpiece: transformers' own is the mean of batches, in which a
        wordpiece of a short sequence counts more. Every process computes the whole."""
        self.bert.eval()
        total, n_masked = 0.0, 0
        size = self.args.per_device_train_batch_size
        for first in range(0, len(self.held_out), size):
            batch: Any = self._prepare_inputs(self.padding(self.held_out[first : first + size]))
            labels = batch.pop("labels")
            is_masked = labels != IGNORED
            with torch.no_grad(), self.compute_loss_context_manager():
                scores = self._scores(self.bert, batch, is_masked)
            total += functional.cross_entropy(
                scores.float(), labels[is_masked], reduction="sum"
            ).item()
            n_masked += int(is_masked.sum())
        metrics = {"eval_loss": total / n_masked}
        self.log(dict(metrics))
        self.control: Any = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def create_optimizer(self) -> torch.optim.Optimizer:
        in_encoder = set(map(id, self.bert.base_model.parameters()))
        groups: list[dict[str, Any]] = []
        for of_encoder in (False, True):
            for is_matrix in (False, True):
                parameters = [
                    parameter
                    for parameter in self.bert.parameters()
                    if (id(parameter) in in_encoder) == of_encoder
                    and (parameter.ndim >= 2) == is_matrix
                ]
                decay = self.args.weight_decay if is_matrix else 0.0
                groups.append(
                    {"params": parameters, "weight_decay": decay, "of_encoder": of_encoder}
                )
        groups = [group for group in groups if group["params"]]
        self.optimizer = torch.optim.AdamW(groups, lr=self.args.learning_rate)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> LambdaLR:
        optimizer = optimizer or self.optimizer
        rates: list[Callable[[int], float]] = [
            partial(
                _rate,
                first=self.head_steps if group["of_encoder"] else 0,
                last=num_training_steps,
                warmup_share=self.warmup,
            )
            for group in optimizer.param_groups
        ]
        self.lr_scheduler = LambdaLR(optimizer, rates)
        return self.lr_scheduler


def _rate(step: int, *, first: int, last: int, warmup_share: float) -> float:
    """The share of the learning rate at a step, from 0: linear rise and fall from `first` on."""
    warmup = max(1, math.ceil(warmup_share * (last - first)))
    if step < first:
        return 0.0
    # The first step moves too, or a training of one step would do nothing.
    return min((step - first + 1) / warmup, (last - step) / max(1, last - first - warmup), 1.0)


def _arguments(
    settings: Settings, steps: int, checkpoints: Path, has_held_out: bool
) -> TrainingArguments:
    evaluates = has_held_out and settings.eval_every
    has_gpu = (
        torch.cuda.is_available()
        or torch.backends.mps.is_available()
        or is_torch_bf16_gpu_available()
    )
    return TrainingArguments(
        output_dir=str(checkpoints),
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulate,
        learning_rate=settings.learn_rate,
        weight_decay=settings.weight_decay,
        bf16=settings.bf16,
        gradient_checkpointing=settings.gradient_checkpointing,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=settings.eval_every or None,
        save_strategy="steps" if settings.save_every else "no",
        save_steps=settings.save_every or 500,
        save_total_limit=2,
        logging_steps=settings.log_every,
        # Where there is nothing else, transformers wants to be told so before it takes bfloat16.
        use_cpu=settings.cpu or not has_gpu,
        seed=settings.seed,
        report_to=[],
        remove_unused_columns=False,
        # Each process reads the stream itself, for masks are of sequences of different lengths.
        accelerator_config={"dispatch_batches": False},
        dataloader_pin_memory=torch.cuda.is_available() and not settings.cpu,
    )
