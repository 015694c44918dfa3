"""Which classes of texts are taken for which."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from spacy.training import Example


class Confusion(NamedTuple):
    """labels: the classes.
    counts: (n_labels, n_labels) int64, the texts by gold (row) and predicted class.
    n_left_out: texts without just one gold class, or without a predicted one.
    """

    labels: tuple[str, ...]
    counts: np.ndarray
    n_left_out: int

    @property
    def accuracy(self) -> float:
        """The share of texts whose class is right."""
        return float(np.trace(self.counts) / self.counts.sum())

    @property
    def f_scores(self) -> np.ndarray:
        """(n_labels,), F1 of each class, 0 for one that is neither gold nor predicted."""
        sizes = self.counts.sum(0) + self.counts.sum(1)
        found: np.ndarray = 2 * np.diag(self.counts) / np.maximum(sizes, 1)
        return found

    @property
    def macro_f(self) -> float:
        """The mean of F1 over the classes that a text has, in gold or in prediction."""
        used = (self.counts.sum(0) + self.counts.sum(1)) > 0
        return float(self.f_scores[used].mean())

    def most_confused(self, n: int) -> list[tuple[str, str, int]]:
        """The n most frequent mistakes: gold and predicted class, and how many texts."""
        mistakes = self.counts - np.diag(np.diag(self.counts))
        found = [(int(mistakes[at]), at) for at in zip(*np.nonzero(mistakes), strict=True)]
        found.sort(key=lambda item: (-item[0], item[1]))
        return [(self.labels[i], self.labels[j], count) for count, (i, j) in found[:n]]


def count_confusion(examples: Iterable[Example], labels: Iterable[str]) -> Confusion:
    """Count the predicted against the gold classes.

    examples: Docs with predicted and with gold `cats`; the predicted class is the most probable.
    labels: the classes that the component knows; those of the gold Docs beside them come behind.

    Raises ValueError if no text has both.
    """
    pairs, n_left_out = [], 0
    for example in examples:
        gold = [label for label, value in example.reference.cats.items() if value > 0]
        predicted = example.predicted.cats
        if len(gold) == 1 and predicted:
            pairs.append((gold[0], max(predicted, key=lambda label: predicted[label])))
        else:
            n_left_out += 1
    if not pairs:
        raise ValueError(
            f"None of {n_left_out} documents has one gold category and a predicted one. Convert a "
            "corpus of texts with labels, and give a pipeline with a `textcat`."
        )
    known = dict.fromkeys([*labels, *sorted({label for pair in pairs for label in pair})])
    places = {label: i for i, label in enumerate(known)}
    counts = np.zeros((len(places), len(places)), dtype=np.int64)
    for gold_label, predicted_label in pairs:
        counts[places[gold_label], places[predicted_label]] += 1
    return Confusion(tuple(places), counts, n_left_out)
