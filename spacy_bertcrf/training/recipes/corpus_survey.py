"""What a training config depends on in an annotated corpus."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import minibatch

from spacy_bertcrf.tagging import ANNOTATED_LABELS

CountPieces = Callable[[list[Doc]], np.ndarray]
"""Gives the wordpieces of each Doc, special tokens counted."""

TEXTS_AT_A_TIME = 1000


class CorpusSurvey(NamedTuple):
    """What is in a corpus. Texts without a token do not count.

    pieces: (n_texts,) wordpieces of each text as the pipeline reads it, special tokens counted.
    n_tokens, n_missing: tokens of the corpus, and those of them whose annotation is missing.
    labels: how many entities each label has.
    mentions: how often each text is an entity, in small letters.
    n_misaligned: entities that the tokens of the pipeline's tokenizer do not fit.
    n_overlapping: spans in `doc.spans` that overlap another one of their group.
    n_without_entities: texts that are annotated and have no entity.
    n_of_one_character: tokens of one character.
    """

    pieces: np.ndarray
    n_tokens: int
    n_missing: int
    labels: Counter[str]
    mentions: Counter[str]
    n_misaligned: int
    n_overlapping: int
    n_without_entities: int
    n_of_one_character: int

    @property
    def n_texts(self) -> int:
        """Texts that have tokens."""
        return len(self.pieces)

    @property
    def n_entities(self) -> int:
        """Entities of all labels."""
        return self.labels.total()

    def share_unseen(self, train: "CorpusSurvey") -> float:
        """The share of the entities here, from 0 to 1, whose text is no entity in another corpus;
        0 if there is none."""
        unseen = sum(n for mention, n in self.mentions.items() if mention not in train.mentions)
        return unseen / max(1, self.mentions.total())


def survey_corpus(examples: Iterable[Example], count_pieces: CountPieces) -> CorpusSurvey:
    """Look through a corpus once.

    examples: as a reader of `spacy train` gives them.
    count_pieces: for the BERT that is to be trained.
    """
    pieces: list[np.ndarray] = []
    labels: Counter[str] = Counter()
    mentions: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for part in minibatch((x for x in examples if len(x.predicted)), TEXTS_AT_A_TIME):
        pieces.append(count_pieces([example.predicted for example in part]))
        for example in part:
            gold = example.reference
            labels.update(ent.label_ for ent in gold.ents)
            mentions.update(ent.text.lower() for ent in gold.ents)
            counts.update(_counted(example))
    return CorpusSurvey(
        np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64),
        counts["tokens"],
        counts["missing"],
        labels,
        mentions,
        counts["misaligned"],
        counts["overlapping"],
        counts["without entities"],
        counts["of one character"],
    )


def _counted(example: Example) -> dict[str, int]:
    gold = example.reference
    n_missing = sum(not token.ent_iob_ for token in gold)
    n_aligned = len(example.get_aligned_spans_y2x(gold.ents, allow_overlap=True))
    return {
        "tokens": len(gold),
        "missing": n_missing,
        "misaligned": len(gold.ents) - n_aligned,
        "overlapping": sum(
            _n_overlapping(spans) for key, spans in gold.spans.items() if key != ANNOTATED_LABELS
        ),
        "without entities": not gold.ents and n_missing < len(gold),
        "of one character": sum(len(token) == 1 for token in gold),
    }


def _n_overlapping(spans: Iterable[Span]) -> int:
    """How many of a group's spans share a token with another one."""
    ordered = sorted((span.start, span.end, n) for n, span in enumerate(spans))
    meeting: set[int] = set()
    furthest = (0, 0, -1)
    for start, end, n in ordered:
        if start < furthest[1]:
            meeting |= {n, furthest[2]}
        furthest = max(furthest, (start, end, n), key=lambda span: span[1])
    return len(meeting)
