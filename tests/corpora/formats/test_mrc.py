"""Entities as answers to questions."""

ASK = {"context": "Anna met Bob in New York", "qas_id": "0.1", "query": "who?"}


def question(label, *spans, **others):
    return {**ASK, "entity_label": label, "span_position": list(spans), **others}


def test_questions_about_one_text(read):
    """Else a text comes once for each label, and says each time that it has no other entity."""
    starts = {"start_position": [4], "end_position": [5]}
    export = read(
        question("PER", "0;0", "2;2"),
        {**ASK, "entity_label": "LOC", **starts},
        question("ORG", impossible=True),
        question("PER", "0;1", context="王 明 来 了", qas_id="1.1"),
    )
    assert export.format == "mrc"
    assert export.entities == [
        [("Anna", "PER"), ("Bob", "PER"), ("New York", "LOC")],
        [("王 明", "PER")],
    ]


def test_what_cannot_be_read(read):
    """Else an answer is lost without a word."""
    export = read(question("PER", "0;0"), question("LOC", "x"), question("ORG", "9;12"))
    assert export.entities == [[("Anna", "PER")]]
    assert export.problems == [("line that cannot be read", 2), ("offsets out of range", 3)]
