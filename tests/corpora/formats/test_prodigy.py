"""Datasets of Prodigy, made by hand after what `db-out` writes."""

import pytest

from spacy_bertcrf.corpora.documents import INCORRECT_SPANS
from spacy_bertcrf.corpora.formats.prodigy import UNANSWERED, UNCLEAR_REJECTION
from spacy_bertcrf.corpora.repeats import ANNOTATED_TWICE

TEXT = "👍 Anna lives in Köln"
WORDS = TEXT.split(" ")


def span(start, end, label, **more):
    return {"start": start, "end": end, "label": label, **more}


def tokens(text):
    made, at = [], 0
    for number, word in enumerate(text.split(" ")):
        end = at + len(word)
        made.append({"text": word, "start": at, "end": end, "id": number, "ws": True})
        at = end + 1
    return made


def task(spans, answer="accept", text=TEXT, view="ner_manual", **more):
    hashes = {"_input_hash": 1, "_task_hash": 2, "_view_id": view, "_session_id": None}
    marked = {} if spans is None else {"spans": spans}
    return {"text": text, **hashes, "tokens": tokens(text), **marked, "answer": answer, **more}


ANNA = span(2, 6, "PER", token_start=1, token_end=1)
KOLN = span(16, 20, "LOC", token_start=4, token_end=4)


def test_marked_texts(read):
    """Else a dataset is read as another format, or an emoji moves its entities."""
    export = read(task([ANNA, KOLN], meta={"source": "x"}))
    assert export.format == "prodigy"
    assert export.offsets == [[(2, 6, "PER"), (16, 20, "LOC")]]
    assert "all 2 surfaces fit" in export.evidence
    assert (export.problems, export.unknown) == ([], [[]])


def test_tokens_tell_how_offsets_count(read):
    """Else what a script wrote with Prodigy's keys and other offsets is read a character off."""
    moved = [{**ANNA, "start": 3, "end": 7}, {**KOLN, "start": 17, "end": 21}]
    assert read(task(moved)).offsets == [[(2, 6, "PER"), (16, 20, "LOC")]]
    without = [{"label": "PER", "token_start": 1, "token_end": 1}]
    assert read(task(without)).offsets == [[(2, 6, "PER")]]


def test_wordpieces_are_no_surfaces(read):
    """Else a dataset that was marked in wordpieces is refused, for its tokens are not the text."""
    pieces = [{"text": "an", "start": 0, "end": 2}, {"text": "##na", "start": 2, "end": 4}]
    value = task([span(0, 4, "PER", token_start=0, token_end=1)], text="Anna")
    assert read({**value, "tokens": pieces}).entities == [[("Anna", "PER")]]


@pytest.mark.parametrize("spans", [None, []])
def test_no_span_is_an_answer(read, spans):
    """Else texts without entities are lost for training."""
    export = read(task(spans))
    assert export.annotated == [True]
    assert export.entities == [[]]


def test_what_is_to_be_ignored(read):
    """Else texts that an annotator skipped are learned, or vanish without a count."""
    export = read(task([ANNA]), task([KOLN], "ignore"), task(None, "ignore"))
    assert len(export.docs) == 1
    assert export.notes["Ignored, left out"] == "2"


@pytest.mark.parametrize("more", [{"view": "ner"}, {"view": None, "score": 0.5}])
def test_suggestions(read, more):
    """Else the rest of a text that nobody looked at is learned to have no entity."""
    view = more.pop("view")
    good, bad = {**ANNA, **more}, {**KOLN, **more}
    values = [task([good], view=view), task([bad], "reject", view=view)]
    if view is None:
        values = [{k: v for k, v in value.items() if k != "tokens"} for value in values]
    export = read(*values)
    assert export.entities == [[("Anna", "PER")], []]
    assert export.unknown[0] == ["👍", "lives", "in", "Köln"]
    assert export.annotated[1] is False
    assert [str(found) for found in export.docs[1].spans[INCORRECT_SPANS]] == ["Köln"]
    assert export.problems == []


def test_texts_rejected_as_a_whole(read):
    """Else right spans beside a wrong one are learned to be wrong."""
    export = read(task([ANNA, KOLN], "reject"), task([ANNA], "reject"))
    assert export.problems == [(UNCLEAR_REJECTION, 1)]
    assert INCORRECT_SPANS not in export.docs[0].spans
    assert [str(found) for found in export.docs[1].spans[INCORRECT_SPANS]] == ["Anna"]
    assert export.notes["Rejected"] == "2"


def test_without_answers(read):
    """Else tasks that are still to be answered count as annotated."""
    export = read(task([ANNA]), task([KOLN], None))
    assert export.annotated == [True, False]
    assert export.problems == [(UNANSWERED, 2)]
    value = {key: value for key, value in task([ANNA]).items() if key != "answer"}
    export = read(value)
    assert export.entities == [[("Anna", "PER")]]
    assert "nobody has answered" in export.evidence


def test_two_sessions(read):
    """Else two annotators' answers count as two texts."""
    export = read(task([ANNA], _session_id="a"), task([KOLN], _session_id="b"))
    assert export.problems == [(ANNOTATED_TWICE, 2)]


def test_categories(read):
    """Else a text that was only sorted teaches that it has no entity."""
    options = [{"id": "A", "text": "a"}, {"id": "B", "text": "b"}]
    hashes = {"_input_hash": 1, "_task_hash": 2}
    export = read(
        {"text": "x", "options": options, "accept": ["B"], "answer": "accept", **hashes},
        {"text": "y", "label": "A", "answer": "accept", **hashes},
        {"text": "z", "label": "A", "answer": "reject", **hashes},
    )
    assert [doc.cats for doc in export.docs] == [
        {"A": 0.0, "B": 1.0},
        {"A": 1.0, "B": 0.0},
        {"A": 0.0, "B": 0.0},
    ]
    assert export.annotated == [False, False, False]


def test_what_is_not_prodigys(recognised):
    """Else a question-answering file is read as annotated without entities."""
    assert "prodigy" not in recognised({"text": "x", "answer": "42"})
    assert "prodigy" not in recognised({"text": "x", "spans": [{"start": 0, "end": 1}]})
