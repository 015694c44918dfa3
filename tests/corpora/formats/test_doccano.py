"""Exports of doccano, made by hand after those of its versions."""

import json

import pytest

from spacy_bertcrf.corpora.repeats import ALIKE, ANNOTATED_TWICE

ANNA = [(2, 6, "PER"), (16, 20, "LOC")]
TEXT = "👍 Anna lives in Köln"
OBJECTS = [
    {"id": 1, "label": "PER", "start_offset": 3, "end_offset": 7},
    {"id": 2, "label": "LOC", "start_offset": 17, "end_offset": 21},
]
TRIPLES = [[3, 7, "PER"], [17, 21, "LOC"]]


@pytest.mark.parametrize(
    "value",
    [
        {"text": TEXT, "labels": TRIPLES},
        {"id": 7, "text": TEXT, "meta": {}, "annotation_approver": None, "labels": TRIPLES},
        {"id": 7, "data": TEXT, "label": TRIPLES},
        {"id": 7, "text": TEXT, "label": TRIPLES, "Comments": []},
        {"id": 7, "text": TEXT, "entities": OBJECTS, "relations": [], "Comments": ["?"]},
        {"text": TEXT, "entities": TRIPLES, "cats": []},
        {"id": 7, "text": TEXT, "annotations": OBJECTS, "meta": {}},
    ],
)
@pytest.mark.parametrize("as_list", [False, True])
def test_each_version_is_read(read, value, as_list):
    """Else a version's export is read as another format, or behind an emoji a character off."""
    export = read(value, value, as_list=as_list)
    assert export.format == "doccano"
    assert export.offsets == [ANNA, ANNA]
    assert export.problems == []
    assert "UTF-16" in export.evidence


def test_an_export_that_counts_code_points(read):
    """Else the file of a script that writes doccano's keys is read with each end moved."""
    export = read({"text": TEXT, "label": [[2, 6, "PER"], [16, 20, "LOC"]]})
    assert export.offsets == [ANNA]
    assert "code points" in export.evidence


@pytest.mark.parametrize("end", [(17, 21), (16, 20)])
def test_line_ends_of_two_characters(read, end):
    """Else in a project that counts grapheme clusters all behind the first line is moved."""
    export = read({"text": "Anna met\r\nBob in Bonn", "label": [[*end, "LOC"]]})
    assert export.offsets == [[(17, 21, "LOC")]]


@pytest.mark.parametrize(
    "value",
    [
        {"data": "a b", "label": []},
        {"text": "a b", "label": []},
        {"id": 1, "text": "a b", "labels": [], "meta": {}},
        {"id": 1, "text": "a b", "entities": [], "relations": []},
    ],
)
def test_an_empty_list_is_annotation(read, value):
    """Else texts without entities are lost for training, or the file is taken for CLUENER's."""
    export = read(value)
    assert export.format == "doccano"
    assert export.unknown == [[]]
    assert "without entities" in export.evidence


def test_a_text_without_its_key_is_not_annotated(read):
    """Else a text that nobody looked at teaches that it has no entity."""
    export = read({"text": "Anna", "label": [[0, 4, "PER"]]}, {"id": 2, "text": "Bob"})
    assert export.annotated == [True, False]


def test_relations_are_counted(read):
    """Else they are lost without a word."""
    relation = {"id": 1, "from_id": 1, "to_id": 2, "type": "in"}
    export = read({"text": TEXT, "entities": OBJECTS, "relations": [relation, relation]})
    assert export.notes["Relations left out"] == "2"


def test_numbers_for_labels_need_names(read):
    """Else a database's numbers become labels, or names are guessed."""
    spans = [{"label": 1, "start_offset": 0, "end_offset": 4, "user": 1}]
    value = {"id": 1, "text": "Anna", "annotations": spans, "meta": {}}
    with pytest.raises(ValueError, match=r"export.json: the labels are numbers .* --labels"):
        read(value)
    assert read(value, labels=["LOC", "PER"]).entities == [[("Anna", "PER")]]
    assert read(value, labels=["LOC"]).problems == [("entity that cannot be read", 1)]


def test_categories(read):
    """Else a text classification project is an error about entities."""
    export = read({"text": "a b", "label": ["x", "y"]}, {"text": "c", "label": []})
    assert export.docs[0].cats == {"x": 1.0, "y": 1.0}
    assert "categories" in export.evidence
    slots = read({"text": "to Bonn", "cats": ["fly"], "entities": [[3, 7, "LOC"]]})
    assert slots.docs[0].cats == {"fly": 1.0}
    assert slots.entities == [[("Bonn", "LOC")]]


def test_what_is_wrong_is_told(read):
    """Else spans at white space, outside the text or given twice end in a traceback, or nowhere."""
    labels = [[0, 5, "PER"], [4, 5, "PER"], [40, 50, "PER"], [0, 4, "PER"], ["a", 4, "PER"], None]
    good = {"text": "Bob", "label": [[0, 3, "PER"]]}
    bad = {"text": "Anna is here", "label": labels[:4]}, {"text": "x", "label": labels[4:]}
    export = read(*bad, good)
    assert export.entities[0] == [("Anna", "PER")]
    assert sorted(export.problems) == [
        ("entity given twice", 1),
        ("entity of white space only", 1),
        ("entity that cannot be read", 2),
        ("entity that cannot be read", 2),
        ("offsets out of range", 1),
        ("white space at the edge of an entity", 1),
    ]


def test_a_text_annotated_twice(read):
    """Else two annotators' answers count as two texts, and one of them may be in dev."""
    alike = {"text": "Anna", "label": [[0, 4, "PER"]]}
    export = read(alike, alike, {"text": "Anna", "label": [[0, 4, "LOC"]]})
    assert export.problems == [(ANNOTATED_TWICE, 3)]
    assert export.notes[ALIKE] == "1"


def test_texts_that_were_edited_are_refused(read):
    """Else of a file whose texts were cut, the few spans that still lie inside are learned."""
    spans = [[start, start + 3, "X"] for start in (0, 10, 20, 30, 40, 50, 60, 70, 80)]
    with pytest.raises(ValueError, match="of 9 entities 7 lie outside their texts"):
        read({"text": "abc def ghi jkl", "label": spans})


@pytest.mark.parametrize(
    "value",
    [
        {"text": "a b", "labels": ["O", "B-PER"]},
        {"text": "a b", "label": "x"},
        {"text": "a b", "label": {"PER": {"a": [[0, 0]]}}},
        {"text": ["a", "b"], "label": [[0, 1, "PER"]]},
    ],
)
def test_what_is_not_doccanos(recognised, value):
    """Else another tool's file is read by doccano's rules."""
    assert "doccano" not in recognised(value)


def test_offsets_inside_an_emoji_tell_the_unit(read):
    """Else, where no spaces part words, all behind an emoji is a character beside its place."""
    export = read({"id": 1, "text": "😀李明在北京", "label": [[1, 3, "PER"], [4, 6, "LOC"]]})
    assert export.entities == [[("李明", "PER"), ("北京", "LOC")]]
    assert "inside a character" in export.evidence
    assert export.problems == []


def test_a_file_for_each_annotator(read_path, tmp_path):
    """Else what doccano exports of two who disagree is learned as two texts."""
    for name, label in (("admin", "PER"), ("other", "ORG")):
        row = {"id": 1, "text": "Anna came", "label": [[0, 4, label]]}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    export = read_path(tmp_path)
    assert export.problems == [(ANNOTATED_TWICE, 1)]
    (problem,) = export.corpus.problems
    assert problem.path.name == "other.jsonl"
    assert "admin.jsonl" in problem.what
