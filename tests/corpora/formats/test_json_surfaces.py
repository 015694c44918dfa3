"""Texts with the texts of their entities, which say no places."""

import pytest

TEXT = "Anna lives in Bonn"
SPANS = [("Anna", "PER"), ("Bonn", "LOC")]


@pytest.mark.parametrize(
    "value",
    [
        {"text": TEXT, "entity": [{"entity": "Anna", "entity_type": "PER"}, ["Bonn", "LOC"]]},
        {"text": TEXT, "entities": {"PER": ["Anna"], "LOC": ["Bonn"]}},
        {"sentence": TEXT, "entities": {"Anna": "PER", "Bonn": "LOC"}},
        {"text": TEXT, "ner": [{"text": "Anna", "label": "PER"}, {"text": "Bonn", "label": "LOC"}]},
        [TEXT, {"Anna": "PER", "Bonn": "LOC"}],
        [TEXT, [["Anna", "PER"], ["LOC", "Bonn"]]],
    ],
)
def test_each_in_its_one_place(read, value):
    """Else such a file is an error, though there is nothing to guess."""
    export = read(value, value if isinstance(value, dict) else ["And nothing here", {}])
    assert export.format == "json-surfaces"
    assert export.entities[0] == SPANS
    assert export.problems == []
    assert export.notes["Entities without offsets, found by their texts"] in ("2", "4")


def test_several_places(read):
    """Else one of them is taken without a word, and the model learns that the other is none."""
    value = {"text": "Anna met Anna and Annabel", "entities": [{"text": "Anna", "label": "PER"}]}
    export = read(value)
    assert export.entities == [[]]
    assert export.unknown == [["Anna", "Anna"]]
    assert export.problems == [("entity whose text is in several places", 1)]
    assert read(value, locate="all").entities == [[("Anna", "PER")] * 2]
    first = read(value, locate="first")
    assert first.offsets == [[(0, 4, "PER")]]
    assert first.unknown == [[]]
    twice = {**value, "entities": value["entities"] * 2}
    assert read(twice).entities == [[("Anna", "PER")] * 2]


def test_inside_another_entity(read):
    """Else York is an entity inside New York, beside the one that is meant."""
    entities = [{"text": "York", "label": "LOC"}, {"text": "New York", "label": "LOC"}]
    export = read({"text": "From New York to York", "entities": entities})
    assert export.entities == [[("New York", "LOC"), ("York", "LOC")]]
    entities = [{"text": "胡", "label": "PER"}]
    assert read({"text": "胡老说过", "entities": entities}).entities == [[("胡", "PER")]]


def test_what_is_not_there(read):
    """Else entities vanish, or those of another text are taken for these."""
    entities = [{"text": "Anna", "label": "PER"}, {"text": "Rome", "label": "LOC"}]
    export = read({"text": TEXT, "entities": entities})
    assert export.entities == [SPANS[:1]]
    assert export.problems == [("entity that is not in its text", 1)]
    assert export.unknown == [["lives", "in", "Bonn"]]
    lost = {"text": TEXT, "entities": [{"text": f"x{n}", "label": "X"} for n in range(9)]}
    with pytest.raises(ValueError, match="no format fits it"):
        read(lost)


def test_answers_to_questions_are_no_entities(read):
    """Else SQuAD's answers are entities with the label "text"."""
    answers = {"text": ["Bonn"], "answer_start": [14]}
    with pytest.raises(ValueError, match="no format fits it"):
        read({"context": TEXT, "question": "Where?", "answers": answers})
