"""Rasa's training data, invented."""

import pytest

MARKDOWN = """<!-- of bots -->
## intent:greet
- hello
* hi Anna

## intent:book
- from [Bonn](city) to [New York](city:NYC)
- to [NYC]{"entity": "city", "role": "to", "value": "New York"} at [5] or (6)

## synonym:New York
- NYC

## regex:zip
- [0-9]{5}
"""
YAML = """version: "3.1"
nlu:
- intent: greet
  examples: |
    - hello
    - hi Anna
- intent: book
  examples: |
    - from [Bonn](city) to [New York](city:NYC)
    - to [NYC]{"entity": "city", "role": "to", "value": "New York"} at [5] or (6)
- synonym: New York
  examples: |
    - NYC
- regex: zip
  examples: |
    - '[0-9]{5}'
rules: []
"""


@pytest.mark.parametrize(("text", "name"), [(MARKDOWN, "nlu.md"), (YAML, "nlu.yml")])
def test_examples_of_intents(read, text, name):
    """Else synonyms and headings are texts, values are words, or intents are lost."""
    export = read(text, name=name)
    assert export.format == "rasa"
    assert [doc.text for doc in export.docs][2:] == [
        "from Bonn to New York",
        "to NYC at [5] or (6)",
    ]
    cities = [("Bonn", "city"), ("New York", "city")]
    assert export.entities == [[], [], cities, [("NYC", "city")]]
    assert [max(doc.cats, key=doc.cats.get) for doc in export.docs] == ["greet"] * 2 + ["book"] * 2
    assert export.notes["Sections that are no examples, not read"] == "2"
    assert export.problems == []


def test_what_cannot_be_read(read):
    """Else a mark that is broken is a part of the text, or YAML's error a traceback."""
    text = '## intent:a\n- go to [Rome]{"role": "to"}\nto Rome\n'
    export = read(text)
    assert [line for _, line in export.problems] == [2, 3]
    assert export.docs[0].text == "go to Rome"
    assert export.unknown[0] == ["Rome"]
    with pytest.raises(ValueError, match="cannot be read as YAML"):
        read("nlu:\n- intent: a\n  examples: |\n- b\n c: d\n : -\n")
