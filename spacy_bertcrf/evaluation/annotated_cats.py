"""`spacy-bertcrf.annotated_cats_scorer.v1`: the scores of Docs that have categories."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from spacy.scorer import Scorer
from spacy.training import Example


def annotated_cats_scorer(multi_label: bool = False) -> Callable[..., dict[str, Any]]:
    """What spaCy's scorers of `textcat` and `textcat_multilabel` give, of those Docs alone that
    have gold categories: spaCy's takes a Doc without any as one that no category is right for, so
    that a corpus with Docs that are annotated for another task would count against it.

    multi_label: whether a Doc can have several categories.
    """
    # No function of its own: with its component, it is pickled for other processes.
    return partial(_score, multi_label=multi_label)


def _score(examples: Iterable[Example], *, multi_label: bool, **settings: Any) -> dict[str, Any]:
    annotated = [example for example in examples if example.reference.cats]
    scores: dict[str, Any] = Scorer.score_cats(
        annotated, "cats", multi_label=multi_label, **settings
    )
    return scores
