"""How a model is trained to predict masked words."""

from dataclasses import dataclass


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
