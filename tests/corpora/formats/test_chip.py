"""CHIP's lines, invented."""

from spacy_bertcrf.corpora.formats.chip import NOT_ANNOTATED
from spacy_bertcrf.corpora.json_values import BAD_LINE

LINES = """（1）化疗后发热、咳嗽。|||3    4    pro|||6    7    sym|||9    10    sym|||
右下肺炎性病变伴胸腔积液。|||0    6    dis|||0    2    bod|||8    11    dis|||
发作时无并发症。|||
"""


def test_lines_with_places(read):
    """Else each entity lacks its last character, or a text without entities is taken for one that
    nobody looked at."""
    export = read(LINES)
    assert export.format == "chip"
    assert export.corpus.lang == "zh"
    assert export.docs[0].text == "（1）化疗后发热、咳嗽。"
    assert export.entities == [
        [("化疗", "pro"), ("发热", "sym"), ("咳嗽", "sym")],
        [("右下肺炎性病变", "dis"), ("胸腔积液", "dis")],
        [],
    ]
    assert export.annotated == [True, True, True]
    assert [line for _, line in export.problems] == [2]


def test_nested_entities(read):
    """Else what CMeEE is annotated for is lost."""
    export = read(LINES, spans_key="sc")
    expected = [("右下肺", "bod"), ("右下肺炎性病变", "dis"), ("胸腔积液", "dis")]
    assert sorted((s.text, s.label_) for s in export.docs[1].spans["sc"]) == expected


def test_ends_may_be_exclusive(read):
    """Else a corpus made in that layout by other rules is read one character too far."""
    export = read("化疗后发热。|||0 2 pro|||3 5 sym|||\n", ends="exclusive")
    assert export.entities == [[("化疗", "pro"), ("发热", "sym")]]


def test_a_place_that_cannot_be_read_is_told(read):
    """And its text does not count as looked through; a line without bars is not annotated."""
    export = read("化疗后发热。|||0    1    pro|||三    4    sym|||\n无不适。\n\n")
    assert (BAD_LINE, 1) in export.problems
    assert export.entities == [[("化疗", "pro")], []]
    assert export.unknown[0] == list("后发热。")
    assert export.annotated == [True, False]
    assert export.notes[NOT_ANNOTATED] == "1"
