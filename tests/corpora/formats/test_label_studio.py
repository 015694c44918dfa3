"""Exports of Label Studio, made by hand after those of its versions."""

import pytest

from spacy_bertcrf.corpora.annotators import DIFFERENT
from spacy_bertcrf.corpora.formats.label_studio import LEFT_OUT, PLACE_IN_PAGE

TEXT = "👍 Anna lives in Köln"
ANNA = [(2, 6, "PER"), (16, 20, "LOC")]


def region(start, end, text, *labels, kind="labels", to_name="text", **more):
    value = {"start": start, "end": end, "text": text, kind: list(labels)}
    return {"value": value, "from_name": "label", "to_name": to_name, "type": kind, **more}


def task(*annotations, text=TEXT, key="annotations", **data):
    made = [a if isinstance(a, dict) else {"id": 3, "result": a} for a in annotations]
    return {"id": 1, "data": {"text": text, **data}, key: made, "predictions": [], "drafts": []}


NEW = [region(2, 6, "Anna", "PER"), region(16, 20, "Köln", "LOC")]
OLD = [region(3, 7, "Anna", "PER"), region(17, 21, "Köln", "LOC")]


@pytest.mark.parametrize("regions", [NEW, OLD])
@pytest.mark.parametrize("key", ["annotations", "completions"])
@pytest.mark.parametrize("indent", [None, 2])
def test_offsets_of_any_version(read, regions, key, indent):
    """Else in exports from before October 2021 all behind an emoji is a character off."""
    export = read(task(regions, key=key), as_list=True, indent=indent)
    assert export.format == "label-studio"
    assert export.offsets == [ANNA]
    assert export.problems == []
    assert "surfaces fit" in export.evidence


def test_white_space_that_the_regions_lost(read):
    """Else a text of two spaces or a line break, squeezed in the region's, is refused."""
    text = "New  York and\nLos\nAngeles"
    found = [region(0, 9, "New York", "LOC"), region(14, 25, "Los\\nAngeles", "LOC")]
    export = read(task(found, text=text))
    assert export.offsets == [[(0, 9, "LOC"), (14, 25, "LOC")]]
    assert export.problems == []


def minimal(*regions, text=TEXT, **more):
    found = [one["value"] for one in regions]
    return {"id": 1, "text": text, "label": found, "annotator": 1, "annotation_id": 5, **more}


def test_json_min(read):
    """Else its regions are taken for another tool's spans."""
    export = read(minimal(*NEW, sentiment="good"), as_list=True)
    assert export.format == "label-studio"
    assert export.offsets == [ANNA]
    empty = {"id": 2, "text": "nothing", "annotation_id": 6}
    export = read(minimal(*NEW), empty, as_list=True)
    assert export.annotated == [True, True]
    nameless = [{"text": text, "label": minimal(*NEW)["label"]} for text in (TEXT, TEXT + ".")]
    export = read(*nameless, as_list=True, format="label-studio")
    assert export.offsets == [ANNA, ANNA]
    export = read(minimal(*NEW), minimal(*NEW[:1]), as_list=True)
    assert export.offsets == [ANNA]
    assert export.problems == [(DIFFERENT, 1)]


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [("first", [("Anna", "PER")]), ("agreed", []), ("union", [("Anna", "PER"), ("Bonn", "LOC")])],
)
def test_annotations_that_differ(read, annotations, expected):
    """Else one annotator's answer is taken in silence, or the text comes once for each."""
    text = "Anna in Bonn"
    anna, bonn = region(0, 4, "Anna", "PER"), region(8, 12, "Bonn", "LOC")
    export = read(task([anna], [bonn], text=text), annotations=annotations)
    assert export.entities == [expected]
    assert export.problems == []
    assert len(export.notes) == 1
    assert export.unknown == [["Anna", "Bonn"] if annotations == "agreed" else []]
    assert read(task([anna], [bonn], text=text)).problems == [(DIFFERENT, 1)]
    assert read(task([anna, bonn], [bonn, anna], text=text)).problems == []


def test_what_nobody_annotated(read):
    """Else a model's predictions, or an answer that was taken back, are learned; or a text that
    nobody looked at is learned to have no entity."""
    prediction = {"result": OLD, "model_version": "x", "score": 0.5}
    unseen = [
        {**task(), "predictions": [prediction], "drafts": [{"result": NEW}]},
        {"id": 2, "data": {"text": "Anna"}, "predictions": [prediction]},
        task({"result": NEW, "was_cancelled": True}),
    ]
    accepted = task([region(0, 3, "Bob", "PER", origin="prediction")], text="Bob")
    export = read(*unseen, accepted, task([], text="nothing"))
    assert export.annotated == [False, False, False, True, True]
    assert export.entities == [[], [], [], [("Bob", "PER")], []]


def test_predictions_alone(read):
    """Else a file that nobody annotated converts to a corpus."""
    with pytest.raises(ValueError, match="predictions alone, which are no annotation"):
        read({"data": {"text": "Anna"}, "predictions": []})


def test_what_else_a_task_holds(read):
    """Else relations end in a traceback, and choices and comments are lost without a word."""
    result = [
        *NEW,
        {"from_id": "a", "to_id": "b", "type": "relation", "direction": "right"},
        {"value": {"choices": ["good"]}, "type": "choices", "to_name": "text"},
        {"value": {"text": ["so so"]}, "type": "textarea", "to_name": "text"},
        {"value": {"start": 2, "end": 6, "text": "Anna", "choices": ["x"]}, "type": "choices"},
    ]
    export = read(task(result))
    assert export.offsets == [ANNA]
    assert export.docs[0].cats == {"good": 1.0}
    left_out = ("relation", "textarea", "choices")
    assert export.notes == {f"{LEFT_OUT}: {kind}": "1" for kind in left_out}


def test_the_data_has_tags_of_its_own(read):
    """Else the tags that were to be corrected are learned."""
    export = read(task(NEW, tokens=["👍", "Anna"], ner_tags=["O", "O"], label=[[0, 1, "X"]]))
    assert export.offsets == [ANNA]


def test_the_text_has_any_key(read):
    """Else a project whose text is not called "text" cannot be read, or another field is."""
    value = task([region(0, 4, "Anna", "PER", to_name="x")], text="")
    value["data"] = {"title": "About", "body": "Anna said", "source": "https://a.org/Anna"}
    assert read(value).entities == [[("Anna", "PER")]]
    value["data"]["title"] = "With Anna"
    assert read(value).docs[0].text == "Anna said"
    value["data"]["title"] = "Anna"
    with pytest.raises(ValueError, match=r"several texts \(title, body\).* --text-key title"):
        read(value)
    export = read(value, text_key="body")
    assert export.docs[0].text == "Anna said"
    with pytest.raises(ValueError, match="no task has a text under 'x'"):
        read(value, text_key="x")


def test_two_texts_of_a_task(read):
    """Else the entities of one of them are looked for in the other."""
    result = [region(0, 4, "Anna", "PER", to_name="a"), region(0, 4, "Bonn", "LOC", to_name="b")]
    value = {"data": {"one": "Anna", "two": "Bonn"}, "annotations": [{"result": result}]}
    assert read(value).entities == [[("Anna", "PER")], [("Bonn", "LOC")]]


def test_html(read):
    """Else places in a page are taken for offsets, or entities are lost in silence."""
    value = {"start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]", "startOffset": 0, "endOffset": 4}
    page = {"value": {**value, "hypertextlabels": ["PER"]}, "type": "hypertextlabels"}
    with pytest.raises(ValueError, match=r"all 1 entities are in HTML .*/p\[1\]/text\(\)\[1\]"):
        read(task([page], text="<p>Anna</p>"))
    export = read(task([{**page, "to_name": "text"}, *NEW]))
    assert export.problems == [(PLACE_IN_PAGE, 1)]
    assert export.offsets == [ANNA]
    assert "lives" in export.unknown[0]


def test_texts_that_are_addresses(read):
    """Else the address becomes the text."""
    with pytest.raises(ValueError, match="no task has a text in its data"):
        read(task(NEW, text="/data/upload/1/a.txt"))


def test_regions_without_a_label_or_with_two(read):
    """Else an annotator's slip ends in a traceback, or the region is lost in silence."""
    found = [region(0, 4, "Anna"), region(8, 12, "Bonn", "LOC", "ORG")]
    export = read(task(found, text="Anna in Bonn"))
    assert export.problems == [("entity that cannot be read", 1), ("two labels on one span", 1)]
    assert export.unknown == [["Anna"]]
    export = read(task([region(0, 4, "Anna")], text="Anna in Bonn"), label="PER")
    assert export.entities == [[("Anna", "PER")]]


def test_classification_alone(read):
    """Else texts that were only sorted teach that they have no entity."""
    choice = {"value": {"choices": ["good"]}, "type": "choices", "to_name": "text"}
    export = read(task([choice], text="Anna"))
    assert export.docs[0].cats == {"good": 1.0}
    assert export.annotated == [False]
