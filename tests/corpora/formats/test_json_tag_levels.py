"""Rows and tokens in JSON with more than one tag for each token."""

import pytest

TOKENS = ["Anna", "saw", "Tartu", "University", "Hall"]
LEVELS = [
    ["B-PER", "O", "B-FAC", "I-FAC", "I-FAC"],
    ["O", "O", "B-ORG", "I-ORG", "O"],
    ["O", "O", "B-GPE", "O", "O"],
]
SPANS = [
    ("Anna", "PER"),
    ("Tartu", "GPE"),
    ("Tartu University", "ORG"),
    ("Tartu University Hall", "FAC"),
]


def as_row(*names):
    return {"tokens": TOKENS, **dict(zip(names, LEVELS, strict=True))}


def as_objects(*names):
    rows = zip(TOKENS, *LEVELS, strict=True)
    return {"words": [dict(zip(("text", *names), row, strict=True)) for row in rows]}


@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: {"sentences": [value] * 2}])
@pytest.mark.parametrize(
    "value",
    [
        as_row("ner_tags", "ner_tags_2", "ner_tags_3"),
        as_row("ner_tags_1", "ner_tags_2", "ner_tags_3"),
        as_row("tags", "tags_level_2", "tags_level_3"),
        as_objects("tag", "tag_2", "tag_3"),
        as_objects("ner", "ner2", "ner3"),
    ],
)
def test_numbered_levels(read, value, wrap):
    """Else inner entities are lost, without a word where tokens are objects."""
    export = read(wrap(value), spans_key="sc")
    assert export.format == "json-tags"
    for doc in export.docs:
        assert sorted((span.text, span.label_) for span in doc.spans["sc"]) == SPANS
    assert export.problems == []
    kinds = {kind for kind, _ in read(wrap(value)).problems}
    assert kinds == {"nested entities"}


def test_numbers_on_numbered_levels(read):
    """Else they need names of their own, though the names are given."""
    names = ["O", "B-PER", "B-ORG", "I-ORG", "B-GPE"]
    row = {"tokens": ["Anna", "saw", "Tartu", "Co"], "ner_tags": [1, 0, 2, 3]}
    export = read(row | {"ner_tags_2": [0, 0, 4, 0]}, labels=names, spans_key="sc")
    assert ("Tartu", "GPE") in [(span.text, span.label_) for span in export.docs[0].spans["sc"]]


@pytest.mark.parametrize("key", ["fine_ner_tags", "coarse_ner_tags"])
def test_finer_or_coarser_tags_beside(read, key):
    """Else nobody knows that the file has them too; and where they are alone, it is refused."""
    fine = ["person-actor", "O", "location-GPE"]
    row = {"tokens": ["Anna", "saw", "Bonn"], key: fine, "ner_tags": ["person", "O", "location"]}
    export = read(row)
    assert export.entities == [[("Anna", "person"), ("Bonn", "location")]]
    assert export.notes["Other lists that are not read"] == key
    del row["ner_tags"]
    assert read(row).entities == [[("Anna", "person-actor"), ("Bonn", "location-GPE")]]


def test_other_tags_of_token_objects_are_said(read):
    """Else a second annotation is passed over in silence."""
    tokens = [
        {"text": "Anna", "ner": "B-PER", "old": "B-NAME", "pos": "NNP"},
        {"text": "met", "ner": "O", "old": "O", "pos": "VBD"},
    ]
    export = read(tokens, tokens[:1])
    assert export.entities == [[("Anna", "PER")]] * 2
    assert export.notes["Other lists that are not read"] == "old"
