"""The likelihood of tag sequences without certain entities."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from spacy_bertcrf import layers
from spacy_bertcrf.tagging import EntitySpan, TagSet

ROLES = BEGIN, INSIDE, LAST, ONLY = range(4)


def log_partition_without(
    crf: layers.LinearChainCRF,
    tag_set: TagSet,
    emissions: Tensor,
    mask: Tensor,
    allowed: Tensor,
    incorrect: Sequence[Sequence[EntitySpan]],
) -> Tensor:
    """Log of the sum of exp(score) over all legal paths inside `allowed` that have none of the
    incorrect entities, (batch,), with gradient.

    emissions, mask, allowed: as for the methods of the CRF, the last on the CPU.
    incorrect: for each sequence, the entities that it must not have.

    The sum is that of a CRF with more tags. An entity that starts and is labelled as an incorrect
    one can be written only with copies of its label's tags, which exist for this place alone, and
    whose last tag is not allowed where the incorrect one ends. So nothing is ever subtracted.
    """
    slots = _slots(incorrect)
    n_tags = len(tag_set)
    tags_of = {label: _tags_of(tag_set, label) for label in {label for label, _ in slots}}
    copies = [tag for label, _ in slots for tag in tags_of[label]]
    source_ids = [*range(n_tags), *copies]
    source = torch.tensor(source_ids).to(emissions.device, non_blocking=True)
    may_begin, may_end = [True, False, False, True], [False, False, True, True]  # as ROLES
    expanded = layers.LinearChainCRF(
        len(source),
        batch_first=True,
        legal_start=np.append(tag_set.legal_start, np.tile(may_begin, len(slots))),
        legal_transitions=_legal(tag_set, source_ids, len(slots)),
        legal_end=np.append(tag_set.legal_end, np.tile(may_end, len(slots))),
    ).to(emissions.device)
    for name in ("start_transitions", "transitions", "end_transitions"):
        gathered = getattr(crf, name)[source]
        delattr(expanded, name)
        # A tensor in the parameter's place: the gradient goes on to the parameter of the CRF.
        setattr(expanded, name, gathered[:, source] if name == "transitions" else gathered)
    limits = _limits(allowed.numpy(), tags_of, slots, incorrect)
    return expanded.log_partition(emissions[:, :, source], mask, torch.from_numpy(limits))


def _slots(incorrect: Sequence[Sequence[EntitySpan]]) -> list[tuple[str, int]]:
    """The copies of labels that there must be: (label, number), as many of each label as one
    sequence has different starts of its incorrect entities."""
    needed: dict[str, int] = defaultdict(int)
    for spans in incorrect:
        starts: dict[str, set[int]] = defaultdict(set)
        for span in spans:
            starts[span.label].add(span.start)
        for label, of_label in starts.items():
            needed[label] = max(needed[label], len(of_label))
    return [(label, number) for label in sorted(needed) for number in range(needed[label])]


def _tags_of(tag_set: TagSet, label: str) -> list[int]:
    """The tags of a label in the order of ROLES; in BIO some have two roles."""
    long, short = (tag_set.encode([(0, n, label)], n).tolist() for n in (3, 1))
    return [*long, *short]


def _legal(tag_set: TagSet, source: Sequence[int], n_slots: int) -> np.ndarray:
    """(n_expanded, n_expanded), from × to."""
    n_tags = len(tag_set)
    legal = tag_set.legal_transitions[np.ix_(source, source)].copy()
    begins = np.append(tag_set.legal_start, np.tile([True, False, False, True], n_slots))
    for first in range(n_tags, len(source), len(ROLES)):
        goes_on = [first + INSIDE, first + LAST]
        legal[:, goes_on] = False
        for role in (BEGIN, INSIDE):
            legal[first + role] = False
            legal[first + role, goes_on] = True
        for role in (LAST, ONLY):
            legal[first + role] = begins
    return legal


def _limits(
    allowed: np.ndarray,
    tags_of: dict[str, list[int]],
    slots: Sequence[tuple[str, int]],
    incorrect: Sequence[Sequence[EntitySpan]],
) -> np.ndarray:
    """(batch, length, n_expanded) which tags each token may have."""
    n_tags = allowed.shape[2]
    copies = np.zeros((*allowed.shape[:2], len(slots) * len(ROLES)), dtype=bool)
    limits = np.concatenate([allowed, copies], axis=2)
    for sequence, spans in enumerate(incorrect):
        ends: dict[tuple[str, int], list[int]] = defaultdict(list)
        for start, end, label in spans:
            ends[label, start].append(end)
        used: dict[str, int] = defaultdict(int)
        for label, start in sorted(ends):
            first = n_tags + slots.index((label, used[label])) * len(ROLES)
            used[label] += 1
            tags = tags_of[label]
            for role in (BEGIN, ONLY):
                limits[sequence, start, first + role] = allowed[sequence, start, tags[role]]
                limits[sequence, start, tags[role]] = False
            for role in (INSIDE, LAST):
                later = allowed[sequence, start + 1 :, tags[role]]
                limits[sequence, start + 1 :, first + role] = later
            for end in ends[label, start]:
                role = ONLY if end == start + 1 else LAST
                limits[sequence, end - 1, first + role] = False
    return limits
