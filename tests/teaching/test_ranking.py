"""Which texts are asked for first, and what a pipeline thinks of them."""

from itertools import pairwise

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bertcrf.annotation.annotator import Failure
from spacy_bertcrf.pipeline.posterior import Uncertainty
from spacy_bertcrf.tagging import EntitySpan
from spacy_bertcrf.teaching.ranking import N_RECENT, RANKINGS, rank
from spacy_bertcrf.teaching.survey import Surveyed, survey

KNOWN = ["王小明在北京大学工作。", "张伟在广州大学读书,"]  # by heart
NEW = "广州张伟大学上海王芳"


def text(entropy, vector, n_tokens=10, entities=()):
    scores = {EntitySpan(i, i + 1, "name"): score for i, score in enumerate(entities)}
    return Surveyed(n_tokens, Uncertainty(entropy, entropy / 2, scores), np.array(vector, "f4"))


def test_a_text_that_it_does_not_know_comes_first(trained):
    found = list(survey(trained, [*KNOWN, NEW]))
    for by in RANKINGS:
        assert rank(found, by)[0] == 2


def test_what_is_said_of_a_text_is_the_components(trained):
    """The best readings of a text this short are nearly all: their entropy is the text's."""
    (found,) = survey(trained, ["在上海工作"])
    doc = trained.make_doc("在上海工作")
    recognizer = trained.get_pipe("bertcrf")
    (readings,) = recognizer.k_best([doc], 500)
    shares = np.array([share for _, share in readings])
    assert shares.sum() == pytest.approx(1, abs=1e-3)
    assert found.uncertainty.entropy == pytest.approx(-(shares * np.log(shares)).sum(), abs=0.02)
    of_doc = found.uncertainty.entities
    assert list(of_doc.values()) == pytest.approx(recognizer.span_probabilities(doc, of_doc))
    assert 0 < found.uncertainty.wrong_tokens < len(doc)


def test_a_text_that_fails_takes_no_other_with_it(trained):
    nlp = spacy.blank("zh")
    nlp.add_pipe("bertcrf", source=trained)

    def picky(text):
        if "boom" in text:
            raise RuntimeError("boom is more than it bears")
        return original(text)

    original, nlp.tokenizer = nlp.tokenizer, picky
    one, failed, other, empty = survey(nlp, [KNOWN[0], "boom", KNOWN[1], ""])
    assert isinstance(failed, Failure)
    assert "boom is more" in failed.reason
    assert (one.n_tokens, other.n_tokens, empty.n_tokens) == (11, 10, 0)
    assert empty.uncertainty.entropy == 0
    assert rank([one, other, empty])[-1] == 2


def test_without_a_bertcrf_it_is_an_error():
    with pytest.raises(ValueError, match="no bertcrf"):
        list(survey(spacy.blank("zh"), KNOWN))


def test_ten_of_the_same_kind_do_not_come_in_a_row():
    """Someone would annotate the same sentence ten times over, and teach nothing by the last."""
    kinds = [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    texts = [text(10 - kind + i / 100, kinds[kind]) for kind in range(3) for i in range(20)]
    plain = [order // 20 for order in rank(texts, varied=False)]
    assert plain == sorted(plain)
    varied = [order // 20 for order in rank(texts, n=12)]
    assert all(len(set(varied[i : i + 4])) > 1 for i in range(9)), varied
    assert varied[0] == 0


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 50), st.integers(-3, 3), st.integers(-3, 3)), max_size=40),
    st.sampled_from(sorted(RANKINGS)),
    st.booleans(),
    st.integers(1, 50) | st.none(),
)
def test_each_text_comes_once_and_the_most_uncertain_first(found, by, varied, n):
    texts = [text(entropy, (x, y, 1), entities=(entropy / 50,)) for entropy, x, y in found]
    order = rank(texts, by, n, varied)
    assert len(order) == len(set(order)) == min(len(texts), n or len(texts))
    values = [RANKINGS[by](texts[i]) for i in order]
    if order:
        assert values[0] == max(map(RANKINGS[by], texts))
    if not varied:
        assert all(a >= b for a, b in pairwise(values))
    assert N_RECENT > 1


def test_an_unknown_ranking_is_an_error():
    with pytest.raises(ValueError, match="entropy-per-token"):
        rank([text(1, (1,))], "size")
