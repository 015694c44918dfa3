import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bertcrf.corpora.split import parse_split, split_docs

NLP = spacy.blank("zh")
DOCS = [NLP.make_doc(str(i)) for i in range(200)]


@settings(deadline=None)
@given(st.integers(20, 200), st.integers(0, 5), st.sampled_from(["64/16/20", "80/20", "50/25/25"]))
def test_each_document_lands_in_one_part(count, seed, split):
    """Else a test document is trained on, or lost."""
    shares = parse_split(split)
    parts = split_docs(DOCS[:count], shares, seed)
    assert list(parts) == ["train", "dev", "test"][: len(shares)]
    dealt = [id(doc) for part in parts.values() for doc in part]
    assert sorted(dealt) == sorted(id(doc) for doc in DOCS[:count])
    for name, share in shares.items():
        assert abs(len(parts[name]) - count * share / 100) <= 1
        numbers = [int(doc.text) for doc in parts[name]]
        assert numbers == sorted(numbers)


def test_a_seed_always_gives_the_same_split_and_another_seed_another():
    """Else results on a split could not be repeated."""
    shares = parse_split("64/16/20")
    assert split_docs(DOCS, shares, 1) == split_docs(DOCS, shares, 1)
    assert split_docs(DOCS, shares, 1) != split_docs(DOCS, shares, 2)


@pytest.mark.parametrize("text", ["", "100", "60/20", "a/b/c", "50/50/0", "120/-20", "25/25/25/25"])
def test_percentages_that_make_no_split_are_refused(text):
    """Else a typo would drop documents."""
    with pytest.raises(ValueError, match="64/16/20"):
        parse_split(text)
    with pytest.raises(ValueError, match="nan"):
        parse_split("nan/20")


def test_a_corpus_too_small_for_its_parts_is_refused():
    """Else training would start with an empty dev set."""
    with pytest.raises(ValueError, match="too few"):
        split_docs(DOCS[:2], parse_split("64/16/20"), 0)
