"""The vectors of a batch: an array for each Doc, or one for all."""

from collections.abc import Sequence

import numpy as np
from thinc.api import Ops
from thinc.types import Floats2d, Ragged

from spacy_bertcrf.models.types import Array


def concatenated(ops: Ops, arrays: Sequence[Floats2d]) -> Ragged:
    """The rows of all arrays, one after the other; one array at least has rows."""
    lengths: Array = np.asarray([len(array) for array in arrays], dtype=np.int64)
    # An empty Doc's array may come without a width, so it cannot take part.
    rows = ops.xp.concatenate([array for array in arrays if len(array)])
    return Ragged(rows, lengths)


def parted(ops: Ops, rows: Ragged) -> list[Floats2d]:
    """The array of each Doc."""
    lengths: Array = rows.lengths
    return ops.xp.split(rows.dataXd, np.cumsum(lengths)[:-1].tolist())
