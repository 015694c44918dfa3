"""The values that pass through the models."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d, Ragged

from spacy_bertcrf.tagging import EntitySpan

if TYPE_CHECKING:  # what runs without torch reads this module too
    import torch

Array: TypeAlias = Any
"""A NumPy or CuPy array. thinc's types for these and NumPy's own know nothing of each other."""

Tok2Vec: TypeAlias = Model[list[Doc], list[Floats2d]]
"""One (n_tokens, width) array for each Doc."""

CRFTaggerModel: TypeAlias = Model[list[Doc], Ragged]
"""Docs to emissions: a Ragged with one row of tag scores for each token."""

ClassifierModel: TypeAlias = Model[list[Doc], Floats2d]
"""Docs to probabilities, (n_docs, n_labels)."""

EncoderBuilder: TypeAlias = Callable[[int], "torch.nn.Module | None"]
"""Builds a sequence layer for token vectors of the given width; None for no layer at all."""


@dataclass(frozen=True)
class TagTargets:
    """What is known of the tags of a batch, all tokens of the batch in one row, no padding.

    tags: (n_tokens,) int64, the gold tag ids; meaningless where `allowed` is given.
    allowed: (n_tokens, n_tags) bool, the tags that fit a partial annotation, or None where
        every token of the batch is annotated.
    incorrect: for each Doc, entities that it is known not to have, or None where no
        Doc of the batch has such. With it, `allowed` is given.
    """

    tags: np.ndarray
    allowed: np.ndarray | None = None
    incorrect: list[list[EntitySpan]] | None = None


@dataclass(frozen=True)
class SpanTargets:
    """What is known of the labelled spans of a batch, which may overlap. Where there are arrays,
    they have all tokens of the batch in one row, no padding.

    spans: for each Doc, those that it has.
    unknown: (n_tokens, n_labels) bool, the tokens of which it is not known whether other spans
        with the label cover them, or None where everything is known.
    incorrect: for each Doc, spans that it is known not to have, or None where no Doc of the
        batch has such.
    breaks: (n_tokens,) bool, the tokens that no span that is not known goes on over from the one
        before, or None where there are none.
    """

    spans: list[list[EntitySpan]]
    unknown: np.ndarray | None = None
    incorrect: list[list[EntitySpan]] | None = None
    breaks: np.ndarray | None = None


@dataclass(frozen=True)
class SpanLimits:
    """What predicted spans keep to. Arrays have all tokens of the batch in one row.

    known: for each Doc, the spans that it has already.
    edges: (n_tokens,) bool, the tokens that a span may start or end with.
    breaks: (n_tokens,) bool, the tokens that no span goes on over from the one before.
    """

    known: list[list[EntitySpan]]
    edges: np.ndarray
    breaks: np.ndarray
