"""How the offsets of a file count."""

from pathlib import Path

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertcrf.corpora.counting import ALL, CODE_POINTS, GRAPHEMES, UTF_16, Counting, OffsetRule
from spacy_bertcrf.corpora.offsets import convert, decide
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Mention, Record

FILE = Path("f.json")
PLAIN = OffsetRule(Counting())
WORDS = st.lists(st.sampled_from(["👍", "Anna", "Köln", "中国", "é", "𠮷", "in"]), min_size=8)
SIZE = {CODE_POINTS: len, UTF_16: lambda s: len(s.encode("utf-16-le")) // 2}


def written(text, start, end, counting):
    """The offsets of a span as a tool that counts so writes them."""
    size = SIZE.get(counting.unit, lambda s: len(s.encode()))
    return (
        size(text[:start]) + counting.first,
        size(text[:end]) + counting.first - counting.inclusive,
    )


@pytest.mark.slow
@given(WORDS, st.sampled_from(ALL))
def test_surfaces_tell_any_counting(words, counting):
    """Else each entity behind an emoji, or of a tool that counts otherwise, is moved."""
    text = " ".join(words)
    spans, at = [], 0
    for word in words:
        spans.append((at, at + len(word)))
        at += len(word) + 1
    mentions = [Mention(*written(text, *s, counting), "X", text[slice(*s)]) for s in spans]
    record = Record(1, text=text, entities=mentions)
    decision = decide([record], PLAIN, FILE)
    problems = ProblemLog(FILE)
    convert(record, decision.counting, problems)
    assert [(m.start, m.end) for m in record.entities] == spans
    assert not len(problems)
    assert str(decision.counting) in decision.why


def test_word_borders_speak_where_there_is_no_surface():
    """Else doccano's spans behind an emoji are a character too far."""
    text = "👍 Anna lives in Köln"
    record = Record(1, text=text, entities=[Mention(3, 7, "PER"), Mention(17, 21, "LOC")])
    rule = OffsetRule(Counting(unit=CODE_POINTS), without_surface=(Counting(unit=UTF_16),))
    assert decide([record], rule, FILE).counting == Counting(unit=UTF_16)
    right = Record(1, text=text, entities=[Mention(2, 6, "PER"), Mention(16, 20, "LOC")])
    assert decide([right], rule, FILE).counting == Counting(unit=CODE_POINTS)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("वह दिल्ली में रहती है", "दिल्ली"),
        ("il e\u0301tait a\u0300 Gene\u0300ve", "Gene\u0300ve"),
    ],
)
def test_a_mark_is_no_word_border(text, name):
    """Else offsets that count what the reader sees as one letter, read as code points, fall on
    vowel signs and accents, which look like borders as good as any: the name is moved."""
    start, end = text.index(name), text.index(name) + len(name)
    seen = [len(regex.findall(r"\X", text[:at])) for at in (start, end)]
    record = Record(1, text=text, entities=[Mention(*seen, "LOC")])
    rule = OffsetRule(Counting(), without_surface=(Counting(unit=GRAPHEMES),))
    decision = decide([record], rule, FILE)
    convert(record, decision.counting, ProblemLog(FILE))
    assert [text[mention.start : mention.end] for mention in record.entities] == [name]


def test_one_that_does_not_fit_is_reported_and_its_places_are_unknown():
    """Else it is moved, or its true place trained as "no entity"."""
    good = [Mention(0, 4, "PER", "Anna"), Mention(8, 11, "PER", "Bob")]
    record = Record(3, text="Anna or Bob Li", entities=[*good, Mention(9, 12, "PER", "Li", 7)])
    problems = ProblemLog(FILE)
    convert(record, decide([record], PLAIN, FILE).counting, problems)
    assert record.entities == good
    assert [(problem.kind, problem.line) for problem in problems] == [
        ("surface differs from the text", 7)
    ]
    assert (12, 14) in record.missing


def test_a_text_that_was_changed_is_refused():
    """Else a dozen entities would be left of it, at random places."""
    text = "one two three four five six seven eight nine ten"
    mentions = [Mention(i, i + 3, "X", "???") for i in range(9)]
    with pytest.raises(ValueError, match=r"of 10 entities only 1 .* changed after"):
        decide([Record(1, text=text, entities=[*mentions, Mention(0, 3, "X", "one")])], PLAIN, FILE)


def test_pieces_and_white_space_do_not_hide_a_surface():
    """Else brat's third column and Label Studio's squeezed text would not fit."""
    text = "left and  right lung"
    mentions = [Mention(0, 20, "Site", "left lung ", pieces=((0, 4), (16, 20)))]
    mentions.append(Mention(0, 15, "Side", "left and right"))
    record = Record(1, text=text, entities=mentions)
    problems = ProblemLog(FILE)
    convert(record, decide([record], PLAIN, FILE).counting, problems)
    assert record.entities == mentions
    assert not len(problems)


def test_a_line_end_that_was_one_character():
    """Else all of a text whose line ends a version control system made CRLF is moved."""
    text = "Anna met\r\nBob\r\nin Köln"
    mentions = [Mention(0, 4, "PER", "Anna"), Mention(9, 12, "PER", "Bob")]
    record = Record(1, text=text, entities=[*mentions, Mention(16, 20, "LOC", "Köln")])
    decision = decide([record], PLAIN, FILE)
    assert decision.counting == Counting(crlf_as_one=True)
    convert(record, decision.counting, ProblemLog(FILE))
    assert [text[m.start : m.end] for m in record.entities] == ["Anna", "Bob", "Köln"]


def test_white_space_does_not_hide_the_counting():
    """Else ends that are exclusive are read as inclusive where a space or the text's end follows,
    and each word that punctuation follows is lost."""
    text = "Anna met Bob"
    mentions = [Mention(0, 4, "PER", "Anna"), Mention(9, 12, "PER", "Bob")]
    rule = OffsetRule(Counting(inclusive=True))
    assert decide([Record(1, text=text, entities=mentions)], rule, FILE).counting == Counting()


def test_two_entities_beside_commas_move_no_chinese_corpus():
    """Where no spaces part words, a wrong counting falls beside punctuation now and then."""
    text = "患者胃癌3年，行胃大部切除术。"
    record = Record(1, text=text, entities=[Mention(2, 4, "DIS"), Mention(8, 14, "OP")])
    rule = OffsetRule(Counting(), without_surface=ALL)
    decision = decide([record], rule, FILE)
    assert decision.counting == Counting()
    many = [Record(1, text="我问，张三说，好。", entities=[Mention(4, 5, "PER")]) for _ in range(9)]
    assert decide(many, rule, FILE).counting == Counting(), "half of a name is on no border"
    names = [Record(1, text="我问，张三，他说好。", entities=[Mention(4, 5, "P")])] * 9
    decision = decide(names, OffsetRule(Counting(), without_surface=(Counting(1, True),)), FILE)
    assert decision.counting == Counting(1, True)
    assert "offsets from 1, ends inclusive" in decision.why
