"""How far a model is from what a teacher believes, with a gradient."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from spacy_bertcrf.layers import LinearChainCRF, mask_of, pad
from spacy_bertcrf.layers.chains import TagChain, cross_entropy
from spacy_bertcrf.models.distillation.beliefs import Belief, Tags
from spacy_bertcrf.models.types import Array
from spacy_bertcrf.tagging import TagSet


def divergence(
    crf: LinearChainCRF,
    emissions: Tensor,
    lengths: Array,
    beliefs: Sequence[Belief],
    learner: Tags,
    known: Sequence[str],
    temperature: float,
    random: np.random.Generator,
    n_samples: int = 1,
) -> Tensor:
    """The Kullback-Leibler divergence of the teacher's distribution over tag sequences to the
    learner's, summed up over texts (and labels, where each has its own CRF), times the squared
    temperature, which keeps gradients as large as they are without one (Hinton et al. 2015).

    Where the learner has labels that the teacher does not know, it is from the teacher's
    distribution to what the learner's becomes when entities with these labels are read as no
    entities: to the teacher they were nothing. Of a token that the teacher holds to be outside,
    the learner may believe a new label without any loss; where the teacher sees an entity, a new
    label costs what "outside" does. There it is -log of the summed probability of all that agrees
    with a tag sequence of the teacher's, in expectation: it is no linear function of counts, and
    estimated without bias from sequences that are drawn from the teacher. With a CRF for each
    label, new labels are independent of the others and have no part.

    emissions: (n_tokens, n_tags), all texts one after the other; label by label where each has
        its own CRF.
    lengths: (n_sequences,), of these.
    beliefs: one for each text; as often as there are readings of the texts.
    known: the labels of the teacher.
    temperature: what the scores of both are divided by; the beliefs were made with it.
    random, n_samples: for the sequences that are drawn, as many of each text.

    Returns one number, float64.
    """
    chains = [chain for of_label in zip(*beliefs, strict=True) for chain in of_label]
    padded, _ = pad(emissions, torch.as_tensor(np.asarray(lengths), dtype=torch.int64))
    is_taught = [chain is not None and len(chain) > 0 for chain in chains]
    taught = [chain for chain in chains if chain is not None and len(chain) > 0]
    if not taught:
        return emissions.sum().double() * 0
    if len(taught) < len(chains):
        padded = padded[torch.tensor(is_taught, device=padded.device)]
    mask = mask_of(torch.tensor([len(chain) for chain in taught]))
    padded = padded[:, : mask.shape[1]]
    new = [label for label in learner.labels if label not in known]
    if learner.scheme is None or not new:
        cost = cross_entropy(crf, padded, mask, taught, temperature)
        found = cost - sum(chain.entropy() for chain in taught)
    else:
        tag_set = TagSet(learner.labels, learner.scheme)
        is_new = np.asarray([tag[2:] in new for tag in tag_set.tags])
        drawn = [
            _of_drawn(crf, padded, mask, taught, is_new, temperature, random)
            for _ in range(n_samples)
        ]
        found = torch.stack(drawn).mean()
    return temperature**2 * found


def _of_drawn(
    crf: LinearChainCRF,
    emissions: Tensor,
    mask: Tensor,
    chains: Sequence[TagChain],
    is_new: np.ndarray,
    temperature: float,
    random: np.random.Generator,
) -> Tensor:
    """Of a tag sequence drawn for each text, the log of its probability to the teacher over that
    of all that agrees with it."""
    allowed = np.zeros(emissions.shape, dtype=bool)
    of_teacher = np.zeros(len(chains))
    for n, chain in enumerate(chains):
        path, of_teacher[n] = chain.sample(random)
        allowed[n, range(len(path)), path] = True
        allowed[n, : len(path)][path == 0] |= is_new
    exact = emissions.double()
    agreeing = crf.log_partition(exact, mask, torch.from_numpy(allowed), temperature)
    # Where what was left out has broken a chain off, no sequence at all may agree with what was
    # drawn, which then says nothing.
    is_void = ~agreeing.detach().isfinite().cpu().numpy()
    if is_void.any():
        allowed[is_void] = True
        agreeing = crf.log_partition(exact, mask, torch.from_numpy(allowed), temperature)
    partition = crf.log_partition(exact, mask, temperature=temperature)
    return (partition - agreeing).sum() + of_teacher[~is_void].sum()
