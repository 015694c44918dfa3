"""Which classes are taken for which, and the figure of it."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
import spacy
from spacy.scorer import Scorer
from spacy.training import Example

from spacy_bertcrf.evaluation.annotated_cats import annotated_cats_scorer
from spacy_bertcrf.evaluation.confusion import count_confusion
from spacy_bertcrf.evaluation.confusion_matrix import plot_confusion

LABELS = ["体育", "财经", "科技"]
GOLD = ["体育", "体育", "财经", "财经", "财经", "科技"]
PREDICTED = ["体育", "财经", "财经", "财经", "体育", "科技"]


def example(gold, predicted):
    nlp = spacy.blank("zh")
    pair = nlp.make_doc("好"), nlp.make_doc("好")
    for doc, label in zip(pair, (predicted, gold), strict=True):
        if label is not None:
            doc.cats = {other: float(other == label) for other in {*LABELS, label}}
    return Example(*pair)


@pytest.fixture
def examples():
    return [example(*pair) for pair in zip(GOLD, PREDICTED, strict=True)]


def test_rows_are_gold_and_columns_predicted(examples):
    """Turned around, the reader would mend the wrong class."""
    confusion = count_confusion(examples, LABELS)
    assert confusion.labels == tuple(LABELS)
    np.testing.assert_array_equal(confusion.counts, [[1, 1, 0], [1, 2, 0], [0, 0, 1]])
    assert confusion.most_confused(1) == [("体育", "财经", 1)]


def test_the_scores_are_spacys(examples):
    """Else the figure's title would not agree with `spacy evaluate`."""
    confusion = count_confusion(examples, LABELS)
    scores = Scorer.score_cats(examples, "cats", labels=LABELS, multi_label=False)
    assert confusion.accuracy == pytest.approx(scores["cats_micro_f"])
    assert confusion.macro_f == pytest.approx(scores["cats_macro_f"])


def test_what_has_no_class_is_left_out_and_counted(examples):
    confusion = count_confusion([*examples, example(None, "体育")], LABELS)
    assert confusion.n_left_out == 1
    assert confusion.counts.sum() == len(examples)
    with pytest.raises(ValueError, match="None of 1 documents has one gold category"):
        count_confusion([example(None, "体育")], LABELS)


def test_labels_that_are_only_in_gold_have_a_row(examples):
    """A class that the pipeline does not know would else raise the accuracy by its absence."""
    confusion = count_confusion([*examples, example("房产", "财经")], LABELS)
    assert confusion.labels == (*LABELS, "房产")
    assert confusion.counts[3].tolist() == [0, 1, 0, 0]


@pytest.mark.slow
def test_the_scorer_passes_over_docs_of_another_task(examples):
    """spaCy's own counts a wrong prediction for each of them."""
    unannotated = [example(None, label) for label in LABELS * 3]
    score = annotated_cats_scorer()
    assert score([*examples, *unannotated], labels=LABELS) == score(examples, labels=LABELS)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Glyph .* missing")  # for its measures only
def test_chinese_labels_are_text_in_the_figure(examples):
    """Drawn as outlines of a font without them, they would be empty boxes."""
    svg, _ = plot_confusion(count_confusion(examples, LABELS))
    texts = ["".join(node.itertext()) for node in ET.fromstring(svg).iter() if "text" in node.tag]
    assert all(texts.count(label) == 2 for label in LABELS)
    assert "accuracy 66.7%, macro F1 72.2%" in texts
