"""Entities whose places and labels are in lists of their own, and those in objects inside them."""

import pytest

TEXT = "Anna met Bob."
SPANS = [("Anna", "PER"), ("Bob", "PER")]


@pytest.mark.parametrize("key", ["entities", "ner"])
@pytest.mark.parametrize(
    ("found", "none", "one", "format"),
    [
        (
            {"start": [0, 9], "end": [4, 12], "label": ["PER", "PER"]},
            {"start": [], "end": [], "label": []},
            {"start": [0], "end": [2], "label": ["PER"]},
            "json-spans",
        ),
        (
            {"starts": [0, 9], "ends": [4, 12], "labels": ["PER", "PER"], "note": None},
            {"starts": [], "ends": [], "labels": [], "note": None},
            {"starts": [0], "ends": [2], "labels": ["PER"], "note": None},
            "json-spans",
        ),
        (
            {
                "id": ["a", "b"],
                "type": ["PER", "PER"],
                "text": [["Anna"], ["Bob"]],
                "offsets": [[[0, 4]], [[9, 12]]],
                "normalized": [[], [{"db": "x"}]],
            },
            {"id": [], "type": [], "text": [], "offsets": [], "normalized": []},
            {
                "id": ["c"],
                "type": ["PER"],
                "text": [["Al"]],
                "offsets": [[[0, 2]]],
                "normalized": [[]],
            },
            "json-spans",
        ),
        (
            {"type": ["PER", "PER"], "text": ["Anna", "Bob"]},
            {"type": [], "text": []},
            {"type": ["PER"], "text": ["Al"]},
            "json-surfaces",
        ),
    ],
)
def test_a_list_for_each_part_of_the_entities(read, key, found, none, one, format):
    """Else `start` and `end` are the labels of entities that nobody annotated."""
    texts = (TEXT, "Nobody came.", "Al came.")
    for order in ((found, none, one), (none, found, one)):
        pairs = sorted(zip(texts, (found, none, one), strict=True), key=lambda p: order.index(p[1]))
        export = read(*({"text": text, key: entities} for text, entities in pairs))
        assert export.format == format
        assert sorted(export.entities) == sorted([SPANS, [], [("Al", "PER")]])
        assert export.problems == []


def test_lists_of_parts_that_differ_in_length_are_told(read):
    """Else the label of one entity is given to another."""
    whole = {"start": [0, 9], "end": [4, 12], "label": ["PER", "PER"]}
    broken = {"start": [0, 9], "end": [4], "label": ["PER", "PER"]}
    export = read({"text": TEXT, "entities": whole}, {"text": TEXT, "entities": broken})
    assert export.entities == [SPANS, []]
    assert {line for _, line in export.problems} == {2}


def test_labels_that_are_called_like_parts(read):
    """Else a label that is a word such as "name" is the key of a list."""
    entities = {"name": ["Anna"], "position": ["Bob"]}
    assert read({"text": TEXT, "entities": entities}).entities == [
        [("Anna", "name"), ("Bob", "position")]
    ]


@pytest.mark.parametrize(
    ("found", "none"),
    [
        ({"spans": [[0, 4], [9, 12]], "labels": ["PER", "PER"]}, {"spans": [], "labels": []}),
        (
            {"spans": [{"start": 0, "end": 4}, {"start": 9, "end": 12}], "label": ["PER", "PER"]},
            {"spans": [], "label": []},
        ),
        (
            {"starts": [0, 9], "ends": [4, 12], "labels": ["PER", "PER"]},
            {"starts": [], "ends": [], "labels": []},
        ),
        ({"entity_offsets": [1], "offsets": [[0, 4], [9, 12]], "types": ["PER", "PER"]}, {}),
    ],
)
def test_lists_beside_the_text(read, found, none):
    """Else the labels are the classes of the text, and all its entities are lost."""
    export = read({"text": TEXT, **found}, {"text": "Nobody came.", **none})
    assert export.format == "json-spans"
    assert export.entities == [SPANS, []]
    assert export.annotated == [True, bool(none)]
    assert export.problems == []


def test_lists_beside_the_text_that_differ_in_length_are_told(read):
    """Else nobody knows that its entities were not read."""
    whole = {"text": TEXT, "spans": [[0, 4], [9, 12]], "labels": ["PER", "PER"]}
    export = read(whole, whole, {**whole, "labels": ["PER"]})
    assert export.problems == [("line that cannot be read", 3)]
    assert export.annotated == [True, True, False]


def test_spans_beside_the_classes_of_a_text(read):
    """Else spans are left out without a word."""
    export = read({"text": TEXT, "spans": [[0, 4], [9, 12]], "labels": ["news"]})
    assert export.format == "doccano"
    assert export.notes["Other lists that are not read"] == "spans"


@pytest.mark.parametrize("inclusive", [0, 1])
@pytest.mark.parametrize("keys", [("begin", "end"), ("start", "end")])
def test_offsets_in_an_object_inside(read, inclusive, keys):
    """Else entities of which one text is in several places are lost, though they say theirs."""

    def entity(surface, label, start, end):
        index = dict(zip(keys, (start, end - inclusive), strict=True))
        return {"entity_index": index, "entity_type": label, "entity": surface}

    text = "有关日寇在京掠夺今日日报"
    entities = [entity("日", "LOC", 2, 3), entity("京", "LOC", 5, 6)]
    export = read({"text": text, "entity_list": entities}, {"text": "没有", "entity_list": []})
    assert export.format == "json-spans"
    assert export.offsets == [[(2, 3, "LOC"), (5, 6, "LOC")], []]
    assert export.problems == []


def test_an_entity_in_pieces_has_its_texts_in_a_list(read):
    """Else a list of texts is no text, and does not tell how offsets count."""
    pieces = {"type": "Disease", "text": ["Head", "cancer"], "offsets": [[1, 4], [15, 20]]}
    whole = {"type": "Species", "text": ["rats"], "offsets": [[25, 28]]}
    export = read({"text": "Head and neck cancer in rats", "entities": [pieces, whole]})
    assert "offsets from 1, ends inclusive" in export.evidence
    assert export.entities == [[("rats", "Species")]]
    assert export.problems == [("entity in pieces", 1)]
