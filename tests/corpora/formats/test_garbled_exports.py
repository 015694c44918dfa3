"""Exports of annotation tools with something wrong in them."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SPAN = {"start": 0, "end": 4, "label": "PER"}
VALUE = {"start": 0, "end": 4, "text": "Anna", "labels": ["PER"]}
REGION = {"value": VALUE, "type": "labels", "to_name": "text", "from_name": "label"}
POINT = {"start": 0, "end": 3, "text": "Anna"}
INDICES = {"start_idx": 0, "end_idx": 3, "type": "PER", "entity": "Anna"}
TOKEN = {"text": "Anna", "start": 0, "end": 4, "id": 0}
ANSWER = {"answer": "accept", "_task_hash": 1, "_view_id": "ner_manual", "tokens": [TOKEN]}
MARKED = {**SPAN, "token_start": 0, "token_end": 0}
TAGGED = {"orth": "Anna", "ner": "U-PER"}
EXPORTS = {
    "doccano": {"id": 1, "text": "Anna came", "label": [[0, 4, "PER"]]},
    "label-studio": {"data": {"text": "Anna came"}, "annotations": [{"result": [REGION]}]},
    "prodigy": {"text": "Anna came", "spans": [MARKED], **ANSWER},
    "dataturks": {"content": "Anna came", "annotation": [{"label": ["PER"], "points": [POINT]}]},
    "cmeee": {"text": "Anna came", "entities": [INDICES]},
    "json-spans": {"text": "Anna came", "entities": [SPAN]},
    "json-token-spans": {"tokens": ["Anna", "came"], "ner": [{**SPAN, "end": 1}]},
    "json-tags": {"tokens": ["Anna", "came"], "ner_tags": ["B-PER", "O"]},
    "json-surfaces": {"text": "Anna came", "entities": [{"text": "Anna", "label": "PER"}]},
    "json-segments": {"data": [{"text": "Anna", "entity": "PER"}, {"text": " came"}]},
    "mrc": {"context": "Anna came", "entity_label": "PER", "span_position": ["0;0"]},
    "spacy-train": ["Anna came", {"entities": [[0, 4, "PER"]]}],
    "spacy-json": {"paragraphs": [{"raw": "Anna", "sentences": [{"tokens": [TAGGED]}]}]},
}
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 99),
    st.floats(allow_nan=False),
    st.sampled_from(["", "x", "4", "\ud800"]),
    st.lists(st.integers(0, 4) | st.none(), max_size=3),
    st.dictionaries(st.sampled_from(["start", "text", "result"]), st.integers(0, 4), max_size=2),
)


def places(value, path=()):
    """The way to each value inside a value."""
    yield path
    if isinstance(value, dict | list):
        for key, of in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(of, (*path, key))


def garble(export, path, by):
    made = copy.deepcopy(export)
    holder = made
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = by
    return made


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_each_is_recognised_as_itself_alone(recognised, name):
    """Else one tool's export is read by another's rules."""
    found = recognised(EXPORTS[name])
    # Whatever has entities with offsets beside a text is of this kind too, and weaker evidence.
    assert found - {"json-spans"} == {name} - {"json-spans"}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXPORTS))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_slip_is_told(read, name, data):
    """Else a null or a number where nobody expected it ends in a traceback, or an entity is lost
    without a word."""
    path = data.draw(st.sampled_from([path for path in places(EXPORTS[name]) if path]))
    bad = garble(EXPORTS[name], path, data.draw(VALUES))
    # Of two entities one would be as good a witness as the other of how offsets count.
    values = [EXPORTS[name]] * 20 + [bad]
    lines = "\n".join(map(json.dumps, values))
    text = data.draw(st.sampled_from([lines, json.dumps(values)]))
    export, refusal = None, "export.json"
    try:
        export = read(text, format=name)
    except ValueError as err:
        refusal = str(err)
    assert "export.json" in refusal
    n_intact = 1 if name == "mrc" else 20  # its questions about one text are one
    if export is not None:
        assert export.entities[:n_intact] == [[("Anna", "PER")]] * n_intact
