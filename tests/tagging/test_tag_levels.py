"""Tags of entities that overlap."""

from hypothesis import given
from hypothesis import strategies as st

from spacy_bertcrf.tagging.repair import read_tags
from spacy_bertcrf.tagging.tag_levels import each_tag, levels, tags_of

N_TOKENS = 9


@st.composite
def overlapping(draw):
    """Entities of which no two of the same label overlap."""
    found = []
    for label in draw(st.permutations(["ORG", "LOC", "PER", "GPE"])):
        bounds = sorted(draw(st.sets(st.integers(0, N_TOKENS), max_size=6)))
        found += [(s, e, label) for s, e in zip(bounds[::2], bounds[1::2], strict=False)]
    return found


@given(overlapping(), st.sampled_from(["BIO", "BIOES"]), st.randoms())
def test_every_entity_is_on_one_level(entities, scheme, random):
    """Else of entities that overlap one is cut in two, or takes tokens of another, by the order in
    which a token names them."""
    tokens = []
    for at in range(N_TOKENS):
        tags = []
        for start, end, label in entities:
            if start <= at < end:
                letter = "B" if at == start else "I"
                if scheme == "BIOES" and at == end - 1:
                    letter = "S" if at == start else "E"
                tags.append(f"{letter}-{label}")
        random.shuffle(tags)
        tokens.append(tags or ["O"])
    readings = [read_tags(level, scheme) for level in levels(tokens)]
    assert sorted(span for reading in readings for span in reading.spans) == sorted(entities)
    assert not any(reading.repairs or reading.missing for reading in readings)


@given(st.lists(st.sampled_from(["O", "B-A", "I-A", "I-B", "?", "X|B-A"]), min_size=1))
def test_one_tag_a_token_is_one_level(tags):
    """Else a corpus without overlaps is read otherwise than it was, and its mistakes not seen."""
    assert levels([tag] for tag in tags) == [tags]


def test_what_joins_tags():
    """Else a label with such a character in it becomes two entities."""
    assert tags_of("I-ORG|B-LOC") == ["I-ORG", "B-LOC"]
    assert tags_of("O|S-LOC;B_PER") == ["S-LOC", "B_PER"]
    assert tags_of("O|O") == ["O"]
    for one in ("B-PER|ORG", "B-a, b", "O", "|", "B-", "a|b"):
        assert tags_of(one) == [one]
    assert each_tag({"I-ORG|B-LOC": 2, "B-LOC": 1}) == {"I-ORG": 2, "B-LOC": 3}
