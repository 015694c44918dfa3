"""`spacy-bertcrf.chain_augmenters.v1`: several augmenters, one after the other."""

from collections.abc import Callable, Iterator

from spacy.language import Language
from spacy.training import Example

Augmenter = Callable[[Language, Example], Iterator[Example]]


def chain_augmenters(*augmenters: Augmenter) -> Augmenter:
    """Give what one augmenter yields to the next, in the order of the config.

    So where one yields copies, all of them, and the original, go on to the next one.

    augmenters: spaCy's own, these, or any other; in a config, [corpora.train.augmenter.*.a],
        [corpora.train.augmenter.*.b] and so on, by names of your own.

    Raises ValueError if there are none.
    """
    if not augmenters:
        raise ValueError(
            "There are no augmenters to chain. Give each in a block of its own: "
            "[corpora.train.augmenter.*.first]"
        )

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        return _apply(nlp, example, augmenters)

    return augment


def _apply(nlp: Language, example: Example, augmenters: tuple[Augmenter, ...]) -> Iterator[Example]:
    if not augmenters:
        yield example
        return
    first, *others = augmenters
    for changed in first(nlp, example):
        yield from _apply(nlp, changed, tuple(others))
