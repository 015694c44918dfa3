"""More labels for a trained model, which keeps what it has learned."""

import torch
from torch import Tensor

from spacy_bertcrf.models.bridge.torch_shim import torch_shim
from spacy_bertcrf.models.types import CRFTaggerModel
from spacy_bertcrf.tagging import TagSet

RESERVE = 1.0  # that new tags score lower than the mean of the old ones


def grow(model: CRFTaggerModel, old: TagSet, new: TagSet) -> None:
    """Give a trained CRFTagger the tags of new labels, behind those that it has.

    All scores of the old tags stay as they are. Those of a new label are the means over the old
    labels, less a reserve: a tag sequence with the new label then scores below the mean of those
    with an old label in its place, so below one of them, and no best path changes.

    old: the tags that the model has. new: those that it shall have, the old ones first.
    """
    tagger, crf = torch_shim(model.get_ref("sequence_tagger")), torch_shim(model.get_ref("crf"))
    sources = _sources(old, new)
    weights = tagger.module.state_dict()
    for name in ("projection.weight", "projection.bias"):
        weights[name] = sources @ weights[name].double().cpu()
    weights["projection.bias"][len(old) :] -= RESERVE
    tagger.rebuild(input_width=model.get_ref("sequence_tagger").get_dim("nI"), num_tags=len(new))
    tagger.module.load_state_dict(weights)

    weights = {name: value.double().cpu() for name, value in crf.module.state_dict().items()}
    for name in ("start_transitions", "end_transitions"):
        weights[name] = sources @ weights[name]
    weights["transitions"] = _grown_transitions(weights["transitions"], old, new, sources)
    crf.rebuild(labels=list(new.labels), scheme=new.scheme)
    crf.module.load_state_dict(weights)
    for layer in (model, model.get_ref("sequence_tagger")):
        layer.set_dim("nO", len(new), force=True)


def _sources(old: TagSet, new: TagSet) -> Tensor:
    """(n_new, n_old) of which old tags each tag is the mean: those with its prefix, or itself."""
    sources = torch.zeros(len(new), len(old), dtype=torch.float64)
    sources[: len(old)] = torch.eye(len(old))
    for tag_id in range(len(old), len(new)):
        same = [i for i, tag in enumerate(old.tags) if tag[0] == new.tags[tag_id][0]]
        sources[tag_id, same] = 1 / len(same)
    return sources


def _grown_transitions(transitions: Tensor, old: TagSet, new: TagSet, sources: Tensor) -> Tensor:
    grown = sources @ transitions @ sources.T
    # Inside an entity, the mean is over the same label on both sides: old labels do not mix.
    n_prefixes = (len(old) - 1) // len(old.labels)
    by_label = transitions[1:, 1:].unflatten(0, (-1, n_prefixes)).unflatten(2, (-1, n_prefixes))
    inside = by_label.diagonal(dim1=0, dim2=2).mean(dim=2)
    goes_on = ~torch.tensor(new.legal_start)[1 : 1 + n_prefixes]
    for first in range(len(old), len(new), n_prefixes):
        block = grown[first : first + n_prefixes, first : first + n_prefixes]
        block[:, goes_on] = inside[:, goes_on]
    return grown
