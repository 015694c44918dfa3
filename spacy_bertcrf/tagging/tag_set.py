"""The tags of a set of labels: which sequences of them are legal, and what spans they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from spacy_bertcrf.tagging.schemes import get_scheme
from spacy_bertcrf.tagging.spans import EntitySpan

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

OUTSIDE = 0  # the id of "O" in every tag set
NO_LABEL = -1


class TagSet:
    """The tags of some entity labels in one scheme, with ids from 0.

    Legal tag sequences and sets of non-overlapping entity spans correspond one to one, so that
    ``decode`` undoes ``encode`` exactly.

    labels: the entity labels. Their order gives the order of the tags.
    scheme: "BIO" (IOB2) or "BIOES".

    Raises ValueError if the scheme is unknown or a label is empty, not a string or given twice.

    Attributes:
        labels, scheme: as given.
        tags: "O" with id 0, then for each label its "B-", "I-" (BIO) or its "B-", "I-", "E-",
            "S-" (BIOES).
        legal_start (n_tags,): the tags that the first token may have.
        legal_transitions (n_tags, n_tags): [i, j] says whether tag j may come right after tag i.
        legal_end (n_tags,): the tags that the last token may have.

    The three masks are read-only boolean arrays.
    """

    def __init__(self, labels: Sequence[str], scheme: str = "BIOES") -> None:
        rules = get_scheme(scheme)
        self.scheme = scheme
        self.labels = _checked_labels(labels)
        prefixes = rules.prefixes
        self.tags = ("O", *(f"{prefix}-{label}" for label in self.labels for prefix in prefixes))

        prefix_of = ["O"] + list(prefixes) * len(self.labels)
        label_ids = np.repeat(np.arange(len(self.labels)), len(prefixes))
        self._label_of = np.concatenate(([NO_LABEL], label_ids)).astype(np.int64)
        self._begins = _flags(prefix_of, rules.begin)
        self._resumes = _flags(prefix_of, rules.resume)
        self._ends_unmarked = bool(rules.may_go_on & rules.may_stop)

        may_go_on = _flags(prefix_of, rules.may_go_on)
        may_stop = _flags(prefix_of, {"O", *rules.may_stop})
        same_label = self._label_of[:, None] == self._label_of
        self.legal_start = _read_only(~self._resumes)
        self.legal_transitions = _read_only(
            np.where(self._resumes, same_label & may_go_on[:, None], may_stop[:, None])
        )
        self.legal_end = _read_only(may_stop)

        self._tags_of = {
            label: tuple(1 + i * len(prefixes) + prefixes.index(prefix) for prefix in rules)
            for i, label in enumerate(self.labels)
        }
        inner_ids = np.array([tags[1] for tags in self._tags_of.values()], dtype=np.int64)
        self._inner_of = np.concatenate(([OUTSIDE], np.repeat(inner_ids, len(prefixes))))

    def __len__(self) -> int:
        return len(self.tags)

    def __repr__(self) -> str:
        return f"TagSet({list(self.labels)!r}, scheme={self.scheme!r})"

    def __reduce__(self) -> tuple[type[TagSet], tuple[tuple[str, ...], str]]:
        # Made anew rather than copied: NumPy would forget that the masks are read-only.
        return type(self), (self.labels, self.scheme)

    def encode(self, spans: Iterable[tuple[int, int, str]], length: int) -> IntArray:
        """Write entity spans as tags.

        spans: (start, end, label) in token offsets, end exclusive, in any order.
        length: the number of tokens.

        Returns the tag ids (length,). Raises ValueError if a span is empty, runs outside the
        tokens, has a label that is not in the set, or overlaps another.
        """
        tag_ids = np.zeros(length, dtype=np.int64)
        free_from = 0
        for span in sorted(spans, key=itemgetter(0)):
            start, end, label = span
            if not free_from <= start < end <= length or label not in self._tags_of:
                raise ValueError(self._why_not(span, free_from, length))
            first, inner, last, only = self._tags_of[label]
            if end - start == 1:
                tag_ids[start] = only
            else:
                tag_ids[start] = first
                tag_ids[start + 1 : end - 1] = inner
                tag_ids[end - 1] = last
            free_from = end
        return tag_ids

    def decode(self, tag_ids: Sequence[int] | npt.NDArray[np.integer]) -> list[EntitySpan]:
        """Read the entity spans that a legal tag sequence stands for.

        tag_ids: one tag id a token.

        Returns the spans, in reading order. Raises ValueError if an id is not in the set or the
        sequence is illegal.
        """
        ids = np.asarray(tag_ids)
        if not ids.size:
            return []
        self._check_ids(ids)
        if not ids.any():  # as in most short texts
            return []
        self._check_legal(ids)
        starts = np.flatnonzero(self._begins[ids])
        resumed_next = np.append(self._resumes[ids[1:]], False)
        ends = np.flatnonzero((ids != OUTSIDE) & ~resumed_next) + 1
        labels = [self.labels[i] for i in self._label_of[ids[starts]].tolist()]
        return list(map(EntitySpan, starts.tolist(), ends.tolist(), labels))

    def allowed(
        self, spans: Iterable[tuple[int, int, str]], missing: Sequence[bool] | BoolArray
    ) -> BoolArray:
        """The tags that each token may have under a partial annotation.

        A token in a known span has its one tag, a token that is known to be in no entity has "O",
        and a token whose annotation is missing has every tag that can stand there. The legal
        sequences inside the result are the encodings of all sets of spans that hold the known
        spans and otherwise cover missing tokens only: the sum over them is the likelihood of the
        partial annotation (Tsuboi et al., 2008, "Training Conditional Random Fields Using
        Incomplete Annotations").

        spans: the known spans, as for ``encode``.
        missing (length,): True where nothing is known of the token.

        Returns a boolean array (length, n_tags). Raises ValueError as ``encode`` does, or if a
        span covers a missing token.
        """
        missing = np.asarray(missing, dtype=np.bool_)
        tag_ids = self.encode(spans, len(missing))
        contradictions = np.flatnonzero(missing & (tag_ids != OUTSIDE))
        if contradictions.size:
            raise ValueError(
                f"Token {contradictions[0]} is in an entity span and its annotation is said to be "
                f"missing. Take it out of 'missing', or leave the span out."
            )
        allowed = np.zeros((len(missing), len(self)), dtype=np.bool_)
        allowed[missing] = True
        known = np.flatnonzero(~missing)
        allowed[known, tag_ids[known]] = True
        if self._ends_unmarked:
            # No BIO tag says that its entity is over, so the transition masks would let a known
            # span run on into the missing tokens after it.
            after_span = np.flatnonzero(missing[1:] & (tag_ids[:-1] != OUTSIDE)) + 1
            allowed[after_span, self._inner_of[tag_ids[after_span - 1]]] = False
        return allowed

    def _why_not(self, span: tuple[int, int, str], free_from: int, length: int) -> str:
        start, end, label = span
        where = f"Entity span ({start}, {end}, {label!r})"
        if label not in self._tags_of:
            return (
                f"{where} has a label that is not in the tag set. Its labels are: "
                f"{', '.join(self.labels) or 'none'}. Make the tag set with this label too."
            )
        if start >= end:
            return f"{where} is empty. A span holds at least one token, and its end is exclusive."
        if start < 0 or end > length:
            return (
                f"{where} runs outside the text, which has {length} tokens. Offsets count tokens, "
                f"not characters, from 0, and the end is exclusive."
            )
        return (
            f"{where} overlaps the span before it, which ends before token {free_from}. A token "
            f"has one tag: keep one of the two spans, or give both to the component bertcrf_spans, "
            f"which learns spans that overlap."
        )

    def _check_ids(self, ids: npt.NDArray) -> None:
        if ids.ndim != 1 or ids.dtype.kind not in "iu":
            raise ValueError(
                f"Tag ids come as a sequence of integers, not as an array of shape {ids.shape} "
                f"and type {ids.dtype}. Pass one id a token."
            )
        if ids.min() < 0 or ids.max() >= len(self):
            token = np.flatnonzero((ids < 0) | (ids >= len(self)))[0]
            raise ValueError(
                f"Token {token} has tag id {ids[token]}, but the ids of this tag set are 0 to "
                f"{len(self) - 1}. Decode with the tag set that the ids were made with."
            )

    def _check_legal(self, ids: npt.NDArray) -> None:
        steps = self.legal_transitions[ids[:-1], ids[1:]]
        if self.legal_start[ids[0]] and steps.all() and self.legal_end[ids[-1]]:
            return
        if not self.legal_start[ids[0]]:
            fault = f"at token 0: {self.tags[ids[0]]!r} cannot be the first tag"
        elif not steps.all():
            token = np.flatnonzero(~steps)[0] + 1
            before, tag = self.tags[ids[token - 1]], self.tags[ids[token]]
            fault = f"at token {token}: {tag!r} cannot follow {before!r}"
        else:
            fault = f"at token {len(ids) - 1}: {self.tags[ids[-1]]!r} cannot be the last tag"
        raise ValueError(
            f"The tag sequence is illegal in {self.scheme} {fault}. Predict under the masks "
            f"legal_start, legal_transitions and legal_end, or repair the tags first."
        )


def _checked_labels(labels: Sequence[str]) -> tuple[str, ...]:
    if isinstance(labels, str):
        raise ValueError(f"Labels come as a sequence of strings. Write [{labels!r}].")
    seen: set[str] = set()
    for i, label in enumerate(labels):
        if not isinstance(label, str) or not label:
            raise ValueError(f"Label {i} is {label!r}. Each label is a string that is not empty.")
        if label in seen:
            raise ValueError(f"Label {i}, {label!r}, is there twice. Give each label once.")
        seen.add(label)
    return tuple(labels)


def _flags(prefix_of: list[str], members: Iterable[str]) -> BoolArray:
    return np.isin(prefix_of, list(members))


def _read_only(mask: BoolArray) -> BoolArray:
    mask.setflags(write=False)
    return mask
