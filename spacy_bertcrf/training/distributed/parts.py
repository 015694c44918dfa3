"""How Docs are shared by several processes, and who learns from a part of a batch."""

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import torch
from spacy.language import Language

from spacy_bertcrf.training.checkpoints.model_state import learning_of, trained_components


def balanced_parts(lengths: Sequence[int], n_parts: int) -> list[list[int]]:
    """The numbers of the Docs in each part, ascending, so that the parts have about equally many
    tokens: the longest Doc that is left goes to the part that has the least (Graham 1969,
    https://doi.org/10.1137/0117039). The same lengths always give the same parts.

    lengths: (n_docs,), in tokens.

    Returns n_parts lists, of which the last are empty if there are fewer Docs.
    """
    parts: list[list[int]] = [[] for _ in range(n_parts)]
    sizes = [0] * n_parts
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        smallest = min(range(n_parts), key=lambda part: (sizes[part], len(parts[part]), part))
        parts[smallest].append(i)
        sizes[smallest] += lengths[i]
    return [sorted(part) for part in parts]


@runtime_checkable
class LearnsInParts(Protocol):
    """How a component learns whose loss is a mean, or whose strategies learn something besides,
    such as bertcrf."""

    def expect_part(self, lengths: Sequence[int]) -> None:
        """Take the examples of the next update for a part of a batch.

        lengths: in tokens, of all Docs of the batch.
        """

    def strategy_gradients(self) -> list[torch.Tensor]:
        """What is to be summed up over the processes beside the gradients of the model."""


def learn_in_parts(nlp: Language, frozen: Iterable[str]) -> list[LearnsInParts]:
    """Those of all components that a training updates, in the order of the pipeline."""
    found = map(learning_of, trained_components(nlp, frozen).values())
    return [learning for learning in found if isinstance(learning, LearnsInParts)]
