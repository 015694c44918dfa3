"""`spacy-bertcrf.GlobalPointer.v1`: a score for each label and each pair of a first and a last
token."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats1d, Ragged

from spacy_bertcrf import layers
from spacy_bertcrf.layers.span_scorer import SpanParts, blocks, rotated, span_losses, span_scores
from spacy_bertcrf.models.bridge.torch_shim import torch_shim
from spacy_bertcrf.models.spans.head import SMALLEST_THRESHOLD, FoundSpan, SpanHead, first_rows_of
from spacy_bertcrf.models.types import Array, CRFTaggerModel, SpanLimits, SpanTargets
from spacy_bertcrf.tagging import EntitySpan

UNLEARNED = -10.0  # what a new label scores for each of the two tokens


def GlobalPointer(
    width: int = 64, max_length: int | None = 64
) -> Model[tuple[Ragged, SpanTargets], Floats1d]:
    """EfficientGlobalPointer (Su et al. 2022, https://arxiv.org/abs/2208.03054): a score for each
    label and each pair of a first and a last token, from what the two tokens are for any label
    (with rotary position embeddings) and for this one. Spans may overlap in any way, also those of
    one label.

    Its loss is multi-label cross-entropy by log-sum-exp. What it calls the probability of a span is
    the logistic function of its score.

    width: of the vectors whose product says that two tokens belong together; even.
    max_length: of a span, in tokens; None for no limit, which takes time with the square of a
        text's length. Longer gold spans are counted when training starts.

    Raises ValueError for a width that is odd, and sizes below 1.
    """
    if width < 2 or width % 2:
        raise ValueError(f"width is {width}; it must be even, for tokens are turned in its planes.")
    if max_length is not None and max_length < 1:
        raise ValueError(f"max_length is {max_length}; it must be at least 1, or null for any.")
    head = GlobalPointerHead(width, max_length)
    return Model("global_pointer", _forward, attrs={"span_head": head, "labels": []})


class GlobalPointerHead(SpanHead):
    """What `GlobalPointer` does with the scores of tokens: (n_tokens, 2 · width + 2 · n_labels),
    the two vectors of a token, then what each label has for it as the first and as the last."""

    has_readings = False

    def __init__(self, width: int, max_length: int | None):
        self.width = width
        self.max_length = max_length
        self.inexpressible_rule = f"a span has at most max_length = {max_length} tokens"

    def count_scores(self, labels: Sequence[str]) -> int:
        """As of a `SpanHead`."""
        return 2 * self.width + 2 * len(labels)

    def build(self, layer: Model, labels: Sequence[str]) -> None:
        """As of a `SpanHead`."""
        layer.attrs["labels"] = list(labels)

    def grow(self, model: CRFTaggerModel, labels: Sequence[str]) -> None:
        """As of a `SpanHead`: new labels begin with scores far below 0."""
        layer, tagger = model.get_ref("head"), model.get_ref("sequence_tagger")
        shim = torch_shim(tagger)
        weights = {name: value.cpu() for name, value in shim.module.state_dict().items()}
        n_old = len(layer.attrs["labels"])
        n_new = len(labels) - n_old
        for name, value in (("weight", 0.0), ("bias", UNLEARNED)):
            old = weights[f"projection.{name}"]
            vectors, starts, ends = old.split([2 * self.width, n_old, n_old])
            added = old.new_full((n_new, *old.shape[1:]), value)
            weights[f"projection.{name}"] = torch.cat([vectors, starts, added, ends, added])
        n_scores = self.count_scores(labels)
        shim.rebuild(input_width=tagger.get_dim("nI"), num_tags=n_scores)
        shim.module.load_state_dict(weights)
        layer.attrs["labels"] = list(labels)
        for changed in (model, tagger):
            changed.set_dim("nO", n_scores, force=True)

    def inexpressible(self, spans: Iterable[EntitySpan]) -> list[EntitySpan]:
        """As of a `SpanHead`: those that are longer than `max_length`."""
        if self.max_length is None:
            return []
        return [span for span in set(spans) if span.end - span.start > self.max_length]

    def find(
        self,
        model: CRFTaggerModel,
        scores: Ragged,
        limits: SpanLimits | None,
        threshold: float | None,
        temperature: float,
    ) -> list[list[FoundSpan]]:
        """As of a `SpanHead`. Without a threshold, the spans with a positive score."""
        least = 0.5 if threshold is None else max(threshold, SMALLEST_THRESHOLD)
        labels = model.get_ref("head").attrs["labels"]
        parts = self.parts(model, scores)
        first_rows = first_rows_of(scores.lengths)
        spans: list[list[FoundSpan]] = [[] for _ in range(len(scores.lengths))]
        for doc, label, start, end, probability in self._probable(parts, least, temperature):
            first = first_rows[doc]
            if _may_be(limits, first + start, first + end):
                span = EntitySpan(start, end, labels[label])
                spans[doc].append(FoundSpan(span, probability))
        if limits is not None:
            for of_doc, known in zip(spans, limits.known, strict=True):
                there = {item.span for item in of_doc}
                mine = [span for span in known if span.label in labels and span not in there]
                of_doc += [FoundSpan(span, 1.0) for span in mine]
        return [sorted(of_doc) for of_doc in spans]

    def probabilities(
        self,
        model: CRFTaggerModel,
        scores: Ragged,
        spans: Sequence[Sequence[EntitySpan]],
        limits: SpanLimits | None,
        temperature: float,
    ) -> list[np.ndarray]:
        """As of a `SpanHead`."""
        labels = model.get_ref("head").attrs["labels"]
        parts = self.parts(model, scores)
        with torch.no_grad():
            found = span_scores(parts, _places(spans, labels, parts.query.device))
        values = (found.double() / temperature).sigmoid().cpu().numpy()
        first_rows = first_rows_of(scores.lengths)
        number = 0
        for doc, of_doc in enumerate(spans):
            too_long = set(self.inexpressible(of_doc))
            for span in of_doc:
                first = first_rows[doc]
                if limits is not None and span in limits.known[doc]:
                    values[number] = 1.0
                elif span in too_long or not _may_be(limits, first + span.start, first + span.end):
                    values[number] = 0.0
                number += 1
        bounds = np.cumsum([len(of_doc) for of_doc in spans])[:-1]
        return np.split(values.astype(np.float32), bounds)

    def k_best(
        self,
        model: CRFTaggerModel,
        scores: Ragged,
        k: int,
        limits: SpanLimits | None,
        temperature: float,
    ) -> list[list[tuple[list[EntitySpan], float]]]:
        """Raises ValueError: the scores say nothing of sets of spans."""
        raise ValueError(
            "spacy-bertcrf.GlobalPointer.v1 gives each span a score and no probability to sets of "
            "spans, so there are no best ones. The head spacy-bertcrf.LabelCRFs.v1 has them."
        )

    def parts(self, model: Model, scores: Ragged) -> SpanParts:
        """What the spans of a batch are scored by."""
        return self.rotated_parts(xp2torch(scores.dataXd), scores.lengths)

    def rotated_parts(self, scores: torch.Tensor, lengths: Array) -> SpanParts:
        """The same, of a tensor."""
        padded, mask = layers.pad(scores.float(), torch.from_numpy(np.asarray(lengths)).long())
        n_labels = (scores.shape[1] - 2 * self.width) // 2
        query, key, start, end = padded.split([self.width, self.width, n_labels, n_labels], dim=2)
        return rotated(SpanParts(query, key, start, end, mask))

    @torch.no_grad()
    def _probable(
        self, parts: SpanParts, least: float, temperature: float
    ) -> Iterator[tuple[int, int, int, int, float]]:
        """(text, label, start, end, probability) of each span that reaches the threshold."""
        border = temperature * float(np.log(least) - np.log1p(-least)) if least < 1 else np.inf
        for first, scores, valid in blocks(parts, self.max_length):
            places = ((scores >= border) & valid[:, None]).nonzero()
            values = (scores[tuple(places.unbind(1))].double() / temperature).sigmoid().tolist()
            for (text, label, row, column), value in zip(places.tolist(), values, strict=True):
                yield text, label, first + row, first + column + 1, value


def _forward(
    model: Model, inputs: tuple[Ragged, SpanTargets], is_train: bool
) -> tuple[Floats1d, Callable[[Floats1d], Ragged]]:
    scores, targets = inputs
    head: GlobalPointerHead = model.attrs["span_head"]
    labels = model.attrs["labels"]
    data = xp2torch(scores.dataXd, requires_grad=is_train)
    with torch.set_grad_enabled(is_train):
        parts = head.rotated_parts(data, scores.lengths)
        unknown = None
        if targets.unknown is not None:
            lengths = torch.from_numpy(np.asarray(scores.lengths)).long()
            unknown, _ = layers.pad(torch.from_numpy(targets.unknown).to(data.device), lengths)
        losses = span_losses(
            parts,
            _places(targets.spans, labels, data.device),
            unknown,
            None if targets.incorrect is None else _places(targets.incorrect, labels, data.device),
            head.max_length,
        )

    def backprop(d_losses: Floats1d) -> Ragged:
        losses.backward(xp2torch(d_losses, device=losses.device))
        assert data.grad is not None
        return Ragged(torch2xp(data.grad), scores.lengths)

    detached: Any = torch2xp(losses.detach())
    return detached, backprop


def _places(
    spans: Sequence[Sequence[EntitySpan]], labels: Sequence[str], device: torch.device
) -> torch.Tensor:
    """(n_spans, 4), as `span_scores` takes them."""
    ids = {label: number for number, label in enumerate(labels)}
    rows = [
        (text, ids[span.label], span.start, span.end - 1)
        for text, of_text in enumerate(spans)
        for span in of_text
    ]
    return torch.tensor(rows, dtype=torch.int64, device=device).view(-1, 4)


def _may_be(limits: SpanLimits | None, start: int, end: int) -> bool:
    """Whether a span of these rows of the batch keeps to the limits."""
    if limits is None:
        return True
    is_edge = limits.edges[start] and limits.edges[end - 1]
    return bool(is_edge and not limits.breaks[start + 1 : end].any())
