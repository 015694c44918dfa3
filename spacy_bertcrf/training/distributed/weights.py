"""The weights of all processes, which are to be the same."""

import json
import zlib
from collections.abc import Iterator

import torch
from spacy.language import Language
from thinc.api import Model, PyTorchShim

from spacy_bertcrf.training.distributed.gradient_slots import as_tensor
from spacy_bertcrf.training.distributed.process_group import ProcessGroup

PURPOSE = "compare the weights"


def equalize_weights(group: ProcessGroup, nlp: Language) -> None:
    """Give all components the weights that they have in the first process.

    Raises ValueError if a component does not have the same parameters and labels in all processes,
    or keeps weights where they cannot be reached.
    """
    structure = {name: _structure(name, pipe) for name, pipe in _with_models(nlp)}
    different = _different(group, structure)
    if different:
        raise ValueError(
            f"The component '{different[0]}' does not have the same parameters and labels in all "
            "processes. They must be started with the same config, the same corpora and the same "
            "versions on all machines."
        )
    for name in different_weights(group, nlp):
        for _, tensor in _tensors(nlp.get_pipe(name).model):  # type: ignore[attr-defined]
            group.copy_from_first(tensor, "copy the weights of the first process")


def different_weights(group: ProcessGroup, nlp: Language) -> list[str]:
    """The components whose weights are not the same in all processes, bit for bit."""
    return _different(group, {name: _content(pipe.model) for name, pipe in _with_models(nlp)})


def _different(group: ProcessGroup, checksums: dict[str, int]) -> list[str]:
    gathered = group.gather(json.dumps(checksums).encode(), PURPOSE)
    names: list[str] = []
    if gathered is not None:
        found = [json.loads(content) for content in gathered]
        every = dict.fromkeys(name for checksums in found for name in checksums)
        names = [name for name in every if len({other.get(name) for other in found}) > 1]
    return group.tell(names, PURPOSE)


def _with_models(nlp: Language) -> Iterator:
    for name, pipe in nlp.components:
        if isinstance(getattr(pipe, "model", None), Model):
            yield name, pipe


def _structure(name: str, pipe: object) -> int:
    lines = [repr(getattr(pipe, "labels", None))]
    for node in pipe.model.walk():  # type: ignore[attr-defined]
        for shim in node.shims:
            if not isinstance(shim, PyTorchShim):
                raise ValueError(
                    f"The component '{name}' has a {type(shim).__name__}; only weights of torch "
                    "and of thinc can be trained by several processes. Train it in one."
                )
    lines += [f"{name} {tuple(tensor.shape)}" for name, tensor in _tensors(pipe.model)]  # type: ignore[attr-defined]
    return zlib.crc32("\n".join(lines).encode())


def _content(model: Model) -> int:
    checksum = 0
    for _, tensor in _tensors(model):
        content = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8)
        checksum = zlib.crc32(content.numpy().data, checksum)
    return checksum


def _tensors(model: Model) -> Iterator[tuple[str, torch.Tensor]]:
    for i, node in enumerate(model.walk()):
        for shim in node.shims:
            if isinstance(shim, PyTorchShim):
                for name, tensor in shim._model.state_dict().items():
                    yield f"{i}.{name}", tensor
        for name in node.param_names:
            if node.has_param(name):
                yield f"{i}.{name}", as_tensor(node.get_param(name))
