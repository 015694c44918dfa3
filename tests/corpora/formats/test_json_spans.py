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
    "entities",
    [
        [{"label": "PER", "offset": 0, "length": 4}, {"label": "LOC", "offset": 14, "length": 4}],
        [{"tag": "PER", "span": {"begin": 0, "end": 4}}, {"tag": "LOC", "span": "14-18"}],
        [{"obj": "PER", "locations": [{"offset": 0, "length": 4}]}, [14, 18, "LOC"]],
        [{"labels": [{"value": "PER"}], "start_pos": 0, "end_pos": 4}, ["LOC", [14, 18]]],
        {"PER": [[0, 4]], "LOC": [{"start": 14, "end": 18}]},
        {"T1": {"label": "PER", "start": 0, "end": 4}, "T2": {"label": "LOC", "span": [14, 18]}},
        {"PER": {"Anna": [[0, 4]]}, "LOC": {"Bonn": [[14, 18]]}},
    ],
)
@pytest.mark.parametrize("wrap", ["lines", "ids", "deep", "columns", "splits", "inner"])
def test_entities_and_records_in_any_holder(read, entities, wrap):
    """Else files of Rasa, LUIS, wit.ai, Ground Truth, Vertex AI, BioC, PubAnnotation or pandas are
    errors, or the first of their lists is read for all."""
    row, other = {"content": TEXT, "spans": entities}, {"content": "Nobody here", "spans": []}
    export = {
        "lines": lambda: read(row, other),
        "ids": lambda: read({"17.txt": row, "18.txt": other}),
        "deep": lambda: read({"v": "1", "docs": [{"n": 1, "parts": [row]}, {"parts": [other]}]}),
        "columns": lambda: read({key: {"0": row[key], "1": other[key]} for key in row}),
        "splits": lambda: read({"train": [row], "test": [other], "labels": ["PER", "LOC"]}),
        "inner": lambda: read({"raw": {"content": TEXT}, "job": {"x": {"entities": entities}}}),
    }[wrap]()
    assert export.format == "json-spans"
    assert export.entities == [SPANS, []][: len(export.docs)]
    assert len(export.docs) == 1 + (wrap != "inner")
    assert export.problems == []


def test_keys_that_only_look_like_it(read):
    """Else each token of spaCy's `Doc.to_json` is an entity with its part of speech for a label, a
    model's predictions are learned, and what a word means is taken for what stands in the text."""
    tokens = [{"id": 0, "start": 0, "end": 4, "tag": "NNP"}]
    ents = [{"start": 0, "end": 4, "label": "PER"}]
    assert read({"text": TEXT, "tokens": tokens, "ents": ents}).entities == [SPANS[:1]]
    with pytest.raises(ValueError, match="no format fits it"):
        read({"text": TEXT, "predictions": ents, "meta": {"city": "Bonn"}})
    meant = [{"start": 0, "end": 4, "entity": "PER", "value": "Anna Maria"}]
    said = [{"start": 14, "end": 18, "entity": "LOC", "value": '"Bonn"'}]
    export = read({"text": TEXT, "entities": meant}, {"text": f"{TEXT}.", "entities": said})
    assert export.entities == [SPANS[:1], SPANS[1:]]
    assert export.problems == []


def test_offsets_from_the_beginning_of_the_document(read):
    """Else all entities of BioC's abstracts lie outside of their passages."""
    place = [{"offset": 20, "length": 4}]
    annotation = {"infons": {"type": "PER"}, "text": "Anna", "locations": place}
    title = {"offset": 0, "text": "On her", "annotations": []}
    passage = {"offset": 20, "text": "Anna came", "annotations": [annotation]}
    export = read({"documents": [{"passages": [title, passage]}]})
    assert export.entities == [[], [("Anna", "PER")]]


def test_ends_that_only_fit_inclusive(read):
    """Else half of each Chinese word is lost, where no border of words tells."""
    rows = [{"text": "王明在沪", "label": [[0, 1, "PER"], [3, 3, "LOC"]]}]
    export = read(*rows)
    assert export.entities == [[("王明", "PER"), ("沪", "LOC")]]
    assert "would be empty" in export.evidence
    both = {"text": "王明在上海", "label": [[0, 1, "PER"]]}
    assert read(both).entities == [[("王", "PER")]]
    assert read(both, ends="inclusive").entities == [[("王明", "PER")]]
    assert read(*rows, ends="exclusive").problems == [("offsets out of range", 1)]


def test_numbers_for_labels(read):
    """Else the labels are 0 and 1, or there are none."""
    value = {"text": TEXT, "entities": [{"start": 0, "end": 4, "label": 1}]}
    with pytest.raises(ValueError, match=r"labels are numbers, such as 1.*--labels"):
        read(value)
    assert read(value, labels=["LOC", "PER"]).entities == [SPANS[:1]]


def test_labels_of_the_whole_text(read):
    """Else wit.ai's intents are entities that cannot be read, in each text."""
    entities = [{"entity": "intent", "value": "greet"}, {"entity": "PER", "start": 0, "end": 4}]
    export = read({"text": TEXT, "entities": entities})
    assert export.entities == [SPANS[:1]]
    assert export.notes["Labels without a place in the text, left out"] == "1"


def test_spans_of_single_words_with_tags(read):
    """Else "New York" is two entities, "B-LOC" and "I-LOC"."""
    spans = [[14, 17, "B-LOC"], [18, 22, "I-LOC"], [0, 4, "B-PER"], [9, 10, "I-LOC"]]
    export = read({"text": "Anna lives in New York", "entities": spans})
    assert export.entities[0][0] == ("Anna", "PER")
    assert export.entities[0][-1] == ("New York", "LOC")
    assert "joined" in " ".join(export.notes)
    cells = {"text": "a B cell", "entities": [[2, 8, "B-cell"]]}
    assert read(cells).entities == [[("B cell", "B-cell")]]


@pytest.mark.parametrize(
    "value",
    [
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


def test_texts_in_other_files(read):
    """Else nobody is told why Azure's labels or Ground Truth's manifests cannot be read."""
    labels = [{"category": "PER", "offset": 0, "length": 4}]
    documents = [{"location": "01.txt", "entities": [{"regionOffset": 0, "labels": labels}]}]
    with pytest.raises(ValueError, match=r"may be in other files \('location' says '01.txt'\)"):
        read({"assets": {"documents": documents}})


def _anna():
    return {"text": "Anna came", "entities": [{"start": 0, "end": 4, "label": "PER"}]}


@pytest.mark.parametrize(
    "values",
    [
        [{"docs": [{"parts": [_anna()]}, {"parts": [_anna()]}, {"n": 1}]}],
        [{"docs": [{"parts": [_anna()]}, {"parts": [_anna()]}, {"parts": 3}]}],
        [{"data": _anna()}, {"x": 1}, {"data": _anna()}],
    ],
    ids=["no list", "a number for a list", "no object"],
)
def test_a_record_without_what_the_others_have(read, values):
    """Else a document is lost in silence because a key is misspelt in it."""
    export = read(*values)
    assert export.entities == [[("Anna", "PER")]] * 2
    assert [kind for kind, _ in export.problems] == ["line that cannot be read"]


def test_an_empty_list_of_parts_is_no_fault(read):
    """Else a document that has none is told to be broken."""
    docs = [{"parts": [_anna()]}, {"parts": [_anna()]}, {"parts": []}, {"parts": None}]
    assert read({"docs": docs}).problems == []


def test_keys_beside_those_of_records_are_said(read):
    """Else a text under an id is lost in silence where another's is a number."""
    export = read({"a": _anna(), "b": _anna(), "c": 3})
    assert export.entities == [[("Anna", "PER")]] * 2
    assert export.notes["Other keys, not read"] == "c"


@pytest.mark.parametrize(
    "entity",
    [
        {"start": 40, "end": 44, "label": "LOC"},
        {"start": "x", "end": 44, "label": "LOC"},
        {"start": None, "end": None, "label": "LOC", "text": "Berlin"},
        {"start": 40, "end": 46, "label": "LOC", "text": "Berlin"},
    ],
)
def test_an_entity_that_may_be_anywhere(read, entity):
    """Else the model learns that it is none, wherever it is."""
    first = {"start": 0, "end": 4, "label": "PER", "text": "Anna"}
    values = [{"text": TEXT, "entities": [first, entity]}, {"text": "Anna", "entities": [first]}]
    export = read(*values)
    assert export.entities == [SPANS[:1]] * 2
    assert export.unknown == [["lives", "in", "Bonn"], []]
    assert [line for _, line in export.problems] == [1]


def test_all_places_of_a_label_in_one_list(read):
    """Else entities of CAIL are in pieces, and labels that a text has none of are faults."""
    entities = [{"label": "PER", "span": ["0;2", "3;5"]}, {"label": "LOC", "span": []}]
    export = read({"id": "a", "context": "王五和赵六来了", "entities": entities})
    assert export.entities == [[("王五", "PER"), ("赵六", "PER")]]
    assert export.problems == []


def test_sentences_with_forms(read):
    """Else NIKL's corpora are refused."""
    found = [{"id": 1, "form": "Anna", "label": "PER", "begin": 0, "end": 4}]
    sentences = [{"form": TEXT, "word": [], "NE": found}, {"form": "Nobody", "NE": []}]
    export = read({"document": [{"id": "d", "sentence": sentences}]})
    assert export.entities == [SPANS[:1], []]
    assert export.problems == []


@pytest.mark.parametrize("shift", [0, 3])
def test_passages_of_one_document(read, shift):
    """Else BigBio's documents are refused, though each passage says where it is; or one whose
    passages do not follow one another is put together anyhow."""
    passages = [
        {"id": "1", "type": "title", "text": ["Naloxone works."], "offsets": [[0, 15]]},
        {"id": "2", "text": ["It is seen in rats."], "offsets": [[16 - shift, 35 - shift]]},
    ]
    entities = [
        {"id": "3", "type": "Drug", "text": ["Naloxone"], "offsets": [[0, 8]], "normalized": []},
        {"id": "4", "type": "Species", "text": ["rats"], "offsets": [[30, 34]]},
    ]
    value = {"id": "0", "passages": passages, "entities": entities, "relations": []}
    if shift:
        with pytest.raises(ValueError, match="no format fits it"):
            read(value)
        return
    export = read(value, value | {"passages": passages[:1], "entities": []})
    assert export.entities == [[("Naloxone", "Drug"), ("rats", "Species")], []]
    assert export.problems == []


@pytest.mark.parametrize("shift", ["all one too far", "bytes"])
def test_word_borders_tell_rare_ways_of_counting(read, shift):
    """Else every entity is a character beside its place, or lost."""
    text = "Zoë Lee traf André in Köln."
    entities = []
    for word, label in (("Zoë Lee", "PER"), ("André", "PER"), ("Köln", "LOC")):
        start = text.index(word)
        end = start + len(word)
        if shift == "bytes":
            start, end = len(text[:start].encode()), len(text[:end].encode())
        else:
            start, end = start + 1, end + 1
        entities.append({"start": start, "end": end, "label": label})
    export = read(*[{"text": text, "entities": entities}] * 3, lang="de")
    assert export.entities == [[("Zoë Lee", "PER"), ("André", "PER"), ("Köln", "LOC")]] * 3
    assert export.problems == []


def test_a_passage_whose_entities_are_at_its_beginning(read):
    """Else where nothing lies behind the passage's own length, its entities are lost."""
    long = "Flu came early this year, and nobody in the whole of the town was prepared for it."
    flu = {"text": "Flu", "infons": {"type": "DIS"}, "locations": [{"offset": 17, "length": 3}]}
    title = {"offset": 0, "text": "Of a hard winter", "annotations": []}
    passage = {"offset": 17, "text": long, "annotations": [flu]}
    export = read({"documents": [{"passages": [title, passage]}]})
    assert export.entities == [[], [("Flu", "DIS")]]
    assert export.problems == []
