"""Exports of DataTurks, made by hand."""

import pytest


def entry(*points, label=("PER",)):
    return {"label": list(label), "points": list(points)}


def task(text, *annotation, **more):
    return {"content": text, "annotation": list(annotation), "extras": None, **more}


ANNA = {"start": 0, "end": 3, "text": "Anna"}
BONN = {"start": 8, "end": 11, "text": "Bonn"}


@pytest.mark.parametrize("with_text", [True, False])
def test_ends_are_inclusive(read, with_text):
    """Else each entity loses its last character."""
    points = [p if with_text else {"start": p["start"], "end": p["end"]} for p in (ANNA, BONN)]
    value = task("Anna in Bonn", entry(points[0]), entry(points[1], label=["LOC"]))
    export = read(value)
    assert export.format == "dataturks"
    assert export.entities == [[("Anna", "PER"), ("Bonn", "LOC")]]
    assert export.problems == []
    assert "ends inclusive" in export.evidence


def test_exclusive_ends_of_a_script(read):
    """Else what a script wrote with exclusive ends is an error, or a character too long."""
    points = [{**ANNA, "end": 4}, {**BONN, "end": 12}]
    export = read(task("Anna in Bonn", entry(*points)))
    assert export.entities == [[("Anna", "PER"), ("Bonn", "PER")]]


def test_what_nobody_annotated(read):
    """Else a text that nobody looked at is learned to have no entity."""
    export = read(
        {"content": "Bob", "annotation": None, "extras": None},
        task("x y"),
        task("Anna", entry(ANNA)),
    )
    assert export.annotated == [False, True, True]


def test_slips(read):
    """Else an entry without a label, with two, or without points ends in a traceback."""
    values = [entry(ANNA, label=[]), entry(BONN, label=["LOC", "ORG"]), {"label": ["X"]}, None]
    export = read(task("Anna in Bonn", *values), task("Anna", entry(ANNA)))
    assert sorted(kind for kind, _ in export.problems) == [
        *["entity that cannot be read"] * 3,
        "two labels on one span",
    ]
    assert export.entities[1] == [("Anna", "PER")]


def test_categories(read):
    """Else a classification project is an error about entities."""
    annotation = {"labels": ["sports"], "note": ""}
    export = read({"content": "Anna", "annotation": annotation, "metadata": {}})
    assert export.docs[0].cats == {"sports": 1.0}
    assert export.annotated == [False]
