"""Tokens and entities that count them."""

import pytest

from spacy_bertcrf.corpora.offsets import OTHER_SURFACE, OUT_OF_RANGE

WORDS = ["Anna", "Bell", "lives", "in", "New", "York"]
SPANS = [("Anna Bell", "PER"), ("New York", "LOC")]
INSTANT = ["Bonn", "waits"]


@pytest.mark.parametrize(
    ("tokens", "make"),
    [
        ("tokens", lambda s, e, label: {"type": label, "start": s, "end": e + 1}),
        ("words", lambda s, e, label: {"label": label, "start_pos": s, "end_pos": e}),
        ("tokenized_text", lambda s, e, label: [s, e, label]),
        ("sentence", lambda s, e, label: {"index": list(range(s, e + 1)), "type": label}),
        ("tokens", lambda s, e, label: {"span": list(range(s, e + 1)), "type": label}),
        ("token", lambda s, e, label: {"type": label, "start": s + 1, "end": e + 1}),
        ("tokens", lambda s, e, label: {"tag": label, "token_start": s, "token_end": e}),
    ],
)
def test_each_way_to_count(read, tokens, make):
    """Else files of SpERT, GLiNER, W2NER or SLURP are errors, or lose a word of each entity."""
    entities = [make(0, 1, "PER"), make(4, 5, "LOC")]
    other = {tokens: INSTANT, "ner": [make(0, 0, "LOC")]}
    export = read({tokens: WORDS, "ner": entities}, other)
    assert export.format == "json-token-spans"
    assert export.entities == [SPANS, [("Bonn", "LOC")]]
    assert export.problems == []


def test_sentences_of_a_document(read):
    """Else the entities of all sentences but the first lie elsewhere (SciERC, DyGIE++, DocRED)."""
    ner = [[[0, 1, "PER"], [4, 5, "LOC"]], [[6, 6, "LOC"]]]
    export = read({"doc_key": "d", "sentences": [WORDS, INSTANT], "ner": ner})
    assert export.entities == [SPANS, [("Bonn", "LOC")]]
    assert "through all sentences of a document" in export.notes["Offsets"]
    ner[1] = [[0, 0, "LOC"]]
    assert read({"sentences": [WORDS, INSTANT], "ner": ner}).entities[1] == [("Bonn", "LOC")]
    mentions = [
        [{"pos": [0, 2], "type": "PER", "sent_id": 0}],
        [{"pos": [4, 6], "type": "LOC", "sent_id": 0}, {"pos": [0, 1], "type": "X", "sent_id": 1}],
    ]
    export = read({"title": "d", "sents": [WORDS, INSTANT], "vertexSet": mentions})
    assert export.entities == [SPANS, [("Bonn", "X")]]


def test_a_text_that_is_cut_into_words(read):
    """Else the offsets are taken for characters, and each entity is a piece of a word."""
    text = "When does the bus leave from Bonn Hbf?"
    entities = [{"entity": "A", "start": 3, "stop": 3, "text": "bus"}]
    entities.append({"entity": "B", "start": 6, "stop": 7, "text": "Bonn Hbf"})
    export = read({"text": text, "entities": entities}, {"text": "bye", "entities": []})
    assert export.format == "json-token-spans"
    assert export.entities == [[("bus", "A"), ("Bonn Hbf", "B")], []]


def test_tokens_beside_their_text(read):
    """Else offsets in tokens are laid on the characters of the text, and nothing fits."""
    mentions = [{"text": "New York", "entity_type": "LOC", "start": 4, "end": 6}]
    value = {"sentence": " ".join(WORDS), "tokens": WORDS, "entity_mentions": mentions}
    assert read(value).entities == [SPANS[1:]]
    spans = [{"label": "LOC", "start": 19, "end": 27}]
    export = read({"sentence": " ".join(WORDS), "tokens": WORDS, "spans": spans})
    assert (export.format, export.entities) == ("json-spans", [SPANS[1:]])


def test_which_end_is_said(read):
    """Else it is a guess that nobody hears of."""
    value = {"tokens": WORDS, "entities": [{"type": "PER", "start": 0, "end": 1}]}
    export = read(value)
    assert export.entities == [[("Anna", "PER")]]
    assert "as many otherwise: --ends" in export.notes["Offsets"]
    export = read(value, ends="inclusive")
    assert export.entities == [[("Anna Bell", "PER")]]


def test_what_does_not_fit(read):
    """Else entities are moved, or lost, without a word."""
    good = [{"type": "PER", "start": 0, "end": 2, "text": "Anna Bell"}]
    bad = [
        {"type": "LOC", "start": 4, "end": 6, "text": "York"},
        {"type": "X", "start": 5, "end": 9},
    ]
    export = read({"tokens": WORDS, "entities": good * 2}, {"tokens": WORDS, "entities": bad})
    assert export.problems[:2] == [(OTHER_SURFACE, 2), (OUT_OF_RANGE, 2)]
    assert export.unknown[1] == ["New", "York"]
    far = [{"type": "X", "start": 90 + n, "end": 95 + n} for n in range(9)]
    with pytest.raises(ValueError, match="of 9 entities only 0 lie within their tokens"):
        read({"tokens": WORDS, "entities": far})


def test_sentences_that_nobody_annotated(read):
    """Else a sentence without a list of entities is one in which there are none."""
    row = {"tokens": ["Anna", "met", "Bob"], "entities": [{"start": 0, "end": 1, "type": "PER"}]}
    export = read(row, {**row, "entities": None}, {**row, "entities": []})
    assert export.annotated == [True, False, True]


@pytest.mark.parametrize("entity", [{"start": 7, "end": 9, "type": "LOC"}, {"type": "LOC"}])
def test_an_entity_that_may_be_anywhere(read, entity):
    """Else the model learns that it is none, wherever it is."""
    first = {"start": 0, "end": 1, "type": "PER"}
    rows = [{"tokens": ["Anna", "saw", "Bonn"], "entities": [first]}] * 3
    export = read(*rows, {**rows[0], "entities": [first, entity]})
    assert export.entities == [[("Anna", "PER")]] * 4
    assert export.unknown == [[], [], [], ["saw", "Bonn"]]
    assert [line for _, line in export.problems] == [4]
