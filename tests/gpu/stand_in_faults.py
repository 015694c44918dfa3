"""Faults of the kind that a GPU brings to light, to be put into the code: the tests have to find
each of them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from thinc.api import get_torch_default_device, to_numpy, torch2xp
from thinc.types import Ragged

from spacy_bertcrf.layers import crf as crf_layer
from spacy_bertcrf.models.bridge import torch_shim
from spacy_bertcrf.models.tagger import crf, sequence_tagger
from spacy_bertcrf.pipeline import learning
from spacy_bertcrf.training.checkpoints import checkpoints
from spacy_bertcrf.training.optimizer import adamw

CPU = torch.device("cpu")


@contextmanager
def changed(module: Any, name: str, change: Callable[[Any], Any]) -> Iterator[None]:
    """What a function returns is changed inside a with block."""
    original = getattr(module, name)

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        return change(original(*args, **kwargs))

    with patch.object(module, name, call):
        yield


def moments_on_the_cpu() -> AbstractContextManager:
    def moment(moments: dict, key: Any, weight: torch.Tensor) -> torch.Tensor:
        if key not in moments:
            moments[key] = np.zeros(weight.numel(), dtype=np.float32)
        return torch.from_numpy(moments[key]).to(weight.device).view_as(weight)

    return patch.object(adamw, "moment", moment)


def index_left_behind() -> AbstractContextManager:
    return changed(crf_layer, "pack", lambda p: p._replace(cells=p.cells.cpu()))


def gold_tags_on_the_device() -> AbstractContextManager:
    """Their check has to be waited for then."""
    return changed(crf, "_pad_on_cpu", lambda tags: tags.to(get_torch_default_device()))


def lengths_on_the_device() -> AbstractContextManager:
    def change(found: Any) -> Any:
        inputs, back = found
        inputs.args = (inputs.args[0], inputs.args[1].to(inputs.args[0].device))
        return inputs, back

    return changed(sequence_tagger, "ragged_to_torch", change)


def gradient_of_numpy() -> AbstractContextManager:
    """It is moved back without a word: a wait, and no more."""

    def change(found: Any) -> Any:
        losses, gradient = found
        return losses, Ragged(to_numpy(gradient.dataXd), gradient.lengths)

    return changed(learning, "objective", change)


def gradient_through_numpy() -> AbstractContextManager:
    def convert(tensor: torch.Tensor) -> Any:
        return tensor.numpy() if tensor.dim() == 2 else torch2xp(tensor)

    return patch.object(crf, "torch2xp", convert)


def weights_left_behind() -> AbstractContextManager:
    return patch.object(torch_shim, "get_torch_default_device", lambda: CPU)


def number_asked_for() -> AbstractContextManager:
    def change(found: Any) -> Any:
        assert float(found[1].dataXd.sum()) < np.inf
        return found

    return changed(learning, "objective", change)


def index_by_a_mask() -> AbstractContextManager:
    def change(found: Any) -> Any:
        path, best = found
        return path[path >= 0], best

    return changed(crf_layer, "best_path", change)


def state_restored_to_the_cpu() -> AbstractContextManager:
    return patch.object(checkpoints, "get_torch_default_device", lambda: CPU)


FAULTS: dict[str, Callable[[], AbstractContextManager]] = {
    fault.__name__: fault
    for fault in (
        moments_on_the_cpu,
        index_left_behind,
        gold_tags_on_the_device,
        lengths_on_the_device,
        gradient_of_numpy,
        gradient_through_numpy,
        weights_left_behind,
        number_asked_for,
        index_by_a_mask,
        state_restored_to_the_cpu,
    )
}
