"""The weights of torch modules for a checkpoint."""

import torch

from spacy_bertcrf.models.resumable import State


def module_state(module: torch.nn.Module) -> State:
    """All parameters and buffers that are saved with the module, by name."""
    return {
        name: tensor
        for name, tensor in module.state_dict().items()
        if isinstance(tensor, torch.Tensor)
    }


@torch.no_grad()
def restore_module(module: torch.nn.Module, state: State) -> None:
    """Copy the weights into the memory of the module's own.

    Raises ValueError if they are those of another module.
    """
    own = module_state(module)
    if {name: t.shape for name, t in own.items()} != {name: t.shape for name, t in state.items()}:
        raise ValueError(
            f"The checkpoint has other weights ({', '.join(state)}) than the module of the config "
            f"({', '.join(own)})."
        )
    for name, tensor in own.items():
        tensor.copy_(state[name])
