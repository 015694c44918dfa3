"""GermEval 2014 and Universal NER, made by hand after their files."""

import pytest

GERMEVAL = """#\thttp://de.wikipedia.org/wiki/Bonn [2009-10-17]
1\tAnna\tB-PER\tO
2\tvom\tO\tO
3\tTSV\tB-ORG\tO
4\tBonn\tI-ORG\tB-LOC

#\thttp://example.org/x [2009-10-17]
1\tDie\tO\tO
2\tdeutsche\tB-LOCderiv\tO
3\t#\tO\tO
"""
UNER = """# sent_id = 1
# text = (Lørdag aften)
1\t(\tO\t-\tanna
2\tLørdag\tB-ORG\tB-ORG#B-LOC\tanna
3\taften\tI-ORG\t-\tanna
4\t)\tO\t-\tanna

# sent_id = 2
# text = Anna er her
1-2\tAnnaer\t_\t_\t_
1\tAnna\tB-PER\t-\tbo
2\ter\tO\t-\tbo
"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_germeval(read, line_end):
    """Else numbers are the tokens, web addresses are words, or of two levels the inner one, which
    is nearly empty, is read alone, or left out in silence."""
    export = read(GERMEVAL.replace("\n", line_end), name="NER-de-train.tsv")
    assert export.format == "numbered"
    assert export.entities == [
        [("Anna", "PER"), ("TSV Bonn", "ORG")],
        [("deutsche", "LOCderiv")],
    ]
    assert export.docs[1].text.split() == ["Die", "deutsche", "#"]
    assert export.problems == [("nested entities", 5)]
    assert "GermEval" in export.evidence


def test_germeval_with_both_levels(read):
    """Else a corpus that is known for its nested entities loses them where overlaps are kept, or a
    tag that breaks the scheme is dropped in silence in the inner level alone."""
    broken = GERMEVAL.replace("2\tdeutsche\tB-LOCderiv\tO", "2\tdeutsche\tB-LOCderiv\tI-OTH")
    export = read(broken, name="NER-de-train.tsv", spans_key="sc")
    assert [[(span.text, span.label_) for span in doc.spans["sc"]] for doc in export.docs] == [
        [("Anna", "PER"), ("TSV Bonn", "ORG"), ("Bonn", "LOC")],
        [("deutsche", "LOCderiv"), ("deutsche", "OTH")],
    ]
    assert [problem[1] for problem in export.problems] == [9]


def test_an_inner_tag_that_is_none(read):
    """Else the entity around it gets a label such as ORG|LOC."""
    export = read(GERMEVAL.replace("I-ORG\tB-LOC", "I-ORG\tLOC"), format="numbered")
    assert export.entities[0] == [("Anna", "PER"), ("TSV Bonn", "ORG")]
    assert export.problems == [("unknown tag", 5)]


def test_universal_ner(read):
    """Else the annotators' names are the tags, a comment of as many words makes tokens, or a word
    that two think different things of has both as its label."""
    export = read(UNER, name="da-ud-test.iob2")
    assert export.format == "numbered"
    assert export.entities == [[("Lørdag aften", "ORG")], [("Anna", "PER")]]
    assert [len(doc) for doc in export.docs] == [4, 2]
    assert export.notes["Entities of the other level, not read"] == "1"
    assert export.notes["Rows of multiword tokens and empty nodes, not read"] == "1"
    assert export.problems == []


def test_rows_that_lack_columns(read):
    """Else a row that was cut has another column's tag, or vanishes."""
    export = read(GERMEVAL.replace("2\tvom\tO\tO", "2\tvom\nxyz"), format="numbered")
    assert export.unknown[0] == ["vom"]
    assert export.problems == [
        ("wrong number of columns", 3),
        ("wrong number of columns", 4),
        ("nested entities", 6),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "1\tAnna\tNNP\tB-PER\n2\tis\tVBZ\tO\n",
        "Anna\tNNP\tO\tB-PER\nis\tVBZ\tO\tO\n",
        "1\tAnna\tB-PER\n2\tis\tO\n",
        "2019\tAnna\tB-PER\tO\n2020\tAnna\tB-PER\tO\n",
    ],
)
def test_what_is_none(recognised, text):
    """Else parts of speech, or a column of years, are read as one of the two."""
    assert "numbered" not in recognised(text)
