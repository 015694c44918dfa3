"""The entities of a corpus, to be found by the vectors that an encoder has of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Mention(NamedTuple):
    """An entity of a corpus.

    text: that it is in.
    start, end: where, in characters, end exclusive.
    label: its label.
    """

    text: str
    start: int
    end: int
    label: str

    @property
    def mention(self) -> str:
        """The entity as it is written."""
        return self.text[self.start : self.end]

    def context(self, width: int) -> tuple[str, str]:
        """At most so many characters before and after the entity."""
        return self.text[max(self.start - width, 0) : self.start], self.text[
            self.end : self.end + width
        ]


class NearMention(NamedTuple):
    """A mention that is near another.

    similarity: the cosine of their vectors.
    """

    mention: Mention
    similarity: float


class Mentions:
    """Mentions with their vectors, from `recognizer.mentions(...)`: each is the mean of its
    tokens' vectors.

    vectors: (n_mentions, width).

    It is not changed once it is made, so that any number of threads may ask it.
    """

    def __init__(self, mentions: Sequence[Mention], vectors: np.ndarray):
        self.mentions = tuple(mentions)
        self._directions = directions(vectors)
        labels = np.asarray([mention.label for mention in mentions])
        self._of_label = {label: np.flatnonzero(labels == label) for label in set(labels.tolist())}

    def __len__(self) -> int:
        return len(self.mentions)

    def nearest(self, vector: np.ndarray, own: Mention, n: int = 3) -> list[NearMention]:
        """The mentions with the same label whose vectors have the greatest cosine.

        vector: (width,), of the mention that is asked about.
        own: that mention; it is not among them.

        Raises ValueError if the vectors are of another width: those of another encoder.
        """
        if vector.shape != self._directions.shape[1:]:
            raise ValueError(
                f"The mentions have vectors of {self._directions.shape[1]} numbers, and the "
                f"component's encoder makes such of {len(vector)}. Make them with the component "
                "itself: recognizer.mentions(...)."
            )
        places = self._of_label.get(own.label, np.zeros(0, dtype=np.int64))
        cosines = self._directions[places] @ directions(vector[None])[0]
        found: list[NearMention] = []
        for i in np.argsort(-cosines, kind="stable"):
            if len(found) >= n:
                break
            mention = self.mentions[places[i]]
            # The text itself may be in the corpus, and it may be there twice.
            if mention != own and all(mention != other.mention for other in found):
                found.append(NearMention(mention, float(cosines[i])))
        return found


def directions(vectors: np.ndarray) -> np.ndarray:
    """(n, width) float32, the vectors with a length of 1; those of zeros stay."""
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: np.ndarray = vectors / np.where(lengths == 0, 1, lengths)
    return found
