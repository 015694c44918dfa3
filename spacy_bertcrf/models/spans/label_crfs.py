"""`spacy-bertcrf.LabelCRFs.v1`: a linear-chain CRF for each label, on the scores of the same
tokens."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from thinc.api import Model
from thinc.types import Floats1d, Ragged

from spacy_bertcrf.layers import Stretch
from spacy_bertcrf.models.bridge.torch_shim import torch_shim
from spacy_bertcrf.models.spans.candidates import probable_stretches, tag_ids
from spacy_bertcrf.models.spans.head import SMALLEST_THRESHOLD, FoundSpan, SpanHead, first_rows_of
from spacy_bertcrf.models.tagger.crf import (
    CRF,
    build_crf,
    decode,
    k_best,
    marginals,
    stretch_probabilities,
)
from spacy_bertcrf.models.types import Array, CRFTaggerModel, SpanLimits, SpanTargets, TagTargets
from spacy_bertcrf.tagging import EntitySpan, TagSet

SPAN = "span"  # what the CRF calls the one label that it knows
TAGS = TagSet([SPAN], "BIOES")
N_TAGS = len(TAGS)
EDGES = np.asarray([tag[0] in "BES" for tag in TAGS.tags])
GOES_ON = np.asarray([tag[0] in "IE" for tag in TAGS.tags])


def LabelCRFs() -> Model[tuple[Ragged, SpanTargets], Floats1d]:
    """A linear-chain CRF for each label: whether a token is outside of its spans, begins one, is
    inside of one, ends one or is one. Spans of different labels may overlap in any way, those of
    one label do not.

    Each label has its own five scores for a token, with biases of their own; the transitions
    between tags are the same for all. The labels are then so many more sequences of one batch,
    and their probabilities are exact, those of spans included.
    """
    crf = CRF()
    # Its parameters are "crf.…", as those of the CRFTagger are.
    return Model("crf", _forward, layers=[crf], refs={"crf": crf}, attrs={
        "span_head": LabelCRFHead(), "labels": [],
    })  # fmt: skip


class LabelCRFHead(SpanHead):
    """What `LabelCRFs` does with the scores of tokens: (n_tokens, 5 · n_labels), label by label."""

    inexpressible_rule = "spans of one label do not overlap: of two that do, the longer one is kept"

    def count_scores(self, labels: Sequence[str]) -> int:
        """As of a `SpanHead`."""
        return N_TAGS * len(labels)

    def build(self, layer: Model, labels: Sequence[str]) -> None:
        """As of a `SpanHead`. The transitions are random."""
        build_crf(layer.get_ref("crf"), TAGS)
        layer.attrs["labels"] = list(labels)

    def grow(self, model: CRFTaggerModel, labels: Sequence[str]) -> None:
        """As of a `SpanHead`: new labels begin with scores that no transition can make up for."""
        layer, tagger = model.get_ref("head"), model.get_ref("sequence_tagger")
        shim = torch_shim(tagger)
        weights = {name: value.cpu() for name, value in shim.module.state_dict().items()}
        crf = torch_shim(layer.get_ref("crf")).module
        # A span of n tokens goes through n + 1 transitions that a text without it does not.
        largest = max(float(part.detach().abs().max()) for part in crf.parameters())
        n_new = len(labels) - len(layer.attrs["labels"])
        bias = torch.tensor([0.0] + [-4 * largest - 1] * (N_TAGS - 1)).repeat(n_new)
        old = weights["projection.weight"]
        rows = torch.zeros(len(bias), old.shape[1], dtype=old.dtype)
        weights["projection.weight"] = torch.cat([old, rows])
        weights["projection.bias"] = torch.cat([weights["projection.bias"], bias.to(old.dtype)])
        shim.rebuild(input_width=tagger.get_dim("nI"), num_tags=N_TAGS * len(labels))
        shim.module.load_state_dict(weights)
        layer.attrs["labels"] = list(labels)
        for changed in (model, tagger):
            changed.set_dim("nO", N_TAGS * len(labels), force=True)

    def inexpressible(self, spans: Iterable[EntitySpan]) -> list[EntitySpan]:
        """As of a `SpanHead`: the shorter ones of those that overlap and have the same label."""
        left_out = []
        taken: dict[str, list[EntitySpan]] = {}
        for span in sorted(set(spans), key=lambda span: (span.start - span.end, span.start)):
            of_label = taken.setdefault(span.label, [])
            if any(span.start < other.end and other.start < span.end for other in of_label):
                left_out.append(span)
            else:
                of_label.append(span)
        return left_out

    def find(
        self,
        model: CRFTaggerModel,
        scores: Ragged,
        limits: SpanLimits | None,
        threshold: float | None,
        temperature: float,
    ) -> list[list[FoundSpan]]:
        """As of a `SpanHead`. Without a threshold, the spans of each label's best tag sequence."""
        layer = model.get_ref("head")
        crf, labels = layer.get_ref("crf"), layer.attrs["labels"]
        by_label, allowed = _by_label(scores, len(labels)), self._allowed(scores, limits, labels)
        if threshold is None:
            stretches = list(_stretches(decode(crf, by_label, allowed)))
            threshold = 0.0
        else:
            threshold = max(threshold, SMALLEST_THRESHOLD)
            tags = marginals(crf, by_label, allowed, temperature)
            stretches = probable_stretches(tags, by_label.lengths, threshold)
        found = stretch_probabilities(
            crf, by_label, stretches, TAGS.legal_start, allowed, temperature
        )
        n_docs = len(scores.lengths)
        spans: list[list[FoundSpan]] = [[] for _ in range(n_docs)]
        for (sequence, start, tags_of), probability in zip(stretches, found.tolist(), strict=True):
            if probability >= threshold:
                label, doc = divmod(sequence, n_docs)
                span = EntitySpan(start, start + len(tags_of), labels[label])
                spans[doc].append(FoundSpan(span, min(probability, 1.0)))
        return [sorted(of_doc) for of_doc in spans]

    def probabilities(
        self,
        model: CRFTaggerModel,
        scores: Ragged,
        spans: Sequence[Sequence[EntitySpan]],
        limits: SpanLimits | None,
        temperature: float,
    ) -> list[np.ndarray]:
        """As of a `SpanHead`, by one forward-backward for all Docs and labels."""
        layer = model.get_ref("head")
        labels, n_docs = layer.attrs["labels"], len(scores.lengths)
        stretches = [
            Stretch(labels.index(label) * n_docs + doc, start, tag_ids(end - start))
            for doc, of_doc in enumerate(spans)
            for start, end, label in of_doc
        ]
        found = stretch_probabilities(
            layer.get_ref("crf"),
            _by_label(scores, len(labels)),
            stretches,
            TAGS.legal_start,
            self._allowed(scores, limits, labels),
            temperature,
        )
        bounds = np.cumsum([len(of_doc) for of_doc in spans])[:-1]
        return np.split(np.minimum(found.astype(np.float32), 1.0), bounds)

    def k_best(
        self,
        model: CRFTaggerModel,
        scores: Ragged,
        k: int,
        limits: SpanLimits | None,
        temperature: float,
    ) -> list[list[tuple[list[EntitySpan], float]]]:
        """As of a `SpanHead`. The labels are independent given the text, so that the best sets of
        all are made of the best of each."""
        layer = model.get_ref("head")
        labels, n_docs = layer.attrs["labels"], len(scores.lengths)
        allowed = self._allowed(scores, limits, labels)
        by_label = _by_label(scores, len(labels))
        found = k_best(layer.get_ref("crf"), by_label, k, allowed, temperature)
        readings = []
        for doc in range(n_docs):
            best: list[tuple[list[EntitySpan], float]] = [([], 0.0)]
            for number, label in enumerate(labels):
                of_label = [
                    ([span._replace(label=label) for span in TAGS.decode(path)], log)
                    for path, log in found[number * n_docs + doc]
                ]
                pairs = [([*a, *b], x + y) for a, x in best for b, y in of_label]
                best = sorted(pairs, key=itemgetter(1), reverse=True)[:k]
            readings.append([(sorted(spans), math.exp(log)) for spans, log in best])
        return readings

    def _allowed(
        self, scores: Ragged, limits: SpanLimits | None, labels: Sequence[str]
    ) -> np.ndarray | None:
        """(n_labels · n_tokens, 5)"""
        if limits is None:
            return None
        allowed = np.ones((len(labels), len(limits.edges), N_TAGS), dtype=bool)
        allowed &= limits.edges[:, None] | ~EDGES
        allowed &= ~limits.breaks[:, None] | ~GOES_ON
        for first, spans in zip(first_rows_of(scores.lengths), limits.known, strict=True):
            known = [span for span in spans if span.label in labels]
            for start, end, label in set(known) - set(self.inexpressible(known)):
                of_span = allowed[labels.index(label), first + start : first + end]
                of_span[:] = np.eye(N_TAGS, dtype=bool)[tag_ids(end - start)]
        return allowed.reshape(-1, N_TAGS)


def one_label_each(
    scores: torch.Tensor, lengths: Array, n_labels: int
) -> tuple[torch.Tensor, Array]:
    """The scores of tokens as those of more texts that each have one label, and their lengths.

    scores: (n_tokens, n_labels · 5). Returns (n_labels · n_tokens, 5), label by label.
    """
    apart = scores.view(-1, n_labels, N_TAGS).transpose(0, 1).reshape(-1, N_TAGS)
    return apart, np.tile(lengths, n_labels)


def tag_targets(targets: SpanTargets, lengths: Array, labels: Sequence[str]) -> TagTargets:
    """What is known of the tags of these texts."""
    n_tokens, n_docs = int(np.sum(lengths)), len(lengths)
    ids = {label: number for number, label in enumerate(labels)}
    tags = np.zeros((len(labels), n_tokens), dtype=np.int64)
    for first, spans in zip(first_rows_of(lengths), targets.spans, strict=True):
        for start, end, label in spans:
            tags[ids[label], first + start : first + end] = tag_ids(end - start)
    if targets.unknown is None and targets.incorrect is None:
        return TagTargets(tags.reshape(-1))
    allowed = np.eye(N_TAGS, dtype=bool)[tags]
    if targets.unknown is not None:
        is_open = targets.unknown.T & (tags == 0)
        allowed[is_open] = True
        if targets.breaks is not None:
            allowed &= ~(is_open & targets.breaks)[:, :, None] | ~GOES_ON
    incorrect: list[list[EntitySpan]] = [[] for _ in range(len(labels) * n_docs)]
    for doc, spans in enumerate(targets.incorrect or ()):
        for span in spans:
            incorrect[ids[span.label] * n_docs + doc].append(span._replace(label=SPAN))
    return TagTargets(
        tags.reshape(-1), allowed.reshape(-1, N_TAGS), incorrect if any(incorrect) else None
    )


def _forward(
    model: Model, inputs: tuple[Ragged, SpanTargets], is_train: bool
) -> tuple[Floats1d, Callable[[Floats1d], Ragged]]:
    scores, targets = inputs
    labels = model.attrs["labels"]
    n_labels, n_docs = len(labels), len(scores.lengths)
    of_tags = tag_targets(targets, scores.lengths, labels)
    losses, backprop_crf = model.get_ref("crf")((_by_label(scores, n_labels), of_tags), is_train)

    def backprop(d_losses: Floats1d) -> Ragged:
        gradient: Any = backprop_crf(model.ops.xp.tile(d_losses, n_labels)).dataXd
        folded = gradient.reshape(n_labels, -1, N_TAGS).transpose(1, 0, 2)
        return Ragged(folded.reshape(-1, n_labels * N_TAGS), scores.lengths)

    return losses.reshape(n_labels, n_docs).sum(0), backprop


def _by_label(scores: Ragged, n_labels: int) -> Ragged:
    rows: Any = scores.dataXd
    apart = rows.reshape(-1, n_labels, N_TAGS).transpose(1, 0, 2).reshape(-1, N_TAGS)
    lengths: Array = np.tile(np.asarray(scores.lengths), n_labels)
    return Ragged(apart, lengths)


def _stretches(paths: Iterable[np.ndarray]) -> Iterator[Stretch]:
    """The spans of the paths of all labels and Docs."""
    for sequence, path in enumerate(paths):
        if path.any():
            for start, end, _ in TAGS.decode(path):
                yield Stretch(sequence, start, tag_ids(end - start))
