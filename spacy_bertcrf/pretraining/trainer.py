"""Masked-language modelling on transformers' Trainer."""

import importlib.util
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import IterableDataset
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from .base_model import BaseModel
from .masking import IGNORED
from .sequences import Padding

RUN_FILE = "run.json"


@dataclass(frozen=True)
class Settings:
    """How a model is trained.

    steps: updates of the weights. If None, as many as `epochs` need.
    epochs: how often the corpus is read, if `steps` is None.
    head_steps: of the steps so many update the head alone, for one with random weights would
        pull the others out of place. If None, a tenth of them if its weights are random.
    batch_size: sequences that one process takes through the model at once.
    accumulate: so many batches make one update.
    learn_rate: at its highest; it rises from zero and falls to zero linearly.
    warmup: the share of the steps in which it rises.
    weight_decay: of AdamW, for matrices.
    bf16: computes in bfloat16 where that is safe.
    gradient_checkpointing: less memory, more time.
    eval_every, save_every: steps; 0 for never.
    log_every: steps.
    cpu: even where there is a GPU.
    seed: of dropout.
    """

    steps: int | None = None
    epochs: float = 1.0
    head_steps: int | None = None
    batch_size: int = 8
    accumulate: int = 1
    learn_rate: float = 1e-4
    warmup: float = 0.06
    weight_decay: float = 0.01
    bf16: bool = False
    gradient_checkpointing: bool = False
    eval_every: int = 0
    save_every: int = 0
    log_every: int = 10
    cpu: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        zero = dict.fromkeys(("steps", "epochs", "head_steps", "eval_every", "save_every"), 0)
        one = dict.fromkeys(("batch_size", "accumulate", "log_every"), 1)
        for name, minimum in {**zero, **one}.items():
            value = getattr(self, name)
            if value is not None and value < minimum:
                raise ValueError(f"{name} must be at least {minimum}, not {value}.")
        if not 0 <= self.warmup <= 1:
            raise ValueError(f"warmup is a share of the steps, not {self.warmup}.")
        if self.learn_rate <= 0:
            raise ValueError(f"learn_rate must be above 0, not {self.learn_rate}.")


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

    Raises ValueError if there is no checkpoint to resume from, there is one of another training,
    or there is one and `resume` is false; ImportError without accelerate.
    """
    check_accelerate()
    described = {**(run or {}), **asdict(settings)}
    start = _checkpoint(checkpoints, described, resume)
    assert settings.steps is not None
    assert settings.head_steps is not None
    trainer = _Trainer(
        base.model,
        _arguments(settings, checkpoints, has_held_out=bool(held_out)),
        data_collator=Padding(base.tokenizer.pad_token_id or 0),
        train_dataset=sequences,
        eval_dataset=list(held_out),
        head_steps=settings.head_steps,
    )
    before = trainer.evaluate()["eval_loss"] if held_out else None
    if trainer.is_world_process_zero():
        checkpoints.mkdir(parents=True, exist_ok=True)
        (checkpoints / RUN_FILE).write_text(json.dumps(described, indent=1), "utf-8")
    trainer.train(resume_from_checkpoint=start)
    after = trainer.evaluate()["eval_loss"] if held_out else None
    is_main = trainer.is_world_process_zero()
    log = trainer.state.log_history
    if before is not None:
        log = [{"step": 0, "eval_loss": before}, *(entry for entry in log if entry["step"])]
    return Losses(before, after, log, is_main)


def remove_checkpoints(checkpoints: Path) -> None:
    """Called once the trained model is written."""
    shutil.rmtree(checkpoints, ignore_errors=True)


class _Trainer(Trainer):  # type: ignore[misc]
    def __init__(self, *args: Any, head_steps: int, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.head_steps = head_steps

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The loss a masked wordpiece: transformers' own is the mean of batches, in which a
        wordpiece of a short sequence counts more. Every process computes the whole."""
        self.model.eval()
        total, n_masked = 0.0, 0
        size, examples = self.args.per_device_train_batch_size, self.eval_dataset
        for first in range(0, len(examples), size):
            batch = self._prepare_inputs(self.data_collator(examples[first : first + size]))
            labels = batch.pop("labels")
            with torch.no_grad(), self.compute_loss_context_manager():
                logits = self.model(**batch).logits
            is_masked = labels != IGNORED
            total += functional.cross_entropy(
                logits[is_masked].float(), labels[is_masked], reduction="sum"
            ).item()
            n_masked += int(is_masked.sum())
        metrics = {"eval_loss": total / n_masked}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def create_optimizer(self) -> torch.optim.Optimizer:
        in_encoder = set(map(id, self.model.base_model.parameters()))
        groups = []
        for of_encoder in (False, True):
            for is_matrix in (False, True):
                parameters = [
                    parameter
                    for parameter in self.model.parameters()
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

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> LambdaLR:
        def rate(step: int, begin: int) -> float:
            n_steps = num_training_steps - begin
            warmup = max(1, math.ceil(self.args.warmup_ratio * n_steps))
            if step < begin:
                return 0.0
            # The first step moves too, or a training of one step would do nothing.
            rising = (step - begin + 1) / warmup
            return min(1.0, rising, (num_training_steps - step) / max(1, n_steps - warmup))

        optimizer = optimizer or self.optimizer
        begins = [self.head_steps if group["of_encoder"] else 0 for group in optimizer.param_groups]
        self.lr_scheduler = LambdaLR(
            optimizer, [lambda step, begin=begin: rate(step, begin) for begin in begins]
        )
        return self.lr_scheduler


def _arguments(settings: Settings, checkpoints: Path, has_held_out: bool) -> TrainingArguments:
    evaluates = has_held_out and settings.eval_every
    return TrainingArguments(
        output_dir=str(checkpoints),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulate,
        learning_rate=settings.learn_rate,
        warmup_ratio=settings.warmup,
        weight_decay=settings.weight_decay,
        bf16=settings.bf16,
        gradient_checkpointing=settings.gradient_checkpointing,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=settings.eval_every or None,
        save_strategy="steps" if settings.save_every else "no",
        save_steps=settings.save_every or 500,
        save_total_limit=2,
        logging_steps=settings.log_every,
        use_cpu=settings.cpu,
        seed=settings.seed,
        report_to=[],
        remove_unused_columns=False,
        # Each process reads the stream itself, for masks are of sequences of different lengths.
        accelerator_config={"dispatch_batches": False},
        dataloader_pin_memory=torch.cuda.is_available() and not settings.cpu,
    )


def _checkpoint(folder: Path, run: dict[str, Any], resume: bool) -> str | None:
    last = get_last_checkpoint(str(folder)) if folder.is_dir() else None
    if not resume:
        if last:
            raise ValueError(
                f"{folder} holds checkpoints of a training that did not come to its end. Go on "
                "with --resume, or remove the folder."
            )
        return None
    if not last:
        raise ValueError(f"There is no checkpoint in {folder} to resume from.")
    before = json.loads((folder / RUN_FILE).read_text("utf-8"))
    changed = [name for name in run if before.get(name) != json.loads(json.dumps(run[name]))]
    if changed:
        name = changed[0]
        raise ValueError(
            f"{folder} is of a training with {name} {before.get(name)}, not {run[name]}. Resume "
            "with the same settings, or remove the folder."
        )
    return last
