"""Every format that is written, read back."""

import json

import pytest
import regex
import spacy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span

from spacy_bertcrf.corpora.documents import KEY
from spacy_bertcrf.corpora.formats import all_formats, get_format
from spacy_bertcrf.corpora.formats.columns_writer import CHANGED_TOKEN, EMPTY
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.reading import read_corpus
from spacy_bertcrf.corpora.writing import NOT_HELD, OTHER_GROUP, annotated_texts
from spacy_bertcrf.tagging.repair import FILE_SCHEMES

NLP = spacy.blank("zh")
TEXT_FORMATS = ["brat", "cluener", "doccano", "json-spans", "label-studio", "prodigy"]
LABELS = ["PER", "org.com", "a-b", "地址"]


def write(docs, name, path, scheme=None, **options):
    problems = ProblemLog(path)
    texts = annotated_texts(docs, problems, **options)
    get_format(name).writer(texts, path, Options(scheme=scheme), problems)
    return [problem.kind for problem in problems]


def entities(doc):
    return [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


ANY = st.characters(exclude_categories=("Cs",))
ANY_TEXT = st.text(ANY, max_size=20)
# Which unit doccano's offsets count is not in its files: it is told by whole words, which random
# letters behind an emoji or an accent are not. So here each unit counts the same: a character is
# one UTF-16 unit, and a grapheme cluster of its own.
ONE_UNIT_TEXT = st.text(
    st.characters(exclude_categories=("Cs",), max_codepoint=0xFFFF), max_size=20
).filter(lambda text: len(regex.findall(r"\X", text)) == len(text))


@st.composite
def annotated(draw, texts=ANY_TEXT):
    text = draw(texts)
    doc = NLP.make_doc(text)
    spans, at = [], draw(st.integers(0, 2))
    while at < len(doc):
        end = min(len(doc), at + draw(st.integers(1, 4)))
        if not doc[at].is_space and not doc[end - 1].is_space:
            spans.append(Span(doc, at, end, draw(st.sampled_from(LABELS))))
        at = end + draw(st.integers(0, 2))
    doc.set_ents(spans, default="outside")
    return doc


def test_which_formats_are_written():
    """Else a format loses its writer and nobody hears of it."""
    written = {name for name, format in all_formats().items() if format.writer}
    assert written == {*TEXT_FORMATS, "columns", "msra"}


@pytest.mark.slow
@pytest.mark.parametrize("name", TEXT_FORMATS)
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_texts_are_read_back_as_they_were(tmp_path_factory, name, data):
    """Else an export moves entities, behind an emoji for one, or leaves out an empty text, and all
    behind it answer another line."""
    texts = annotated(ONE_UNIT_TEXT if name == "doccano" else ANY_TEXT)
    docs = data.draw(st.lists(texts, min_size=1, max_size=4))
    if name in ("label-studio", "json-spans"):  # where most have no text, nothing says which it is
        for doc in [NLP.make_doc("无") for _ in docs]:
            doc.set_ents([], default="outside")
            docs.append(doc)
    path = tmp_path_factory.mktemp("export") / "out.json"
    assert write(docs, name, path) == []
    back = read_corpus(path, format=name, lang="zh", keep_empty=True)
    assert [doc.text for doc in back.docs] == [doc.text for doc in docs]
    assert [entities(doc) for doc in back.docs] == [entities(doc) for doc in docs]


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(annotated(), min_size=1, max_size=4), st.sampled_from(list(FILE_SCHEMES)))
@example([NLP.make_doc("\ufeff a")], "BIO")
def test_columns_are_read_back_as_they_were(tmp_path_factory, docs, scheme):
    """Else an export shifts tags by a token, or makes two entities one without a word."""
    path = tmp_path_factory.mktemp("export") / "out.txt"
    for doc in docs:
        doc.set_ents(doc.ents, default="outside")
    kinds = write(docs, "columns", path, scheme)
    options = {"token_column": 1, "tag_column": 2, "lang": "zh", "scheme": scheme}
    back = read_corpus(path, format="columns", **options)
    held = [doc for doc in docs if len(doc)]
    assert kinds.count(EMPTY) == len(docs) - len(held)
    assert len(back.docs) == len(held)
    for doc, other in zip(held, back.docs, strict=True):
        assert len(doc) == len(other)
        if CHANGED_TOKEN not in kinds:
            assert [token.text for token in doc] == [token.text for token in other]
        if NOT_HELD not in kinds:
            spans = [(ent.start, ent.end, ent.label_) for ent in doc.ents]
            assert [(ent.start, ent.end, ent.label_) for ent in other.ents] == spans


@pytest.mark.slow
def test_an_emoji_before_a_name_does_not_move_it_in_doccano(tmp_path):
    """Else every name behind an emoji is a character off in doccano's page."""
    doc = spacy.blank("en").make_doc("👍 Anna lives in Köln")
    doc.set_ents([Span(doc, 1, 2, "PER"), Span(doc, 4, 5, "LOC")], default="outside")
    write([doc], "doccano", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["label"] == [
        [3, 7, "PER"],
        [17, 21, "LOC"],
    ]
    back = read_corpus(tmp_path / "out.json", lang="en")
    assert [(ent.text, ent.label_) for ent in back.docs[0].ents] == [
        ("Anna", "PER"),
        ("Köln", "LOC"),
    ]


def test_columns_are_recognised_again(tmp_path):
    """Else an export needs options to be read."""
    docs = [NLP.make_doc(text) for text in ("王小明在北京", "他在上海工作")]
    docs[0].set_ents([Span(docs[0], 0, 3, "PER"), Span(docs[0], 4, 6, "LOC")], default="outside")
    docs[1].set_ents([Span(docs[1], 2, 4, "LOC")], default="outside")
    for scheme in ("BIO", "BIOES", "BMES", "BILOU"):
        write(docs, "columns", tmp_path / "out.txt", scheme)
        back = read_corpus(tmp_path / "out.txt")
        assert [entities(doc) for doc in back.docs] == [entities(doc) for doc in docs]
        assert back.scheme == scheme


@pytest.mark.parametrize("name", TEXT_FORMATS)
def test_overlapping_entities_and_empty_annotation_are_kept(tmp_path, name):
    """Else nested entities vanish, or a text without an entity is one that nobody looked at."""
    docs = [NLP.make_doc("北京大学"), NLP.make_doc("无")]
    for doc in docs:
        doc.set_ents([], default="outside")
        doc.spans["all"] = []
    docs[0].spans["all"] = [Span(docs[0], 0, 2, "LOC"), Span(docs[0], 0, 4, "ORG")]
    assert write(docs, name, tmp_path / "out.json", spans_key="all") == []
    back = read_corpus(tmp_path / "out.json", format=name, lang="zh", spans_key="all").docs
    found = {(span.text, span.label_) for span in back[0].spans["all"]}
    assert found == {("北京", "LOC"), ("北京大学", "ORG")}
    assert [token.ent_iob_ for token in back[1]] == ["O"]


def test_what_columns_cannot_hold_is_said(tmp_path):
    """Else an entity is dropped in silence."""
    doc = NLP.make_doc("北京大学")
    doc.spans["all"] = [Span(doc, 0, 2, "LOC"), Span(doc, 0, 4, "ORG")]
    kinds = write([doc], "columns", tmp_path / "out.txt", spans_key="all")
    assert kinds == [NOT_HELD]
    assert write([Doc(NLP.vocab)], "columns", tmp_path / "out.txt") == [EMPTY]
    assert write([NLP.make_doc("无")], "columns", tmp_path / "out.txt") == [NOT_HELD]
    bad = Doc(NLP.vocab, words=["a\tb", "c\nd"])
    bad.set_ents([], default="outside")
    assert write([bad], "columns", tmp_path / "out.txt") == [CHANGED_TOKEN] * 2


def test_partial_annotation_and_categories_are_said(tmp_path):
    """Else what nobody looked at is written as "no entity", without a word."""
    doc = NLP.make_doc("北京大学")
    doc.set_ents([Span(doc, 0, 2, "LOC")], missing=[doc[2:4]], default="outside")
    doc.cats = {"news": 1.0}
    assert write([doc], "doccano", tmp_path / "out.json") == [NOT_HELD] * 2


def test_predictions_have_their_scores_and_ids(tmp_path):
    """Else the leaderboard refuses the file, and annotators cannot see what is unsure."""
    doc = NLP.make_doc("彭小军认为")
    doc.ents = [Span(doc, 0, 3, "name")]
    doc.spans["bertcrf"] = [Span(doc, 0, 3, "name")]
    doc.spans["bertcrf"].attrs["scores"] = [0.75]
    doc.user_data[KEY] = 17
    empty = NLP.make_doc("无")
    empty.set_ents([], default="outside")
    docs = [doc, empty]
    write(docs, "cluener", tmp_path / "out.json", is_predicted=True)
    lines = [json.loads(line) for line in (tmp_path / "out.json").read_text().splitlines()]
    assert lines == [
        {"id": 17, "label": {"name": {"彭小军": [[0, 2]]}}},
        {"id": 1, "label": {}},
    ]
    write(docs, "label-studio", tmp_path / "tasks.json", is_predicted=True)
    task = json.loads((tmp_path / "tasks.json").read_text())[0]
    assert task["data"] == {"text": "彭小军认为", "id": 17}
    assert task["predictions"][0]["score"] == 0.75
    assert task["predictions"][0]["result"][0]["score"] == 0.75
    assert "annotations" not in task
    write(docs, "prodigy", tmp_path / "tasks.jsonl", is_predicted=True)
    first = json.loads((tmp_path / "tasks.jsonl").read_text().splitlines()[0])
    assert first["spans"][0]["score"] == 0.75
    assert "answer" not in first
    write(docs, "json-spans", tmp_path / "out.jsonl", is_predicted=True)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    entity = {"start": 0, "end": 3, "label": "name", "text": "彭小军", "score": 0.75}
    assert lines == [
        {"id": 17, "text": "彭小军认为", "entities": [entity]},
        {"id": 1, "text": "无", "entities": []},
    ]


def test_overlapping_spans_that_are_not_written_are_said(tmp_path):
    """Else what a pipeline found in its group of spans is missing without a word."""
    doc = NLP.make_doc("北京大学")
    doc.set_ents([Span(doc, 0, 4, "ORG")], default="outside")
    doc.spans["sc"] = [Span(doc, 0, 4, "ORG")]
    assert write([doc], "json-spans", tmp_path / "out.jsonl") == []
    doc.spans["sc"] = [Span(doc, 0, 4, "ORG"), Span(doc, 0, 2, "LOC")]
    assert write([doc], "json-spans", tmp_path / "out.jsonl") == [OTHER_GROUP]


def test_a_group_that_is_not_there_is_an_error(tmp_path):
    """Else a slip in a name gives a file without an entity. Of a text that nobody annotated there
    is no group either."""
    doc = NLP.make_doc("北京大学")
    assert write([doc], "json-spans", tmp_path / "out.jsonl", spans_key="sc") == []
    assert "entities" not in json.loads((tmp_path / "out.jsonl").read_text())
    doc.spans["other"] = []
    with pytest.raises(ValueError, match=r"no spans\['sc'\]; it has 'other'"):
        write([doc], "json-spans", tmp_path / "out.jsonl", spans_key="sc")


def test_brats_files_are_named_by_ids_where_that_can_be(tmp_path):
    """Else a folder of brat's comes back under other names, or one text is written over another."""
    docs = [NLP.make_doc(text) for text in "中国人民好"]
    for doc, key in zip(docs, ["a.1", "A.1", "../up", "", 7], strict=True):
        doc.user_data[KEY] = key
    write(docs, "brat", tmp_path / "out")
    names = {path.stem: path.read_text() for path in (tmp_path / "out").glob("*.txt")}
    assert names == {
        "a.1": "中",
        "text-000001": "国",
        "text-000002": "人",
        "text-000003": "民",
        "7": "好",
    }
    with pytest.raises(ValueError, match="Name a new folder"):
        write(docs, "brat", tmp_path / "out")


def test_brat_has_line_ends_labels_and_what_nobody_annotated(tmp_path):
    """Else entities behind a CRLF move, brat shows no label, or a text that nobody looked at has no
    entity."""
    doc = NLP.make_doc("中\r\n国\t人在北京")
    spans = [Span(doc, 0, 5, "PER"), Span(doc, len(doc) - 2, len(doc), "LOC")]
    doc.set_ents(spans, default="outside")
    write([doc, NLP.make_doc("无")], "brat", tmp_path / "out")
    assert (tmp_path / "out" / "000000.txt").read_bytes().decode() == doc.text
    assert (tmp_path / "out" / "000000.ann").read_text() == (
        "T1\tPER 0 1;3 6\t中 国 人\nT2\tLOC 7 9\t北京\n"
    )
    assert (tmp_path / "out" / "annotation.conf").read_text().startswith("[entities]\nPER\nLOC\n")
    back = read_corpus(tmp_path / "out", lang="zh")
    assert back.format == "brat"
    assert entities(back.docs[0]) == entities(doc)
    assert not any(token.ent_iob for token in back.docs[1])
    doc.set_ents([Span(doc, 0, 1, "a b")], default="outside")
    with pytest.raises(ValueError, match="label 'a b'"):
        write([doc], "brat", tmp_path / "other")


def test_nothing_is_left_where_writing_fails(tmp_path):
    """Else half a file is taken for a whole one."""
    doc = NLP.make_doc("北京")
    doc.set_ents([Span(doc, 0, 2, "a\tb")], default="outside")
    (tmp_path / "out.txt").write_text("old")
    with pytest.raises(ValueError, match="tab"):
        write([doc], "columns", tmp_path / "out.txt")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
