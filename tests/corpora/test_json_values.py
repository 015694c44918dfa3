"""JSON files, however their values are laid out."""

import json
from pathlib import Path

import pytest

from spacy_bertcrf.corpora.json_values import looks_like_json, read_elements, read_values
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.sources import Source


def source_of(text):
    return Source(Path("f.json"), data=text.encode())


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('{"a": 1}\n{"a": 2}\n', [1, 2]),
        ('\ufeff{"a": 1}\r\n\r\n{"a": 2}', [1, 3]),
        ('{"a": 1},\n{"a": 2},\n', [1, 2]),
        ('[{"a": 1}, {"a": 2}]', [1, 1]),
        ('[\n {"a": 1},\n\n {"a": 2},\n]', [2, 4]),
        ('{\n "a": 1}\n{\n "a": 2\n}\n', [1, 3]),
    ],
)
def test_values_in_any_layout(text, lines):
    """Else a pretty-printed file, or lines that end in commas, cannot be read."""
    found = list(read_values(source_of(text)))
    assert [value for _, value in found] == [{"a": 1}, {"a": 2}]
    assert [line for line, _ in found] == lines


@pytest.mark.parametrize("indent", [None, 1])
def test_elements_inside_an_object(indent):
    """Else a problem in a file of one object is always "in line 1"."""
    text = json.dumps({"x": [{"data": 0}], "a": {"b": 1, "data": ["p", ["q"]]}}, indent=indent)
    found = list(read_elements(source_of(text), ("a", "data")))
    assert [value for _, value in found] == ["p", ["q"]]
    if indent:
        rows = text.splitlines()
        assert [rows[line - 1].strip(' ",') for line, _ in found] == ["p", "["]
    assert list(read_elements(source_of(text), ("a", "b"))) == []
    assert list(read_elements(source_of(text), ("none",))) == []


def test_a_list_that_breaks_off():
    """Else the rest of a download that was cut is lost without a word."""
    log = ProblemLog(Path("f.json"))
    found = list(read_elements(source_of('{"data": [1,\n2,\n"x'), ("data",), log))
    assert [value for _, value in found] == [1, 2]
    assert [problem.line for problem in log] == [3]


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("[{'a': 1}]", "json.dump"),
        ('[{"a": True}]', "json.dump"),
        ('[{"a": "x"}, {"a": None}]', "json.dump"),
        ('{"a": 1}\n{"a": None}\n', "json.dump"),
        ('[{"a": 1,}]', "take the comma"),
        ('[\n {"a": [1, 2,\n ]}\n]', "take the comma"),
        ('{"a": 1}\n{"a": [1, ]}\n', "take the comma"),
        ('[{"a": 1 "b": 2}]', "not JSON"),
    ],
)
def test_how_broken_json_is_mended(text, mend):
    """Else whoever wrote it by print() or by hand is told what a parser expects, and not what to
    do."""
    log = ProblemLog(Path("f.json"))
    list(read_values(source_of(text), log))
    assert mend in next(iter(log)).what


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('[\n{"a": 1}\n]\n[\n{"a": 2}\n]\n', [2, 5]),
        ('[\n{"a": 1}\n]\n{"a": 2}\n', [2, 4]),
        ('[\n{"a": 1}\n],\n[{"a": 2}]', [2, 4]),
    ],
)
def test_what_is_behind_a_list_is_read_too(text, lines):
    """Else of two files in one, the second is dropped without a word."""
    problems = ProblemLog(Path("f.json"))
    found = list(read_values(source_of(text), problems))
    assert found == [(line, {"a": i}) for i, line in enumerate(lines, start=1)]
    assert not len(problems)


@pytest.mark.parametrize("end", ["", ",", ",\n\n"])
def test_a_list_that_was_cut_off_between_its_elements(end):
    """Else nobody learns that the rest of the file is missing."""
    problems = ProblemLog(Path("f.json"))
    assert len(list(read_values(source_of('[\n{"a": 1},\n{"a": 2}' + end), problems))) == 2
    assert [(p.line, "cut off" in p.what) for p in problems] == [(3 + end.count("\n"), True)]


def test_a_key_with_two_values_costs_no_other_element():
    problems = ProblemLog(Path("f.json"))
    text = '[\n{"a": 1, "a": 2},\n{"a": "\t"}\n]'
    assert list(read_values(source_of(text), problems)) == [(3, {"a": "\t"})]
    assert [p.line for p in problems] == [2]
    problems = ProblemLog(Path("f.json"))
    text = '[\n{"a": 1},\n{"b": {"a": 1, "a": 2}, broken'
    assert list(read_values(source_of(text), problems)) == [(2, {"a": 1})]
    assert [p.line for p in problems] == [3], "which is broken besides"


def test_a_broken_object_is_told_with_the_line_of_the_fault():
    """Line 1 of a file of one object helps nobody."""
    problems = ProblemLog(Path("f.json"))
    assert not list(read_values(source_of('{"a": [{"b": 1},\n{"b": 2},\n{"b": \n'), problems))
    assert [p.line for p in problems] == [4]
    problems = ProblemLog(Path("f.json"))
    found = list(read_values(source_of('{"a": [1}\n{"a": 2}\n{"a": 3}\n'), problems))
    assert [value for _, value in found] == [{"a": 2}, {"a": 3}], "lines of their own"
    assert [p.line for p in problems] == [1]


def test_a_token_in_brackets_begins_no_list():
    """Else columns that begin with a footnote are JSON."""
    assert not looks_like_json(source_of("[1] O\nAnna B-PER\n"))
    assert looks_like_json(source_of("[1, 2]\n"))
