"""Hidden tokens: how many, where, and what the encoder reads in their place."""

import random
from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.training import Example
from transformers import AutoTokenizer

from spacy_bertcrf.models.bert.wordpieces import WordpieceTokenizer
from spacy_bertcrf.training.augmenters.masked_spans import masked_spans

NLP = spacy.blank("zh")
MASK = "[MASK]"
TAGS = ["O", "B-PER", "I-PER", "B-PER", "", "", "O", "O", "B-LOC", "I-LOC", "I-LOC", "O"]


@pytest.fixture
def reference() -> Doc:
    words = [*"在张伟李", "?", "!", "\n", *"去上海市。"]
    return Doc(NLP.vocab, words=words, spaces=[i == 4 for i in range(12)], ents=TAGS)


def hidden_in(doc: Doc) -> list[int]:
    return [token.i for token in doc if token.text == MASK]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    share=st.floats(0, 1),
    max_length=st.integers(1, 5),
    where=st.sampled_from(["all", "entities", "outside"]),
    seed=st.integers(0, 10**6),
)
def test_labels_and_all_other_tokens_stay(share: float, max_length: int, where: str, seed: int):
    words = [*"在张伟李", "?", "!", "\n", *"去上海市。"]
    reference = Doc(NLP.vocab, words=words, spaces=[i == 4 for i in range(12)], ents=TAGS)
    random.seed(seed)
    augment = masked_spans(1.0, None, share, max_length, where)
    (augmented,) = augment(NLP, Example(NLP.make_doc(reference.text), reference))
    columns = ["ENT_IOB", "ENT_TYPE", "SPACY"]
    assert (augmented.reference.to_array(columns) == reference.to_array(columns)).all()
    places = {
        "all": set(range(12)) - {6},
        "entities": {1, 2, 3, 8, 9, 10},
        "outside": {0, 7, 11},
    }[where]
    hidden = hidden_in(augmented.reference)
    assert set(hidden) <= places
    assert abs(len(hidden) - share * len(places)) < 1
    kept = [(old.text, new.text) for old, new in zip(reference, augmented.reference, strict=True)]
    assert all(old == new for i, (old, new) in enumerate(kept) if i not in hidden)
    assert [t.text for t in augmented.predicted] == [t.text for t in augmented.reference]


@pytest.mark.slow
def test_spans_have_all_lengths_that_are_allowed():
    random.seed(0)
    doc = NLP.make_doc("中" * 100)
    runs = set()
    for _ in range(300):
        (changed,) = masked_spans(1.0, None, 0.03, 3)(NLP, Example(doc, doc))
        hidden = hidden_in(changed.reference)
        runs.add(hidden[-1] - hidden[0] + 1 if len(hidden) == 3 else 0)
    assert {3} < runs
    singles = masked_spans(1.0, None, 0.02, 1)
    adjacent = 0
    for _ in range(300):
        first, second = hidden_in(next(singles(NLP, Example(doc, doc))).reference)
        adjacent += second == first + 1
    assert adjacent < 30


def test_a_span_does_not_go_on_into_another_entity():
    random.seed(0)
    doc = Doc(NLP.vocab, words=list("中" * 20), ents=["B-LOC"] * 20)
    adjacent = 0
    for _ in range(300):
        (changed,) = masked_spans(1.0, None, 0.1, 4)(NLP, Example(doc, doc))
        first, second = hidden_in(changed.reference)
        adjacent += second == first + 1
    # 1 in 10 is by chance; spans that went on would make it more than 3 in 4.
    assert adjacent < 60


def test_the_share_is_right_on_average_in_short_documents():
    random.seed(0)
    doc = NLP.make_doc("去上海")
    augment = masked_spans(1.0, None, 0.15)
    counts = [len(hidden_in(next(augment(NLP, Example(doc, doc))).reference)) for _ in range(2000)]
    assert sum(counts) / (3 * 2000) == pytest.approx(0.15, abs=0.02)


@pytest.mark.parametrize("alignment", ["token", "text"])
def test_the_encoder_reads_one_mask_for_a_hidden_token(tiny_bert: Path, alignment: str):
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    doc = NLP.make_doc("张伟用Windows10")
    doc = Doc(NLP.vocab, words=["张", "伟", "用", "Windows10"], spaces=[False, True, True, False])
    augment = masked_spans(1.0, str(tiny_bert), 1.0)
    (changed,) = augment(NLP, Example(doc, doc))
    pieces = WordpieceTokenizer(tokenizer, alignment)([changed.predicted])
    assert pieces.ids.tolist() == [tokenizer.mask_token_id] * 4
    assert (pieces.ends - pieces.starts).tolist() == [1, 1, 1, 1]


def test_tokens_that_the_pipeline_splits_otherwise_are_not_hidden():
    nlp = spacy.blank("en")
    words = ["I", "do", "n't", "like", "Rome,"]
    reference = Doc(nlp.vocab, words=words, spaces=[True, False, True, True, False],
                    ents=["O", "O", "O", "O", "B-LOC"])  # fmt: skip
    example = Example(nlp.make_doc(reference.text), reference)
    (changed,) = masked_spans(1.0, None, 1.0)(nlp, example)
    assert [t.text for t in changed.reference] == [MASK] * 4 + ["Rome,"]
    assert [t.text for t in changed.predicted] == [MASK] * 4 + ["Rome", ","]
    assert changed.predicted.text == changed.reference.text


def test_nothing_hidden_leaves_the_original(reference: Doc):
    example = Example(reference.copy(), reference)
    assert list(masked_spans(1.0, None, 0.0)(NLP, example)) == [example]
    assert list(masked_spans(0.0, None, 1.0, copies=3)(NLP, example)) == [example]


def test_wrong_settings_are_refused_when_the_config_is_read(tmp_path: Path):
    with pytest.raises(ValueError, match="max_length is 0"):
        masked_spans(0.3, max_length=0)
    with pytest.raises(ValueError, match="where is 'ents'"):
        masked_spans(0.3, where="ents")
    with pytest.raises(ValueError, match="level is 2"):
        masked_spans(2)
    with pytest.raises(ValueError, match="cannot be loaded"):
        masked_spans(0.3, str(tmp_path))


def test_a_tokenizer_without_a_mask_is_refused(tiny_bert: Path, tmp_path: Path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert, mask_token=None)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has no mask token"):
        masked_spans(0.3, str(tmp_path))
