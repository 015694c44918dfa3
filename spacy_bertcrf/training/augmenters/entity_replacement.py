"""`spacy-bertcrf.entity_replacement.v1`: other entities of the same label, in the same places."""

import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from spacy.language import Language
from spacy.training import Example

from spacy_bertcrf.training.augmenters.changed_example import (
    Replacement,
    Surface,
    retokenized,
    surface_of,
)
from spacy_bertcrf.training.augmenters.drawing import check_draws, variants
from spacy_bertcrf.training.augmenters.mentions import (
    check_path,
    letters,
    read_mentions,
    undivided,
)


def entity_replacement(
    path: Path | None, level: float, share: float = 0.5, copies: int = 0
) -> Callable[[Language, Example], Iterator[Example]]:
    """Replace entities by others of their label ("mention replacement" of Dai and Adel 2020,
    https://arxiv.org/abs/2010.11683).

    Each different entity of the dictionary is as likely as another. It comes with its own tokens:
    if one character is one token in the corpus, then in the changed document too. An entity is
    left as it is if a span of doc.spans starts or ends, or a sentence starts, inside it. In
    `spacy train` the changes are drawn once and are the same in all epochs, unless max_epochs
    is -1; so give `copies`.

    path: where the dictionary is from, read at first use: the training corpus (a .spacy file or a
        folder with some), or a list, as a .json file with {label: [text, …]} or a .jsonl file
        with the phrase patterns of spaCy's entity_ruler.
    level: the share of documents that are changed, from 0 to 1.
    share: how likely each entity of such a document is to be replaced, from 0 to 1.
    copies: 0 to put the changed document in the place of the original, as spaCy's own augmenters
        do; n to keep the original and add n changed copies, each with a probability of `level`.
        A copy in which nothing could be changed is left out.

    Raises ValueError for settings out of range, and for a path at which there is no such file.
    """
    check_draws(level, share, copies)
    checked_path = check_path(path, allow_lists=True)

    @cache
    def mentions(nlp: Language) -> dict[str, dict[str, Surface]]:
        return read_mentions(checked_path, nlp)

    @cache
    def names(nlp: Language, label: str) -> list[str]:
        return list(mentions(nlp).get(label, {}))

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        def change(original: Example) -> Example | None:
            replacements = []
            for ent in undivided(original.reference):
                own, of_label = letters(surface_of(ent)), names(nlp, ent.label_)
                if random.random() < share and of_label and of_label != [own]:
                    surface = mentions(nlp)[ent.label_][_other(of_label, own)]
                    replacements.append(Replacement(ent.start, ent.end, surface))
            return retokenized(nlp, original, replacements) if replacements else None

        return variants(example, change, level, copies)

    return augment


def _other(names: list[str], own: str) -> str:
    """One of the names that is not `own`; there is at least one."""
    name = own
    while name == own:
        name = random.choice(names)
    return name
