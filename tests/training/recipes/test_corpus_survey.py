"""What a config's rules are told of a corpus."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_bertcrf.tagging import ANNOTATED_LABELS
from spacy_bertcrf.training.recipes.corpus_survey import survey_corpus
from spacy_bertcrf.training.recipes.remarks import remarks


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


def lengths(docs):
    return np.array([len(doc) for doc in docs])


def doc(nlp, text, ents=(), missing=(), groups=None):
    made = Doc(nlp.vocab, words=text.split())
    made.set_ents(
        [Span(made, *ent[:2], label=ent[2]) for ent in ents],
        missing=[made[i : i + 1] for i in missing],
        default="outside",
    )
    for key, spans in (groups or {}).items():
        made.spans[key] = [Span(made, *span[:2], label=span[2]) for span in spans]
    return made


def survey(nlp, *docs, predicted=None):
    texts = predicted or [Doc(nlp.vocab, words=[t.text for t in gold]) for gold in docs]
    return survey_corpus(map(Example, texts, docs), lengths)


def test_everything_is_counted_once(nlp):
    found = survey(
        nlp,
        doc(nlp, "Ann met Bob", [(0, 1, "PER"), (2, 3, "PER")]),
        doc(nlp, "a b c d", missing=[1, 2]),
        doc(nlp, ""),
        doc(nlp, "in New York", [(1, 3, "LOC")]),
    )
    assert found.pieces.tolist() == [3, 4, 3]
    assert (found.n_tokens, found.n_missing, found.n_entities) == (10, 2, 3)
    assert found.labels == {"PER": 2, "LOC": 1}
    assert found.mentions == {"ann": 1, "bob": 1, "new york": 1}
    assert (found.n_without_entities, found.n_of_one_character) == (1, 4)
    assert found.n_misaligned == found.n_overlapping == 0


def test_unseen_mentions_are_told(nlp):
    """Whether names have to be found by context alone is what the score depends on most."""
    train = survey(nlp, doc(nlp, "Ann met Bob", [(0, 1, "PER"), (2, 3, "PER")]))
    dev = survey(nlp, doc(nlp, "BOB met Eve", [(0, 1, "PER"), (2, 3, "PER")]))
    assert dev.share_unseen(train) == 0.5
    assert any("50% of the entities of dev" in remark for remark in remarks(train, dev))


@pytest.mark.parametrize(
    ("spans", "n"),
    [
        ([(0, 2, "A"), (2, 4, "A")], 0),
        ([(0, 4, "A"), (1, 2, "B"), (3, 4, "C")], 3),
        ([(0, 2, "A"), (0, 2, "B")], 2),
        ([(0, 1, "A"), (1, 3, "A"), (2, 4, "A")], 2),
    ],
)
def test_spans_that_a_flat_tagger_cannot_learn_are_counted(spans, n, nlp):
    """Nobody would know why nested entities are not found."""
    train = survey(nlp, doc(nlp, "a b c d", [(0, 1, "A")], groups={"sc": spans}))
    assert train.n_overlapping == n
    assert any("overlap" in remark for remark in remarks(train, None)) == (n > 0)


def test_annotated_labels_are_no_overlapping_entities(nlp):
    groups = {ANNOTATED_LABELS: [(0, 3, "A"), (0, 3, "B")]}
    assert survey(nlp, doc(nlp, "a b c", groups=groups)).n_overlapping == 0


def test_entities_that_the_tokenizer_cuts_are_counted(nlp):
    gold = doc(nlp, "xAnn met", [(0, 1, "PER")])
    found = survey(nlp, gold, predicted=[Doc(nlp.vocab, words=["xAnnmet"], spaces=[False])])
    assert found.n_misaligned == 1
    assert any("begin or end inside of a token" in remark for remark in remarks(found, None))


def test_missing_annotation_is_told(nlp):
    """A label tool's unset tokens would be taken for "no entity" by the reader of the figure."""
    train = survey(nlp, doc(nlp, "Ann a b c", [(0, 1, "PER")], missing=[1, 2, 3]))
    assert any("3 tokens (75%) have no annotation" in remark for remark in remarks(train, None))
