import io

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab

from spacy_bertcrf.corpora.entities import annotate
from spacy_bertcrf.corpora.packing import PackedDocs
from spacy_bertcrf.tagging import EntitySpan

NLP = spacy.blank("xx")
WORDS = st.lists(st.sampled_from(["a", "中", " ", "𠮷", "\n"]), min_size=1, max_size=8)


@st.composite
def any_doc(draw):
    words = draw(WORDS)
    spaces = draw(st.none() | st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    starts = draw(st.none() | st.just([i % 2 == 0 for i in range(len(words))]))
    doc = Doc(NLP.vocab, words=words, spaces=spaces, sent_starts=starts)
    if draw(st.booleans()):
        annotate(doc, [EntitySpan(0, 1, draw(st.sampled_from("AB")))], missing=[len(words) - 1])
    if draw(st.booleans()):
        doc.cats = {"x": 1.0}
        doc.spans["k"] = [Span(doc, 0, 1, "only in spans")]
    return doc


def content(doc):
    return (
        [(t.text, t.whitespace_, t.ent_iob, t.ent_type_, t.is_sent_start) for t in doc],
        doc.cats,
        {key: [(s.start, s.end, s.label_) for s in group] for key, group in doc.spans.items()},
        doc.has_unknown_spaces,
    )


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(any_doc(), max_size=5))
def test_spacy_reads_what_is_packed(docs):
    """Else training sees another corpus than the file holds."""
    packed = PackedDocs(NLP.vocab)
    for doc in docs:
        packed.add(doc)
    file = io.BytesIO()
    packed.write(file)
    plain = DocBin(attrs=["ENT_IOB", "ENT_TYPE", "SENT_START"], docs=docs).to_bytes()
    for data in (file.getvalue(), plain):
        read = list(DocBin().from_bytes(data).get_docs(Vocab()))
        assert [content(doc) for doc in read] == [content(doc) for doc in docs]
    assert [content(doc) for doc in packed.docs()] == [content(doc) for doc in docs]


def test_a_part_holds_its_documents_and_strings_alone():
    """Else a split would carry the texts of the other parts."""
    packed = PackedDocs(NLP.vocab)
    for word in ("one", "two", "three"):
        packed.add(Doc(NLP.vocab, words=[word]))
    file = io.BytesIO()
    packed.write(file, [2, 0])
    part = DocBin().from_bytes(file.getvalue())
    assert [doc.text.strip() for doc in part.get_docs(NLP.vocab)] == ["three", "one"]
    assert "two" not in part.strings


def test_counts_are_those_of_the_docs():
    """Else the report tells of another corpus."""
    packed = PackedDocs(NLP.vocab)
    doc = Doc(NLP.vocab, words=["a", "b", "c"])
    annotate(doc, [EntitySpan(0, 2, "A")], missing=[2])
    packed.add(doc)
    (counts,) = packed.counts()
    assert (counts.tokens, counts.missing, dict(counts.entities)) == (3, 1, {"A": 1})


@pytest.mark.parametrize("size", [2**32, 2**40])
def test_more_than_a_docbin_holds_is_refused(size):
    """Else msgpack would write a file that nobody can read."""
    from spacy_bertcrf.corpora.packing import _bytes_header

    with pytest.raises(ValueError, match="in parts"):
        _bytes_header(size)
