"""Records → Docs: the one place where texts become tokens and entities are laid on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain, pairwise

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.util import get_lang_class
from spacy.vocab import Vocab, create_vocab

from spacy_bertcrf.corpora.annotated_labels import INCORRECT_SPANS, mark_annotated
from spacy_bertcrf.corpora.entities import (
    BLANK,
    DUPLICATE,
    TRIMMED,
    annotate,
    trim,
    without_overlaps,
)
from spacy_bertcrf.corpora.language import UNSPACED
from spacy_bertcrf.corpora.offsets import OUT_OF_RANGE, name, quote
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record
from spacy_bertcrf.tagging import EntitySpan

MISALIGNED = "entity does not fit the tokens"
DISCONTINUOUS = "entity in pieces"
TOO_LONG = "text too long"

# Keys of user_data: the id of a text in its file, and whether the file gave its tokens.
KEY = "key"
HAS_TOKENS = "has_tokens"


class DocMaker:
    """Makes one Doc a record.

    A text is tokenised as the pipeline will tokenise it at prediction time; tokens stay as they
    are. White space at an entity's ends is taken off. Of entities that overlap the longer is kept
    in `doc.ents`. Tokens where an entity may be that could not be placed have no annotation rather
    than "not an entity", and so has all of a text that is not annotated.

    lang: language code; where it writes spaces, each given token has one after it.
    spans_key: where all entities go, overlapping ones too (`doc.spans[spans_key]`); if None, those
        that overlap are problems.
    annotated_labels: the labels that the corpus is annotated for, if others are not; if None, those
        that each record names. The Docs say so, as `mark_annotated` does it.
    """

    def __init__(
        self,
        lang: str,
        spans_key: str | None = None,
        annotated_labels: Sequence[str] | None = None,
    ) -> None:
        self.lang = lang
        self.spans_key = spans_key
        self.annotated_labels = annotated_labels

    @cached_property
    def vocab(self) -> Vocab:
        """The vocabulary of all Docs."""
        return create_vocab(self.lang, get_lang_class(self.lang).Defaults)

    @cached_property
    def nlp(self) -> Language:
        """The pipeline whose tokenizer makes the tokens. Where a file gives them, the language need
        not have its tokenizer installed. Raises ImportError if it is not."""
        return spacy.blank(self.lang, vocab=self.vocab)

    def make(self, record: Record, problems: ProblemLog) -> Doc | None:
        """Make a Doc. Returns None if spaCy cannot take the text, which is then a problem. Raises
        ValueError, with file and line, for an entity with none of the annotated labels."""
        doc = self._tokens(record, problems)
        if doc is None:
            return None
        if record.key is not None:
            doc.user_data[KEY] = record.key
        if record.tokens is not None:
            doc.user_data[HAS_TOKENS] = True
        if record.entities is not None:
            self._annotate(doc, record, problems)
        if record.rejected:
            wrong = [span for mention in record.rejected if (span := _span(doc, record, mention))]
            doc.spans[INCORRECT_SPANS] = [Span(doc, *span) for span in wrong]
        for key, (spans, attrs) in record.groups.items():
            of_doc = [Span(doc, *span) for span in spans]
            doc.spans[key] = SpanGroup(doc, name=key, attrs=attrs, spans=of_doc)
        if record.cats:
            doc.cats = dict(record.cats)
        if record.sentences is not None:
            starts = {0, *(_token_at(doc, record, at) for at in record.sentences)}
            for token in doc:
                token.is_sent_start = token.i in starts
        labels = self.annotated_labels or record.annotated_labels
        if labels and (record.entities is not None or record.groups):
            try:
                mark_annotated(doc, labels, self.spans_key)
            except ValueError as error:
                raise ValueError(f"{problems.path}, line {record.line}: {error}") from error
        return doc

    def _tokens(self, record: Record, problems: ProblemLog) -> Doc | None:
        words, text = record.tokens, record.text
        if words is None:
            assert text is not None
            if len(text) > self.nlp.max_length:
                what = (
                    f"{len(text):,} characters, and spaCy takes {self.nlp.max_length:,}: left out"
                )
                problems.add(TOO_LONG, record.line, what)
                return None
            return self.nlp.make_doc(text)
        spaces = record.spaces
        if spaces is None and text is not None:
            spaces = _spaces_in(text, words)
        if spaces is None:
            spaces = _spaces(words, self.lang)
        return Doc(self.vocab, words=list(words), spaces=list(spaces))

    def _annotate(self, doc: Doc, record: Record, problems: ProblemLog) -> None:
        spans: list[EntitySpan] = []
        lines: dict[EntitySpan, int] = {}
        missing: set[int] = set()
        for start, end in record.missing:
            missing.update(_in_doubt(doc, record, start, end))
        for mention in record.entities or ():
            line = _line(record, mention)
            span = self._place(doc, record, mention, missing, problems, line)
            if span is not None:
                spans.append(span)
                lines[span] = line
        kept = spans
        if len(spans) > 1:
            kept, dropped = without_overlaps(spans)
            for loser, kind, winner in dropped:
                if kind == DUPLICATE or self.spans_key is None:
                    what = f"{_name(doc, loser)} left out for {_name(doc, winner)}"
                    problems.add(kind, lines[loser], what)
        # Of a text all of whose tokens are in doubt an empty group would say that it has none.
        if self.spans_key is not None and (spans or not len(doc) or len(missing) < len(doc)):
            unique = dict.fromkeys(spans)
            doc.spans[self.spans_key] = [Span(doc, *span) for span in sorted(unique)]
            problems.count(f"Entities in doc.spans[{self.spans_key!r}]", len(unique))
        annotate(doc, kept, missing)

    def _place(
        self,
        doc: Doc,
        record: Record,
        mention: Mention,
        missing: set[int],
        problems: ProblemLog,
        line: int,
    ) -> EntitySpan | None:
        """The tokens of an entity; None, noted as a problem, if it has none."""
        pieces: Sequence[str] = record.tokens if record.tokens is not None else doc.text
        unit = "token(s)" if record.tokens is not None else "character(s)"
        if not 0 <= mention.start < mention.end <= len(pieces):
            problems.add(OUT_OF_RANGE, line, f"{name(mention)}: there are {len(pieces)} {unit}")
            missing.update(
                _in_doubt(doc, record, mention.start, max(mention.end, mention.start + 1))
            )
            return None
        start, end = trim(pieces, mention.start, mention.end)
        shown = f"{mention.label} {quote(_text(pieces, mention.start, mention.end))}"
        if start == end:
            size = mention.end - mention.start
            problems.add(BLANK, line, f"{mention.label} of {size} {unit}: left out")
            return None
        if not _is_contiguous(pieces, mention):
            problems.add(DISCONTINUOUS, line, f"{shown} in {len(mention.pieces)}: left out")
            for piece in mention.pieces:
                missing.update(_touched(doc, record, *piece))
            return None
        if (start, end) != (mention.start, mention.end):
            cut = mention.end - mention.start - (end - start)
            problems.add(TRIMMED, line, f"{shown}: {cut} {unit} taken off")
        span = _span(doc, record, mention._replace(start=start, end=end))
        if span is None:
            problems.add(MISALIGNED, line, f"{shown}: its tokens are left without annotation")
            missing.update(_touched(doc, record, start, end))
        return span


def with_all_categories(
    cats: Sequence[dict[str, float]], order: Sequence[str] | None = None
) -> list[dict[str, float]]:
    """Give each text that has categories all those of the corpus, 0 where it is in none of them:
    spaCy's `textcat` takes its labels from there.

    cats: the categories of each text; empty for one that has none.
    order: the categories in their order; if None, those of the texts, sorted.

    Returns the same with all categories.
    """
    names = sorted(set(chain.from_iterable(cats))) if order is None else order
    return [{name: of.get(name, 0.0) for name in names} if of else {} for of in cats]


def _span(doc: Doc, record: Record, mention: Mention) -> EntitySpan | None:
    if record.tokens is not None:
        inside = 0 <= mention.start < mention.end <= len(doc)
        return EntitySpan(mention.start, mention.end, mention.label) if inside else None
    span = doc.char_span(mention.start, mention.end, mention.label)
    return None if span is None else EntitySpan(span.start, span.end, mention.label)


def _in_doubt(doc: Doc, record: Record, start: int, end: int) -> Sequence[int]:
    """The tokens of a range in which an entity may be; if it has none, the entity may be anywhere,
    and all are."""
    return list(_touched(doc, record, start, end)) or range(len(doc))


def _touched(doc: Doc, record: Record, start: int, end: int) -> Iterator[int]:
    if record.tokens is not None:
        return iter(range(max(start, 0), min(end, len(doc))))
    return (token.i for token in doc if token.idx < end and start < token.idx + len(token))


def _token_at(doc: Doc, record: Record, at: int) -> int:
    if record.tokens is not None:
        return at
    return next((token.i for token in doc if token.idx + len(token) > at), len(doc))


def _is_contiguous(text: Sequence[str], mention: Mention) -> bool:
    """Whether white space alone parts an entity's pieces: a line break, say."""
    gaps = pairwise(sorted(mention.pieces))
    return all(not _text(text, one[1], other[0]).strip() for one, other in gaps)


def _line(record: Record, mention: Mention) -> int:
    if mention.line or record.lines is None:
        return mention.line or record.line
    return record.lines[min(max(mention.start, 0), len(record.lines) - 1)]


def _text(pieces: Sequence[str], start: int, end: int) -> str:
    return "".join(pieces[start:end])


def _name(doc: Doc, span: EntitySpan) -> str:
    return f"{span.label} {quote(doc[span.start : span.end].text)}"


def _spaces_in(text: str, words: Sequence[str]) -> list[bool] | None:
    """Which tokens a space follows in their text; None if they are not in it."""
    spaces, at = [], 0
    for word in words:
        found = text.find(word, at)
        if found < 0 or text[at:found].strip():
            return None
        at = found + len(word)
        spaces.append(text[at : at + 1].isspace())
    return spaces


def _spaces(words: Sequence[str], lang: str) -> list[bool]:
    if lang in UNSPACED:
        return [False] * len(words)
    # A token that is white space itself parts its neighbours.
    pairs = zip(words, [*words[1:], " "], strict=True)
    return [not word.isspace() and not following.isspace() for word, following in pairs]
