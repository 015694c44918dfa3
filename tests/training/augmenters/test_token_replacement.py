"""Tokens drawn anew by their tags: tags never change, and frequencies are the corpus's."""

import random
from collections import Counter
from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus, Example

from spacy_bertcrf.training.augmenters.token_replacement import (
    bio_tag,
    token_distributions,
    token_replacement,
)

NLP = spacy.blank("zh")
TAGS = st.lists(
    st.sampled_from([[""], ["O"], ["B-PER"], ["B-PER", "I-PER"], ["B-LOC", "I-LOC", "I-LOC"]]),
    min_size=1,
    max_size=6,
).map(lambda groups: [tag for group in groups for tag in group])


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    docs=st.lists(st.tuples(TAGS, st.randoms(use_true_random=False)), min_size=1, max_size=4),
    where=st.sampled_from(["all", "entities", "outside"]),
    seed=st.integers(0, 10**6),
)
def test_each_token_becomes_one_that_had_its_tag(
    tmp_path_factory: pytest.TempPathFactory, docs: list, where: str, seed: int
):
    references = [
        Doc(
            NLP.vocab,
            words=[draws.choice("甲乙丙 ") for _ in tags],
            spaces=[draws.random() < 0.2 for _ in tags],
            ents=tags,
        )
        for tags, draws in docs
    ]
    path = tmp_path_factory.mktemp("corpus") / "train.spacy"
    DocBin(docs=references).to_disk(path)
    had = {(bio_tag(token), token.text) for doc in references for token in doc}
    random.seed(seed)
    augment = token_replacement(path, 1.0, 0.8, where)
    for reference in references:
        (augmented,) = augment(NLP, Example(reference.copy(), reference))
        changed = augmented.reference
        assert [bio_tag(token) for token in changed] == [bio_tag(token) for token in reference]
        assert [t.whitespace_ for t in changed] == [t.whitespace_ for t in reference]
        assert [t.text for t in augmented.predicted] == [t.text for t in changed]
        for old, new in zip(reference, changed, strict=True):
            place = "entities" if old.ent_type_ else "outside"
            may_change = bio_tag(old) and not old.is_space and where in ("all", place)
            assert new.text == old.text or (may_change and (bio_tag(old), new.text) in had)


def test_tokens_are_as_frequent_as_in_the_corpus(tmp_path: Path):
    words = ["甲"] * 6 + ["乙"] * 3 + ["丙"]
    doc = Doc(NLP.vocab, words=words, ents=["O"] * 10)
    DocBin(docs=[doc]).to_disk(tmp_path / "train.spacy")
    augment = token_replacement(tmp_path / "train.spacy", 1.0, 1.0)
    random.seed(0)
    counts: Counter[str] = Counter()
    for _ in range(500):
        (changed,) = augment(NLP, Example(doc.copy(), doc))
        counts.update(changed.text.split())
    assert [round(counts[word] / 5000, 1) for word in "甲乙丙"] == [0.6, 0.3, 0.1]


@pytest.mark.slow
def test_the_share_of_changed_tokens_is_the_share(train_corpus: Path):
    random.seed(0)
    augment = token_replacement(train_corpus, 1.0, 0.2, "outside")
    n_tokens = n_changed = 0
    for _ in range(100):
        for example in Corpus(train_corpus)(NLP):
            (changed,) = augment(NLP, example)
            for old, new in zip(example.reference, changed.reference, strict=True):
                n_tokens += bio_tag(old) == "O"
                n_changed += old.text != new.text
    # Some are drawn as what they were.
    assert 0.15 < n_changed / n_tokens < 0.2


def test_tokens_without_annotation_and_spaces_are_not_counted():
    words, tags = ["甲", "乙", " ", "丙"], ["", "B-PER", "I-PER", "O"]
    doc = Doc(NLP.vocab, words=words, ents=tags)
    doc.set_ents(list(doc.ents), blocked=[doc[3:4]], missing=[doc[0:1]])
    assert {tag: of_tag.words for tag, of_tag in token_distributions([doc]).items()} == {
        "B-PER": ["乙"],
        "O": ["丙"],
    }


def test_wrong_settings_are_refused(train_corpus: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="where is 'inside'"):
        token_replacement(train_corpus, 0.3, where="inside")
    (tmp_path / "list.json").write_text("{}")
    with pytest.raises(ValueError, match=r"must be a \.spacy file"):
        token_replacement(tmp_path / "list.json", 0.3)
    with pytest.raises(ValueError, match=r"share is 1\.5"):
        token_replacement(train_corpus, 0.3, 1.5)
