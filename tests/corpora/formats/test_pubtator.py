"""PubTator's files, invented."""

import pytest

TEXT = """1|t|Lee's disease .
1|a|It is  rare | and seen in Bonn.
1\t0\t13\tLee's disease\tDisease\tD1
1\t42\t46\tBonn\tPlace\tD2
1\tCID\tD1\tD2

2|t|Rain in Bonn
2|a|
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_titles_and_abstracts(read, end):
    """Else offsets count the abstract alone, a bar ends it, or relations are entities."""
    export = read(TEXT.replace("\n", end), name="corpus.PubTator.txt")
    assert export.format == "pubtator"
    assert export.entities == [[("Lee's disease", "Disease"), ("Bonn", "Place")], []]
    assert export.docs[0].text == "Lee's disease .\nIt is  rare | and seen in Bonn."
    assert export.docs[0].user_data["key"] == "1"
    assert export.notes["Relations left out"] == "1"
    assert export.problems == []


def test_texts_without_a_blank_line_between(read):
    """Else two texts are one."""
    export = read(TEXT.replace("\n\n", "\n"))
    assert [len(ents) for ents in export.entities] == [2, 0]


def test_what_fits_no_text(read):
    """Else an entity of another text, or with the wrong offsets, lands anywhere."""
    text = TEXT.replace(
        "2|a|", "2|a|\n1\t0\t4\tRain\tX\tD\n2\t0\t4\tSnow\tX\n2\t8\t12\tBonn\tX\nrain"
    )
    export = read(text)
    assert export.problems == [
        ("annotation of another text", 9),
        ("annotation of another text", 12),
        ("surface differs from the text", 10),
    ]
    assert export.entities[1] == [("Bonn", "X")]
    broken = read(TEXT + "2\t8\tBonn\tPlace\n2\t8\n")
    assert broken.unknown == [[], [token.text for token in broken.docs[1]]]
