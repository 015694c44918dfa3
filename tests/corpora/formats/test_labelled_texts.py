"""Files of a text and its label a line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertcrf.corpora.documents import DocMaker
from spacy_bertcrf.corpora.formats.labelled_texts import (
    LAYOUTS,
    detect_layout,
    read_classes,
    read_labelled_texts,
)
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.reading import read_corpus
from spacy_bertcrf.corpora.records import Record

PIECE = st.text(
    st.characters(blacklist_characters="\t\r\n", blacklist_categories=("Cs",)), min_size=1
).filter(lambda text: text == text.strip() and text)


def read(lines, layout="text-label", classes=None):
    """The pairs that were read, and the problems as (kind, line)."""
    problems = ProblemLog(Path("f.txt"))
    found = [
        (text, label) for _, text, label in read_labelled_texts(lines, layout, problems, classes)
    ]
    return found, [(problem.kind, problem.line) for problem in problems]


@pytest.mark.slow
@given(st.lists(st.tuples(PIECE, PIECE)), st.sampled_from(LAYOUTS))
def test_what_is_written_is_read(pairs, layout):
    """Quotes, commas and spaces inside a text are no syntax: a CSV reader would join lines at a
    lone quote, and lose them."""
    pairs = [("x" + text, label) for text, label in pairs]  # no header
    step = 1 if layout == "text-label" else -1
    found, problems = read(["\t".join(pair[::step]) for pair in pairs], layout)
    assert found == pairs
    assert not problems


def test_lines_that_cannot_be_read_are_reported_with_their_number():
    lines = ["好天气\t天气", "没有制表符", "两\t个\t3", "", " \t天气", "好\t ", "再见\t天气"]
    found, problems = read(lines)
    assert found == [("好天气", "天气"), ("再见", "天气")]
    assert problems == [
        ("line without one tab", 2),
        ("line without one tab", 3),
        ("empty text", 5),
        ("empty label", 6),
    ]


def test_ids_become_the_names_of_their_classes():
    """Also 0; and no number counts from the end of the list."""
    found, problems = read(["a\t0", "b\t1", "c\t2", "d\t-1", "e\tx", "f\t²"], classes=["甲", "乙"])
    assert found == [("a", "甲"), ("b", "乙")]
    assert problems == [("label is no class", n) for n in (3, 4, 5, 6)]


@pytest.mark.parametrize("header", ["text\tlabel", "label\ttext_a", "标签\t内容"])
def test_a_header_is_no_text(header):
    assert read([header, "好天气\t天气"]) == ([("好天气", "天气")], [])


def test_a_header_word_further_down_is_a_text():
    assert read(["好天气\t天气", "text\tlabel"])[0] == [("好天气", "天气"), ("text", "label")]


@pytest.mark.parametrize(
    ("lines", "layout"),
    [
        (["今天天气很好\t0", "他去了上海大学\t1", "明天天气不好\t0"], "text-label"),
        (["0\t今天天气很好", "1\t他去了上海大学", "0\t明天天气不好"], "label-text"),
        (["label\ttext", "pos\ta good film", "neg\ta bad film", "pos\tvery good"], "label-text"),
        (["今天天气很好\t天气"], "text-label"),
        (
            ["e-mail使用指南大全\ta", "今天天气很好\tb", "坏的没有制表符", "再来一个文本\ta"],
            "text-label",
        ),
        (["中\tB-ORG", "共\tI-ORG", "。\tO"], None),
        (["Microsoft\tS-ORG", "Corporation\tS-ORG"], None),
        (["中\tORG", "共\tORG", "", "人\tX"], None),
        (["a b c", "d e f"], None),
        (["text\tlabel"], None),
        ([], None),
    ],
)
def test_the_layout_is_detected(lines, layout):
    """And columns of tokens are never taken for texts."""
    assert detect_layout(lines) == layout


def test_docs_have_all_labels(tmp_path):
    """spaCy's `textcat` takes its labels from there; those without a text are among them if the
    file of classes has them."""
    classes, path = tmp_path / "classes.txt", tmp_path / "corpus.txt"
    classes.write_text("c\nb\na\n")
    path.write_text('"好"天\t1\n坏天\t0\n', encoding="utf8")
    docs = read_corpus(path, "text-label", classes=classes).docs
    assert [doc.text for doc in docs] == ['"好"天', "坏天"]
    assert list(docs[0].cats.items()) == [("c", 0.0), ("b", 1.0), ("a", 0.0)]
    assert docs[1].cats == {"c": 1.0, "b": 0.0, "a": 0.0}
    assert list(read_corpus(path, "text-label").docs[0].cats) == ["0", "1"]


def test_a_text_beyond_spacys_limit_is_reported(monkeypatch):
    """spaCy's own error would end the conversion, and say nothing of the line."""
    maker = DocMaker("zh")
    monkeypatch.setattr(maker.nlp, "max_length", 10)
    problems = ProblemLog(Path("f.txt"))
    assert maker.make(Record(1, text="短"), problems) is not None
    assert maker.make(Record(2, text="长" * 11), problems) is None
    assert [(p.kind, p.place) for p in problems] == [("text too long", "f.txt:2")]


def test_classes_are_in_the_order_of_the_lines():
    assert read_classes(Path("c.txt"), ["b", " a ", "c", ""]) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "c.txt is empty"),
        (["a", "", "b"], "c.txt:2 is empty"),
        (["a", "b", "a"], "c.txt:3: 'a' is the class of line 1 too"),
    ],
)
def test_classes_that_cannot_be_are_refused(lines, message):
    """Else every label after them would be another class's."""
    with pytest.raises(ValueError, match=message):
        read_classes(Path("c.txt"), lines)
