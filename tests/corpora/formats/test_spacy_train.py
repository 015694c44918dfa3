"""spaCy v2's pairs of text and annotation, made by hand."""

import pytest

ANNA = ["Anna in Bonn", {"entities": [[0, 4, "PER"], [8, 12, "LOC"]]}]
SPANS = [("Anna", "PER"), ("Bonn", "LOC")]


@pytest.mark.parametrize(
    "text",
    [
        '[("Anna in Bonn", {"entities": [(0, 4, "PER"), (8, 12, "LOC")]})]',
        "TRAIN_DATA = [\n  ('Anna in Bonn', {'entities': [(0, 4, 'PER'), (8, 12, 'LOC')]}),\n]",
        "import spacy\n\nx = (('Anna in Bonn', {'entities': [(0, 4, 'PER'), (8, 12, 'LOC')]}),)",
        '[\n["Anna in Bonn", {"entities": [[0, 4, "PER"], [8, 12, "LOC"]]}],\n]',
        '["Anna in Bonn", {"entities": [[0, 4, "PER"], [8, 12, "LOC"]]}]\n',
        '[["Anna in Bonn", [[0, 4, "PER"], [8, 12, "LOC"]]]]',
        '[["Anna in Bonn", {"spans": {"sc": [[0, 4, "PER"], [8, 12, "LOC"]]}}]]',
    ],
)
def test_lists_and_tuples(read, text):
    """Else the training data of a thousand tutorials has to be converted by hand."""
    export = read(text)
    assert export.format == "spacy-train"
    assert export.entities == [SPANS]
    assert export.problems == []


def test_browser_annotators(read):
    """Else null ends in a traceback, and a text without entities is lost."""
    export = read({"classes": ["X"], "annotations": [None, ["a\r", {"entities": []}], ANNA]})
    assert export.format == "spacy-train"
    assert export.entities == [[], SPANS]
    assert export.annotated == [True, True]
    assert export.problems == []
    assert export.notes["Passed over by the annotator"] == "1"


def test_units_of_javascript(read):
    """Else what was marked in a browser is a character off behind an emoji."""
    value = ["👍 Anna lives in Köln", {"entities": [[3, 7, "PER"], [17, 21, "LOC"]]}]
    export = read(value)
    assert export.entities == [[("Anna", "PER"), ("Köln", "LOC")]]
    assert "UTF-16" in export.evidence


def test_categories(read):
    """Else texts that were only sorted teach that they have no entity."""
    export = read(["Anna", {"cats": {"A": True, "B": 0}}])
    assert export.docs[0].cats == {"A": 1.0, "B": 0.0}
    assert export.annotated == [False]


def test_what_is_wrong_is_told(read):
    """Else a slip in a list written by hand ends in a traceback, or nowhere."""
    export = read(
        "[\n['Anna in Bonn', {'entities': [(0, 4, 'PER')]}],\n5,\n('x', {'entities': [3]})]"
    )
    assert export.problems == [("line that cannot be read", 3), ("entity that cannot be read", 4)]
    with pytest.raises(ValueError, match=r"export.json:2: cannot be read as Python"):
        read("X = [('a', {'entities': []}),\n ('b' {})]", format="spacy-train")


def test_nothing_is_executed(read, tmp_path):
    """Else converting a file that somebody sent runs what it says."""
    with pytest.raises(ValueError, match=r"export.json:1: an expression"):
        read(f"[('a', {{'entities': [open({str(tmp_path / 'x')!r}, 'w')]}})]", format="spacy-train")
    assert not list(tmp_path.iterdir())
