"""Sentences with a tag behind each word, invented, in the ways of several corpora."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ANNA = [("Anna Lee", "PER"), ("Bonn", "LOC")]
TAGS = ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]
WORDS = ["Anna", "Lee", "lives", "in", "Bonn", "."]
MORE = list(zip(WORDS * 9, TAGS * 9, strict=True))


@pytest.mark.parametrize("separator", ["/", "|", "_", ":"])
@pytest.mark.parametrize("pos", ["", "NN"])
def test_a_tag_behind_each_word(read, separator, pos):
    """Else a word and its tag are one token, or parts of speech are labels."""
    parts = (
        [word, pos, tag] if pos else [word, tag] for word, tag in zip(WORDS, TAGS, strict=True)
    )
    line = " ".join(map(separator.join, parts))
    export = read(f"{line}\n\n{line} \r\n", name="a.txt")
    assert export.format == "tagged-lines"
    assert export.entities == [ANNA, ANNA]
    assert export.docs[0].text == "Anna Lee lives in Bonn ."
    assert export.problems == []


def test_labels_without_letters(read):
    """Else what Stanford's recogniser prints is no corpus."""
    export = read("Anna/PER Lee/PER met/O 1/2/O of/O Bonn/LOC ./O\nNobody/O came/O ./O\n")
    assert export.entities == [ANNA, []]
    assert export.docs[0][3].text == "1/2"


def test_characters_with_their_tags(read):
    """Else the tag set of People's Daily is seen in B_nr, and "江/B" is a person."""
    export = read("江/B_nr 泽/M_nr 民/E_nr 在/O 北/B_ns 京/E_ns\n1/O 月/O\n")
    assert export.format == "tagged-lines"
    assert export.entities == [[("江泽民", "nr"), ("北京", "ns")], []]
    assert export.docs[0].text == "江泽民在北京"


@pytest.mark.parametrize(
    "line",
    [
        "fly:O to:O rome:B-city at:O 5:30:B-time <=> book",
        "BOS fly to rome at 5:30 EOS\tO O O B-city O B-time book",
        "fly to rome at 5:30\tO O B-city O B-time\tbook",
    ],
)
def test_utterances_with_their_intent(read, line):
    """Else the intent is a word, or the tags are the text of a class."""
    export = read(f"{line}\n" * 3)
    assert export.entities == [[("rome", "city"), ("5:30", "time")]] * 3
    assert [doc.cats for doc in export.docs] == [{"book": 1.0}] * 3


@pytest.mark.parametrize("blank", ["", "\n"])
def test_tags_in_the_next_line(read, blank):
    """Else each line is a token with its last word for a label, and the tags are tokens too."""
    line = f"{' '.join(WORDS)}\n{' '.join(TAGS)}\n{blank}"
    export = read(line * 2 + f"It rained\nO O\n{blank}Anna came\n", name="a.txt")
    assert export.format == "tagged-lines"
    assert export.entities == [ANNA, ANNA, []]
    assert [kind for kind, _ in export.problems] == ["line that cannot be read"]


@pytest.mark.parametrize(
    "text",
    [
        "The/DT dog/NN barks/VBZ ./.\nA/DT cat/NN sleeps/VBZ ./.\n",
        "see http://a.b/c and http://d.e/f or http://g.h/i\n" * 3,
        "Anna_Lee lives_in Bonn_am_Rhein\nBob_Lee works_in Paris_France\n",
        "at 5:30 and 6:30 or 7:30\n",
    ],
)
def test_what_is_no_tag_of_an_entity(recognised, text):
    """Else parts of speech, addresses or hours are entities."""
    assert "tagged-lines" not in recognised(text)


def test_a_word_that_lost_its_tag(read):
    """Else it counts as outside, or its sentence is lost."""
    export = read("Anna/B-PER lives/O in/O Bonn ./O\n" + "Nobody/O came/O here/O ./O\n" * 9)
    assert export.problems == [("word without a tag", 1)]
    assert export.unknown[0] == ["Bonn"]
    assert export.entities[0] == [("Anna", "PER")]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.text("ab/|_:1.", min_size=1), st.sampled_from(TAGS)), min_size=2))
def test_any_word_may_have_the_sign_that_parts(read, pairs):
    """Else a date, a price or an address loses a part, or its tag."""
    line = " ".join(f"{word}/{tag}" for word, tag in [*pairs, *MORE])
    export = read(line + "\n", format="tagged-lines")
    words = [token.text for token in export.docs[0]]
    assert words == [word for word, _ in pairs] + WORDS * 9


def test_words_parted_by_a_control_character(read):
    """Else each sentence of MSRA as PaddleNLP has it is one token with one long label."""
    lines = ["text_a\tlabel", "李 明 在 京\tB-PER I-PER O B-LOC", "王 来\tB-PER O"]
    export = read("\n".join(lines).replace(" ", "\x02"), name="train.tsv")
    assert export.format == "tagged-lines"
    assert export.entities == [[("李明", "PER"), ("京", "LOC")], [("王", "PER")]]
    assert export.problems == []
