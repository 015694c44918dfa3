"""The thinc layer around layers.LinearChainCRF: emissions to losses, and to the best tags."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats1d, Ragged

from spacy_bertcrf import layers
from spacy_bertcrf.models.bridge.torch_shim import TorchShim, torch_shim
from spacy_bertcrf.models.tagger.incorrect_spans import log_partition_without
from spacy_bertcrf.models.types import Array, TagTargets
from spacy_bertcrf.tagging import TagSet


def CRF() -> Model[tuple[Ragged, TagTargets], Floats1d]:
    """Emissions and targets to one loss for each Doc: the negative log-likelihood of its tags
    (Lafferty et al. 2001), or of all the tag sequences that fit a partial annotation.

    The loss is computed in float32 or better, outside autocast. The torch module is made by
    `build_crf`, or when the model is loaded.
    """
    return Model("crf", _forward, shims=[TorchShim(_build)])


def build_crf(model: Model, tag_set: TagSet) -> None:
    """Give the layer a new CRF over the tags of `tag_set`, its transitions random."""
    torch_shim(model).rebuild(labels=list(tag_set.labels), scheme=tag_set.scheme)


def decode(model: Model, emissions: Ragged, allowed: np.ndarray | None = None) -> list[np.ndarray]:
    """The best tag sequence of each Doc (Viterbi 1967), int64 arrays.

    allowed: (n_tokens, n_tags) bool; the result is then the best sequence inside it.
    """
    padded, mask, limits = _pad_both(model, emissions, allowed)
    paths: list[np.ndarray] = torch_shim(model).module.best_paths(padded, mask, limits)
    return paths


def k_best(
    model: Model,
    emissions: Ragged,
    k: int,
    allowed: np.ndarray | None = None,
    temperature: float = 1.0,
) -> list[list[tuple[list[int], float]]]:
    """For each Doc its k best tag sequences, best first, with their log-probabilities.

    allowed, temperature: as in `stretch_probabilities`.
    """
    padded, mask, limits = _pad_both(model, emissions, allowed)
    found: list[list[tuple[list[int], float]]] = torch_shim(model).module.k_best(
        padded, mask, k, limits, temperature
    )
    return found


def marginals(
    model: Model,
    emissions: Ragged,
    allowed: np.ndarray | None = None,
    temperature: float = 1.0,
) -> np.ndarray:
    """The posterior probability of each tag at each token, (n_tokens, n_tags), by
    forward-backward.

    allowed, temperature: as in `stretch_probabilities`.
    """
    padded, mask, limits = _pad_both(model, emissions, allowed)
    probabilities = torch_shim(model).module.marginals(padded, mask, limits, temperature)
    found: np.ndarray = layers.unpad(probabilities, mask).cpu().numpy()
    return found


def entropies(
    model: Model,
    emissions: Ragged,
    allowed: np.ndarray | None = None,
    temperature: float = 1.0,
) -> np.ndarray:
    """The entropy of each Doc's tag sequences, (n_docs,), in nats.

    allowed, temperature: as in `stretch_probabilities`.
    """
    padded, mask, limits = _pad_both(model, emissions, allowed)
    found: torch.Tensor = torch_shim(model).module.entropies(padded, mask, limits, temperature)
    return found.cpu().numpy()


def stretch_probabilities(
    model: Model,
    emissions: Ragged,
    stretches: Sequence["layers.Stretch | tuple[int, int, Sequence[int]]"],
    closing: np.ndarray,
    allowed: np.ndarray | None = None,
    temperature: float = 1.0,
) -> np.ndarray:
    """The posterior probability of each stretch of tags, (n_stretches,), by forward-backward.

    closing: (n_tags,) bool, the tags that the token after a stretch may have.
    allowed: as in `decode`; the probability is then that among the sequences inside it.
    temperature: what all scores are divided by.
    """
    if not stretches:
        return np.zeros(0, dtype=np.float32)
    padded, mask, limits = _pad_both(model, emissions, allowed)
    # What nobody asks about, as a text without entities, is not read.
    asked = sorted({sequence for sequence, _, _ in stretches})
    if len(asked) < len(padded):
        chosen = torch.tensor(asked, device=padded.device)
        padded, mask = padded[chosen], mask[chosen]
        limits = None if limits is None else limits[chosen]
        numbers = {sequence: number for number, sequence in enumerate(asked)}
        stretches = [(numbers[sequence], start, tags) for sequence, start, tags in stretches]
    probabilities: torch.Tensor = torch_shim(model).module.path_marginals(
        padded, stretches, np.tile(closing, (len(stretches), 1)), mask, limits, temperature
    )
    return probabilities.cpu().numpy()


def _forward(
    model: Model, inputs: tuple[Ragged, TagTargets], is_train: bool
) -> tuple[Floats1d, Callable[[Floats1d], Ragged]]:
    emissions, targets = inputs
    data = xp2torch(emissions.dataXd, requires_grad=is_train, device=torch_shim(model).device)
    with torch.set_grad_enabled(is_train):
        losses = _losses(model, data, emissions.lengths, targets)

    def backprop(d_losses: Floats1d) -> Ragged:
        losses.backward(xp2torch(d_losses, device=losses.device))
        assert data.grad is not None
        return Ragged(torch2xp(data.grad), emissions.lengths)

    detached: Array = torch2xp(losses.detach())
    return detached, backprop


def _losses(
    model: Model, emissions: torch.Tensor, lengths: Array, targets: TagTargets
) -> torch.Tensor:
    crf = torch_shim(model).module
    padded, mask = _pad(model, emissions, lengths)
    if targets.allowed is None:
        tags = _pad_on_cpu(targets.tags[:, None], lengths).squeeze(2)
        return -crf(padded, tags, mask, reduction="none")
    allowed = _pad_on_cpu(targets.allowed, lengths)
    if targets.incorrect is not None:
        tag_set = TagSet(**torch_shim(model).cfg)
        # Not rounded to float32 before they are subtracted, for they are large and close.
        exact = padded.double()
        inside = log_partition_without(crf, tag_set, exact, mask, allowed, targets.incorrect)
        return (crf.log_partition(exact, mask) - inside).to(torch.float32)
    return -crf.partial_log_likelihood(padded, allowed, mask, reduction="none")


def _pad_both(
    model: Model, emissions: Ragged, allowed: np.ndarray | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    padded, mask = _pad(model, emissions.dataXd, emissions.lengths)
    limits = None if allowed is None else _pad_on_cpu(allowed, emissions.lengths)
    return padded, mask, limits


def _pad(
    model: Model, data: Array | torch.Tensor, lengths: Array
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mask stays on the CPU, where the CRF reads it."""
    if not isinstance(data, torch.Tensor):
        data = xp2torch(data, device=torch_shim(model).device)
    lengths = torch.from_numpy(np.asarray(lengths, dtype=np.int64))
    return layers.pad(data, lengths)[0], layers.mask_of(lengths)


def _pad_on_cpu(data: np.ndarray, lengths: Array) -> torch.Tensor:
    """What is known of the tags is checked there, and goes to the device without padding."""
    lengths = torch.from_numpy(np.asarray(lengths, dtype=np.int64))
    return layers.pad(torch.from_numpy(data), lengths)[0]


def _build(labels: Sequence[str], scheme: str) -> "layers.LinearChainCRF":
    tag_set = TagSet(labels, scheme)
    return layers.LinearChainCRF(
        len(tag_set),
        batch_first=True,
        legal_start=torch.tensor(tag_set.legal_start),
        legal_transitions=torch.tensor(tag_set.legal_transitions),
        legal_end=torch.tensor(tag_set.legal_end),
    )
