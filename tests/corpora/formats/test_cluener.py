import json
from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bertcrf.corpora.documents import MISALIGNED
from spacy_bertcrf.corpora.entities import BLANK, DUPLICATE, NESTED, OVERLAP, TRIMMED
from spacy_bertcrf.corpora.json_values import BAD_LINE
from spacy_bertcrf.corpora.malformed import BAD_ENTITY
from spacy_bertcrf.corpora.offsets import OTHER_SURFACE, OUT_OF_RANGE
from spacy_bertcrf.corpora.reading import read_corpus
from spacy_bertcrf.corpora.sources import Source

NLP = spacy.blank("zh")
CHARACTERS = "中国人aB1，。 \u3000\t\n\u00a0\u2028\ufe0f\ufffd𠮷\x00\x1c"


def read_all(*lines, lang=None):
    lines = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    source = Source(Path("corpus.json"), data="\n".join(lines).encode())
    return read_corpus(source, "cluener", lang=lang)


def read(*lines, lang=None):
    corpus = read_all(*lines, lang=lang)
    return corpus.docs, [(problem.kind, problem.line) for problem in corpus.problems]


def entities(doc):
    return [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


def unknown(doc):
    return "".join(token.text for token in doc if not token.ent_iob)


@st.composite
def annotated_text(draw):
    text = draw(st.text(alphabet=CHARACTERS, min_size=1, max_size=30))
    labels: dict = {}
    spans, position = [], 0
    while position < len(text):
        start = position + draw(st.integers(0, 4))
        position = start + draw(st.integers(1, 5))
        if position <= len(text):
            label = draw(st.sampled_from(["name", "org.com"]))
            surfaces = labels.setdefault(label, {})
            surfaces.setdefault(text[start:position], []).append([start, position - 1])
            spans.append((start, position, label))
    return text, labels, spans


@pytest.mark.slow
@settings(deadline=None)
@given(annotated_text(), st.booleans())
def test_what_is_written_is_read(annotated, ascii_only):
    """Else entities are lost or moved between the file and training."""
    text, labels, spans = annotated
    line = json.dumps({"text": text, "label": labels}, ensure_ascii=ascii_only)
    (doc,), problems = read(line)
    assert doc.text == text
    assert [token.text for token in doc] == [token.text for token in NLP(text)]
    expected = []
    for start, end, label in spans:
        surface = text[start:end]
        if surface.strip():
            start += len(surface) - len(surface.lstrip())
            expected.append((start, start + len(surface.strip()), label))
    assert entities(doc) == expected
    assert not unknown(doc)
    assert {kind for kind, _ in problems} <= {TRIMMED, BLANK}


LINE = st.characters(blacklist_characters="\r\n", blacklist_categories=("Cs",))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@pytest.mark.slow
@settings(deadline=None)
@given(st.one_of(st.text(LINE), json_values.map(json.dumps)))
def test_any_line_is_read_left_out_or_blank(line):
    """Else one bad line ends the conversion in a traceback."""
    docs, problems = read({"text": "好"}, line)
    assert len(docs) + len(problems) == 1 + bool(line.strip(" \t"))


@pytest.mark.slow
@settings(deadline=None)
@given(json_values)
def test_any_annotation_is_read_or_reported(value):
    """Else a wrong annotation ends the conversion in a traceback, or passes for "no entity"."""
    docs, problems = read({"text": "中国", "label": {"name": {"国": [[1, 1]], "中": value}}})
    assert docs[0].ents[-1].text == "国"
    assert problems or value == [[0, 0]]


def test_cluener_layout():
    """Else a surface that occurs twice is found once, or the last character is cut."""
    docs, problems = read(
        {"text": "曼联胜曼联", "label": {"organization": {"曼联": [[0, 1], [3, 4]]}}},
        "",
        {"text": "没有", "label": {}},
    )
    assert entities(docs[0]) == [(0, 2, "organization"), (3, 5, "organization")]
    assert [token.ent_iob_ for token in docs[1]] == ["O", "O"]
    assert not problems


def test_a_text_without_label_has_no_annotation():
    """Else the texts of CLUENER's test set would pass for texts without entities."""
    docs, problems = read({"id": 0, "text": "四川敦煌学"}, {"text": "中", "label": None})
    assert not any(doc.has_annotation("ENT_IOB") for doc in docs)
    assert not problems


def test_nested_overlapping_and_repeated_entities_are_reported():
    """Else spaCy refuses the document, or an entity is lost without a trace."""
    docs, problems = read(
        {
            "text": "《招商银行》",
            "label": {"company": {"招商银行": [[1, 4]]}, "book": {"《招商银行》": [[0, 5]]}},
        },
        {"text": "北京大学生", "label": {"a": {"北京大学": [[0, 3]]}, "b": {"大学生": [[2, 4]]}}},
        {"text": "北京", "label": {"a": {"北京": [[0, 1], [0, 1]]}}},
    )
    assert [entities(doc) for doc in docs] == [[(0, 6, "book")], [(0, 4, "a")], [(0, 2, "a")]]
    assert problems == [(NESTED, 1), (OVERLAP, 2), (DUPLICATE, 3)]


def test_a_key_that_comes_twice_keeps_both_values():
    """Else JSON's own reading keeps the last and loses entities silently."""
    (doc,), problems = read(
        '{"text": "中国中", "label": {"a": {"中": [[0, 0]]}, '
        '"a": {"中": [[2, 2]], "国": [[1, 1]]}}}'
    )
    assert entities(doc) == [(0, 1, "a"), (1, 2, "a"), (2, 3, "a")]
    assert not problems
    assert read('{"text": "a", "text": "b"}') == ([], [(BAD_LINE, 1)])


@pytest.mark.parametrize(
    ("offsets", "kind"),
    [
        ([0, 2], OTHER_SURFACE),
        ([2, 3], OTHER_SURFACE),
        ([3, 9], OUT_OF_RANGE),
        ([-2, -1], OUT_OF_RANGE),
        ([1, 0], OUT_OF_RANGE),
        ([0, 10**30], OUT_OF_RANGE),
        ([0], BAD_ENTITY),
        ([0.0, 1.0], BAD_ENTITY),
        ([False, True], BAD_ENTITY),
        ("0-1", BAD_ENTITY),
        (None, BAD_ENTITY),
    ],
)
def test_an_entity_that_cannot_be_placed_is_reported_and_its_tokens_are_unknown(offsets, kind):
    """Else a wrong offset moves the entity, or trains its true place as "no entity"."""
    good = {"胜": [[2, 2]]}
    (doc,), problems = read({"text": "曼联胜了", "label": {"a": {"曼联": [offsets]}, "b": good}})
    assert problems == [(kind, 1)]
    assert entities(doc) == [(2, 3, "b")]
    assert unknown(doc).startswith("曼联")


def test_exclusive_ends_are_read_and_said():
    """Else every entity of a look-alike format is lost, or a character too long."""
    corpus = read_all({"text": "曼联胜", "label": {"a": {"曼联": [[0, 2]]}}})
    assert entities(corpus.docs[0]) == [(0, 2, "a")]
    assert not len(corpus.problems)
    assert any("ends exclusive" in evidence for evidence in corpus.evidence)


@pytest.mark.parametrize(
    "line",
    [
        '{"text": "中国", "label": {',
        '{"text": ""}',
        '{"label": {}}',
        '{"text": 5}',
        '{"text": "中", "label": []}',
        "[1]",
        "null",
        '{"text": "\\ud800"}',
        "[" * 100_000,
        "9" * 5000,
    ],
)
def test_a_line_that_cannot_be_read_is_left_out_and_reported(line):
    """Else one bad line costs the whole corpus."""
    docs, problems = read({"text": "好"}, line, {"text": "的"})
    assert [doc.text for doc in docs] == ["好", "的"]
    assert problems == [(BAD_LINE, 2)]


def test_white_space_at_the_edges_is_taken_off():
    """Else spaCy's own checks call the entity invalid."""
    (doc,), problems = read(
        {"text": "a b \u3000c", "label": {"x": {" b ": [[1, 3]], "\u3000": [[4, 4]]}}}
    )
    assert entities(doc) == [(2, 3, "x")]
    assert problems == [(TRIMMED, 1), (BLANK, 1)]


def test_an_entity_inside_a_token_leaves_the_token_unknown():
    """Else a word that holds an entity is trained on as "no entity"."""
    (doc,), problems = read(
        {"text": "The Londoners sing", "label": {"loc": {"London": [[4, 9]]}}},
        lang="en",
    )
    assert [token.ent_iob_ for token in doc] == ["O", "", "O"]
    assert problems == [(MISALIGNED, 1)]


def test_a_text_of_2500_characters_stays_whole():
    """Else an entity at the end of a long text is lost."""
    text = "中" * 2499 + "国"
    (doc,), problems = read({"text": text, "label": {"a": {"国": [[2499, 2499]]}}})
    assert entities(doc) == [(2499, 2500, "a")]
    assert not problems
