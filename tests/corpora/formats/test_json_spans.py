"""Texts with entities as people write them in JSON."""

import pytest

from spacy_bertcrf.corpora.entities import TRIMMED

TEXT = "Anna lives in Bonn"
SPANS = [("Anna", "PER"), ("Bonn", "LOC")]


@pytest.mark.parametrize(
    "make",
    [
        lambda s, e, label, text: {"start": s, "end": e, "label": label},
        lambda s, e, label, text: {"start": float(s), "end": str(e), "label": [label]},
        lambda s, e, label, text: {"startOffset": s, "endOffset": e, "type": label, "id": 5},
        lambda s, e, label, text: {"start": s, "end": e, "value": text, "entity": label},
        lambda s, e, label, text: {"start": s, "end": e, "entity": text, "type": label},
        lambda s, e, label, text: {"begin": s, "end": e, "tag": label, "text": text},
        lambda s, e, label, text: {"start_pos": s, "end_pos": e - 1, "label_type": label},
        lambda s, e, label, text: {"start": s + 1, "end": e, "label": label, "word": text},
        lambda s, e, label, text: {"offsets": [[s, e]], "text": [text], "type": label},
        lambda s, e, label, text: {"pos": [s, e], "name": text, "type": label},
        lambda s, e, label, text: [s, e, label],
        lambda s, e, label, text: [label, s, e],
        lambda s, e, label, text: [s, e, label, text],
        lambda s, e, label, text: [text, label, s, e],
        lambda s, e, label, text: [s, e - 1, text, label],
    ],
)
@pytest.mark.parametrize("keys", [("text", "entities"), ("sentence", "spans")])
def test_entities_of_any_spelling(read, make, keys):
    """Else everybody converts their own JSON by a script, or ends are a character off."""
    entities = [make(0, 4, "PER", "Anna"), make(14, 18, "LOC", "Bonn")]
    export = read({keys[0]: TEXT, keys[1]: entities, "source": "x"})
    assert export.format == "json-spans"
    assert export.entities == [SPANS]
    assert export.problems == []


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("path", [("data",), ("rasa_nlu_data", "common_examples")])
def test_a_list_inside_an_object(read, path, indent):
    """Else files with a header cannot be read."""
    entities = [{"start": 0, "end": 4, "value": "Anna", "entity": "PER"}]
    value = [
        {"text": "Anna", "intent": "greet", "entities": entities},
        {"text": "x", "entities": []},
    ]
    for key in reversed(path):
        value = {"version": [1], key: value}
    export = read(value, indent=indent, as_list=False)
    assert export.entities == [[("Anna", "PER")], []]
    assert ".".join(path) in export.evidence


@pytest.mark.parametrize("key", ["entities", "spans"])
def test_an_empty_list_is_annotation(read, key):
    """Else texts without entities are lost, or the file is taken for CLUENER's."""
    export = read({"text": "a", key: []})
    assert export.format == "json-spans"
    assert export.annotated == [True]
    assert "no entity anywhere" in export.evidence
    spans = [{"start": 0, "end": 1, "label": "X"}]
    export = read({"text": "a", key: spans}, {"text": "a", key: None}, {"text": "a"})
    assert export.annotated == [True, False, False]


def test_several_texts(read):
    """Else the title is read for the text."""
    spans = [{"start": 0, "end": 4, "label": "PER"}]
    value = {"text": "Nobody", "document": "Anna", "entities": spans}
    assert read(value, text_key="document").entities == [[("Anna", "PER")]]


def test_what_is_wrong_is_told(read):
    """Else white space, an emoji or a slip moves or loses entities in silence."""
    spans = [{"start": 0, "end": 5, "label": "PER"}, {"start": 14, "end": 18, "label": "LOC"}]
    assert read({"text": TEXT, "entities": spans}).problems == [(TRIMMED, 1)]
    spans = [{"start": 0, "end": 4, "label": "PER"}, {"end": 4, "label": "PER"}, 3]
    export = read({"text": TEXT, "entities": spans}, {"text": TEXT, "entities": spans[:1] * 4})
    assert export.problems.count(("entity that cannot be read", 1)) == 2
    assert export.problems.count(("entity given twice", 2)) == 3


@pytest.mark.parametrize(
    "value",
    [
        {"text": TEXT, "entities": {"PER": ["Anna"]}},
        {"text": TEXT, "entities": [{"text": "Anna", "label": "PER"}]},
        {"text": TEXT, "entities": ["Anna", "Bonn"]},
        {"text": TEXT, "label": "x"},
        {"title": TEXT, "n": 3},
    ],
)
def test_what_has_no_offsets(read, value):
    """Else such a file is read as text without annotation, and "No problems"."""
    with pytest.raises(ValueError, match="no format fits it"):
        read(value)
    with pytest.raises(ValueError, match="no object has a text beside a list of entities"):
        read(value, format="json-spans")
