"""What is peculiar about a training and a development corpus, before a model learns from them."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from spacy.tokens import Doc
from spacy.training import Example

from spacy_bertcrf.corpora.summary import CorpusSummary, summarize
from spacy_bertcrf.models.bert.unknown_wordpieces import UnknownWordpieces, count_unknown
from spacy_bertcrf.models.bert.wordpieces import WordpieceTokenizer

Annotation = frozenset[tuple[int, int, str]]


class UnevenMention(NamedTuple):
    """A mention that is annotated in more than one way.

    labels: how often it has each label.
    n_plain: how often the same tokens are there without being in an entity.
    """

    text: str
    labels: Mapping[str, int]
    n_plain: int

    @property
    def n_minority(self) -> int:
        """How many of its places are not annotated as most are."""
        counts = [*self.labels.values(), self.n_plain]
        return sum(counts) - max(counts)


class WordpieceCounts(NamedTuple):
    """unknown: of the training texts.
    n_windowed: texts, of both corpora, that are longer than the BERT reads at a time; longest: the
    wordpieces of the longest text.
    """

    unknown: UnknownWordpieces
    n_windowed: int
    longest: int


@dataclass(frozen=True)
class Audit:
    """What `audit` finds. Examples are texts, the first that were found.

    train, dev: what the two hold.
    unseen: by label, entities of dev that no text of train has as an entity with this label.
    shared_texts: texts of dev that are in train too.
    repeated: texts that are more than once in train.
    contradicting: texts that are there with different entities, in train or in both.
    uneven: mentions of train with more than one label, or that are often no entity.
    misaligned: entities that do not fit the tokens of the pipeline's tokenizer, of both corpora.
    with_space, with_punctuation: entities that start or end with these.
    wordpieces: None without a BERT.
    """

    train: CorpusSummary
    dev: CorpusSummary
    unseen: Counter[str]
    shared_texts: Sequence[str]
    repeated: Mapping[str, int]
    contradicting: Sequence[str]
    uneven: Sequence[UnevenMention]
    misaligned: Sequence[str]
    with_space: Sequence[str]
    with_punctuation: Sequence[str]
    wordpieces: WordpieceCounts | None


def audit(
    train: Sequence[Example],
    dev: Sequence[Example],
    tokenizer: WordpieceTokenizer | None = None,
    max_pieces: int | None = None,
) -> Audit:
    """Look through two corpora.

    train, dev: the predicted Docs are as the pipeline's tokenizer makes them.
    tokenizer: of the BERT.
    max_pieces: how many wordpieces, special ones not counted, it reads at a time.
    """
    gold, dev_gold = [eg.reference for eg in train], [eg.reference for eg in dev]
    by_text: dict[str, list[Annotation]] = {}
    for doc in gold:
        by_text.setdefault(doc.text, []).append(_annotation(doc))
    both = {text: list(found) for text, found in by_text.items()}
    for doc in dev_gold:
        both.setdefault(doc.text, []).append(_annotation(doc))
    known = {(ent.text, ent.label_) for doc in gold for ent in doc.ents}
    of_both = [ent for doc in (*gold, *dev_gold) for ent in doc.ents]
    return Audit(
        train=summarize(gold),
        dev=summarize(dev_gold),
        unseen=Counter(
            ent.label_
            for doc in dev_gold
            for ent in doc.ents
            if (ent.text, ent.label_) not in known
        ),
        shared_texts=list(dict.fromkeys(d.text for d in dev_gold if d.text in by_text)),
        repeated={text: len(found) for text, found in by_text.items() if len(found) > 1},
        contradicting=[text for text, found in both.items() if len(set(found)) > 1],
        uneven=_uneven_mentions(gold),
        misaligned=[ent for example in (*train, *dev) for ent in _misaligned(example)],
        with_space=[e.text for e in of_both if e[0].is_space or e[-1].is_space],
        with_punctuation=[e.text for e in of_both if e[0].is_punct or e[-1].is_punct],
        wordpieces=None
        if tokenizer is None
        else _wordpieces([*_predicted(train)], [*_predicted(dev)], tokenizer, max_pieces),
    )


def _annotation(doc: Doc) -> Annotation:
    return frozenset((ent.start_char, ent.end_char, ent.label_) for ent in doc.ents)


def _predicted(examples: Iterable[Example]) -> Iterable[Doc]:
    return (example.predicted for example in examples)


def _misaligned(example: Example) -> list[str]:
    aligned = example.get_aligned_spans_y2x(example.reference.ents)
    kept = {(span.start_char, span.end_char) for span in aligned}
    ents = example.reference.ents
    return [ent.text for ent in ents if (ent.start_char, ent.end_char) not in kept]


def _uneven_mentions(docs: Sequence[Doc]) -> list[UnevenMention]:
    """The mentions with the most places that are annotated otherwise than most, first; of one
    token, only those with several labels, for short words are often no name."""
    labels: dict[tuple[str, ...], Counter[str]] = {}
    for doc in docs:
        for ent in doc.ents:
            labels.setdefault(_key(doc, ent.start, ent.end), Counter())[ent.label_] += 1
    plain: Counter[tuple[str, ...]] = Counter()
    first = {key[0] for key in labels}
    longest = max(map(len, labels), default=0)
    for doc in docs:
        free = [token.ent_iob_ == "O" for token in doc]
        words = [token.text for token in doc]
        for start in (i for i, word in enumerate(words) if free[i] and word in first):
            for end in range(start + 2, min(start + longest, len(words)) + 1):
                if not free[end - 1]:
                    break
                key = tuple(words[start:end])
                if key in labels:
                    plain[key] += 1
    found = [
        UnevenMention(_text(key), dict(counts.most_common()), plain[key])
        for key, counts in labels.items()
        if len(counts) > 1 or plain[key]
    ]
    return sorted(found, key=lambda mention: (-mention.n_minority, mention.text))


def _key(doc: Doc, start: int, end: int) -> tuple[str, ...]:
    return tuple(token.text for token in doc[start:end])


def _text(key: tuple[str, ...]) -> str:
    """Words of one character are written without spaces, as Chinese is."""
    return ("" if all(len(word) == 1 for word in key) else " ").join(key)


def _wordpieces(
    train: Sequence[Doc], dev: Sequence[Doc], tokenizer: WordpieceTokenizer, most: int | None
) -> WordpieceCounts:
    lengths = [int(n) for docs in (train, dev) if docs for n in tokenizer(docs).doc_lengths]
    n_windowed = 0 if most is None else sum(n > most for n in lengths)
    return WordpieceCounts(count_unknown(tokenizer, train), n_windowed, max(lengths, default=0))


def alike(labels: Iterable[str]) -> list[list[str]]:
    """The labels that differ in nothing but case, width and signs, as PER and per, together."""
    found: dict[str, list[str]] = {}
    for label in labels:
        letters = filter(str.isalnum, unicodedata.normalize("NFKC", label).casefold())
        found.setdefault("".join(letters) or label, []).append(label)
    return [group for group in found.values() if len(group) > 1]
