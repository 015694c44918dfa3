"""Examples with some tokens replaced by others, and all that is annotated in its right place."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example
from thinc.types import Ints2d

BEGIN, INSIDE = 3, 1  # values of ENT_IOB
OF_WORDS = ("TAG", "POS", "MORPH", "LEMMA", "NORM")
KEPT = (*OF_WORDS, "ENT_IOB", "ENT_TYPE", "SENT_START")
NO_SENT_START = np.uint64(2**64 - 1)  # -1, as Doc.to_array has it


class Surface(NamedTuple):
    """Tokens that stand together.

    words: (n,) their texts.
    spaces: (n - 1,) whether a space follows, for each but the last.
    """

    words: tuple[str, ...]
    spaces: tuple[bool, ...]


class Replacement(NamedTuple):
    """Tokens `start` to `end` of a Doc, end exclusive, become `surface`.

    They are either one token, which becomes one, or a whole entity.
    """

    start: int
    end: int
    surface: Surface


def surface_of(tokens: Doc | Span) -> Surface:
    """The words of some tokens, and the spaces between them."""
    spaces = [bool(token.whitespace_) for token in tokens]
    return Surface(tuple(token.text for token in tokens), tuple(spaces[:-1]))


def has_reference_tokens(example: Example) -> bool:
    """Whether the predicted Doc has the tokens of the reference."""
    return _same_tokens(example.predicted, example.reference)


def retokenized(nlp: Language, example: Example, replacements: Sequence[Replacement]) -> Example:
    """The example with tokens of its reference replaced, and its text tokenised by the pipeline.

    Where the predicted Doc has the tokens of the reference it has them afterwards too, even if
    the pipeline would split the new text otherwise: so no annotation comes out of line.
    """
    reference = replace_tokens(example.reference, replacements)
    # As spaCy's corpus reader does it.
    if not reference.has_unknown_spaces:
        predicted = nlp.make_doc(reference.text)
        if not has_reference_tokens(example) or _same_tokens(predicted, reference):
            return Example(predicted, reference)
    words = [token.text for token in reference]
    spaces = [bool(token.whitespace_) for token in reference]
    return Example(Doc(nlp.vocab, words=words, spaces=spaces), reference)


def replace_tokens(doc: Doc, replacements: Sequence[Replacement]) -> Doc:
    """A Doc with other tokens in some places, and the annotation of `doc`.

    What follows the last replaced token, a space or none, follows the last new one. New tokens
    have the entity label of those that they replace, and are in the same sentence. Of the rest of
    the annotation, see the package.

    replacements: in any order; they do not overlap. No span of a group starts or ends, and no
        sentence starts, inside one.
    """
    by_start = {replacement.start: replacement for replacement in replacements}
    words: list[str] = []
    spaces: list[bool] = []
    sources: list[int] = []  # the token of `doc` that each new one has its annotation from
    is_new: list[bool] = []
    boundaries = np.zeros(len(doc) + 1, dtype=np.int64)  # where each token of `doc` starts now
    position = 0
    while position < len(doc):
        boundaries[position] = len(words)
        replacement = by_start.get(position)
        end = replacement.end if replacement else position + 1
        surface = replacement.surface if replacement else Surface((doc[position].text,), ())
        words += surface.words
        spaces += [*surface.spaces, bool(doc[end - 1].whitespace_)]
        sources += [position] * len(surface.words)
        is_new += [replacement is not None] * len(surface.words)
        position = end
    boundaries[len(doc)] = len(words)
    changed = Doc(doc.vocab, words=words, spaces=None if doc.has_unknown_spaces else spaces)
    changed.from_array(list(KEPT), _annotation(doc, np.asarray(sources), np.asarray(is_new)))
    changed.cats = dict(doc.cats)
    _copy_span_groups(doc, changed, boundaries)
    for key, value in doc.user_data.items():
        if not _is_of_a_place(key):
            changed.user_data[key] = value
    return changed


def _annotation(doc: Doc, sources: np.ndarray, is_new: np.ndarray) -> Ints2d:
    """(n_tokens, len(KEPT)) uint64, the columns of KEPT for the new tokens."""
    array = doc.to_array(list(KEPT))[sources]
    array[is_new, : len(OF_WORDS)] = 0
    is_later = np.append(False, sources[1:] == sources[:-1])
    iob, label, sent_start = (array[:, KEPT.index(name)] for name in KEPT[len(OF_WORDS) :])
    iob[is_later & (iob == BEGIN) & (label != 0)] = INSIDE
    sent_start[is_later & (sent_start != 0)] = NO_SENT_START
    return cast(Ints2d, array)


def _copy_span_groups(doc: Doc, changed: Doc, boundaries: np.ndarray) -> None:
    for key, group in doc.spans.items():
        spans = [
            Span(
                changed,
                int(boundaries[span.start]),
                int(boundaries[span.end]),
                label=span.label,
                kb_id=span.kb_id,
                span_id=span.id,
            )
            for span in group
        ]
        changed.spans[key] = SpanGroup(changed, name=group.name, attrs=group.attrs, spans=spans)


def _is_of_a_place(key: object) -> bool:
    """Whether it is the key of an extension attribute of a token or a span, by its characters."""
    return isinstance(key, tuple) and len(key) > 2 and key[0] == "._." and key[2] is not None


def _same_tokens(one: Doc, other: Doc) -> bool:
    return np.array_equal(one.to_array(["ORTH", "SPACY"]), other.to_array(["ORTH", "SPACY"]))
