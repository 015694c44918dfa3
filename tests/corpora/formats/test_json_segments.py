"""Texts in pieces, some of which are entities."""

import pytest

from spacy_bertcrf.corpora.malformed import BAD_ENTITY


def test_pieces_of_sayings(read):
    """Else what chatbots learn from cannot be read."""
    fly = {"data": [{"text": "fly to "}, {"text": "New York", "entity": "city", "slot_name": "to"}]}
    bye = {"data": [{"text": "bye", "userDefined": False}]}
    for values in ([fly, bye], [{"fly": [fly], "bye": [bye]}]):
        export = read(*values)
        assert export.format == "json-segments"
        assert export.entities == [[("New York", "to")], []]
    intents = {"fly": {"utterances": [fly]}, "bye": {"utterances": [bye]}}
    export = read({"language": "en", "intents": intents, "entities": {"city": {"data": []}}})
    assert [doc.text for doc in export.docs] == ["fly to New York", "bye"]


def test_words_of_a_text_that_is_the_key(read):
    """Else each word is a text, or the file none."""
    pieces = [{"word": "飞往", "label": "O"}, {"word": "波恩", "label": "LOC"}]
    export = read({"飞往波恩": pieces, "波恩": pieces[1:]})
    assert export.entities == [[("波恩", "LOC")], [("波恩", "LOC")]]
    assert export.docs[0].text == "飞往波恩"


def test_labels_in_lists_and_what_is_no_label(read):
    """Else their entities are lost without a word."""
    values = [
        {"data": [{"text": "to "}, {"text": "Bonn", "entity": label}]}
        for label in ("city", ["city"], ["a", "b"], {"a": 1}, 3, None, False, [])
    ]
    export = read(*values)
    assert export.entities == [[("Bonn", "city")]] * 2 + [[]] * 6
    assert export.problems == [(BAD_ENTITY, line) for line in (3, 4, 5)]
    assert export.unknown == [[]] * 2 + [["Bonn"]] * 3 + [[]] * 3


@pytest.mark.parametrize(
    "value",
    [
        {"data": [{"text": "Anna", "ner": "B-PER"}, {"text": "met", "ner": "O"}]},
        {"data": [{"text": "Anna came", "start": 0, "end": 4, "label": "PER"}]},
        {"data": [{"text": "a "}, {"text": "b"}]},
        {"data": [{"text": "Fine film. ", "label": "good"}, {"text": "Bad.", "label": "bad"}]},
    ],
)
def test_what_is_none(recognised, value):
    """Else tokens are put together without their spaces."""
    assert "json-segments" not in recognised(value)
