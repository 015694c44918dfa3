"""The warning of a learning rate that a pretrained encoder does not survive."""

import warnings
from collections.abc import Collection
from weakref import WeakKeyDictionary

from thinc.api import Optimizer, PyTorchShim
from torch import nn

from spacy_bertcrf.models.bridge.encoder_layers import hugging_face_encoder
from spacy_bertcrf.models.bridge.trained_parameters import Key
from spacy_bertcrf.models.current_training import current_training

HIGHEST_RATE = 5e-4
NARROW = 256  # Encoders that are not as wide stand higher rates, and are seldom pretrained.
BLOCK = """
[training.optimizer]
@optimizers = "spacy-bertcrf.AdamW.v1"

# The groups are for a bertcrf with a BERT; without one, leave out what has no such layer.
[training.optimizer.groups]

[training.optimizer.groups.sequence_layer]
pattern = "sequence_tagger.*"
learn_rate_scale = 5.0

[training.optimizer.groups.crf]
pattern = "crf.*"
learn_rate_scale = 20.0

[training.optimizer.learn_rate]
@schedules = "spacy-bertcrf.warmup_decay.v1"
initial_rate = 0.00005
warmup = 0.1
"""


def watch_rate(shim: PyTorchShim, optimizer: Optimizer, trained: Collection[Key]) -> None:
    """Warn, once for each, of a Hugging Face encoder that is about to take a step at a rate above
    5e-4, or, in the second step of a training, at no higher rate than in the first.

    trained: the optimizer's keys of the parameters that have gradients.
    """
    if shim._model not in _WATCHED:
        _WATCHED[shim._model] = _Watch(shim._model)
    watch = _WATCHED[shim._model]
    if watch.is_over or not trained:
        return
    rate_of = getattr(optimizer, "rate_of", lambda key: optimizer.learn_rate)
    rate = max(map(rate_of, trained))
    n_steps = max(optimizer.nr_update[key] for key in trained)
    if rate > HIGHEST_RATE:
        watch.tell(
            f"A BERT is trained at a learning rate of {rate:.2g}. Above {HIGHEST_RATE:g} it loses "
            "what it knows within a few steps, and the scores stay near 0."
        )
    elif n_steps == 1 and current_training() is not None and rate <= (watch.first_rate or 0.0):
        watch.tell(
            f"A BERT is trained without warm-up: its learning rate was {watch.first_rate:.2g} in "
            f"the first step and is {rate:.2g} in the second. Steps that large, while what stands "
            "on it is untrained, cost what it knows."
        )
    watch.first_rate = rate if n_steps == 0 else None


class _Watch:
    """Of one module. first_rate: that of the step before, if it was the first."""

    def __init__(self, module: nn.Module):
        encoder = hugging_face_encoder(module)
        width = getattr(getattr(encoder, "config", None), "hidden_size", NARROW)
        self.is_over = encoder is None or width < NARROW
        self.first_rate: float | None = None

    def tell(self, what: str) -> None:
        self.is_over = True
        warnings.warn(
            f"{what} Put this into the config in place of [training.optimizer], or have a config "
            f"made for the corpus by `python -m spacy bertcrf init-config`:\n{BLOCK}",
            stacklevel=2,
        )


_WATCHED: WeakKeyDictionary[nn.Module, _Watch] = WeakKeyDictionary()
