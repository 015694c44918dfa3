"""Scores that are calibrated on examples."""

import math

import pytest
import spacy
from spacy.tokens import Span
from spacy.training import Example

from spacy_bertcrf.pipeline.temperature import smallest_loss

TEXTS = ["王小明在北京大学工作。", "李雷和韩梅梅去了上海。"]
UNKNOWN = "上海大学的王芳来自广州。"


@pytest.fixture
def calibrated(trained_copy):
    """A component that was far too sure, for some of the entities are not as it says."""
    trained_copy.get_pipe("bertcrf").fit_temperature(doubtful(trained_copy))
    return trained_copy


def doubtful(nlp):
    gold = [
        (TEXTS[0], [(0, 3, "name"), (4, 6, "address")]),
        (TEXTS[1], [(0, 2, "name"), (3, 6, "name"), (8, 10, "name")]),
        ("", []),
    ]
    return [Example.from_dict(nlp.make_doc(text), {"entities": ents}) for text, ents in gold]


def half_unknown(nlp):
    """The entities of this text are predicted, and the annotation is silent of two of three."""
    biluo = ["-"] * 9 + ["B-address", "L-address", "O"]
    return Example.from_dict(nlp.make_doc(UNKNOWN), {"entities": biluo})


@pytest.mark.parametrize("best", [0.06, 0.2, 1.0, 7.5, 19.0])
def test_the_smallest_loss_is_found(best):
    """Else the scores would fit no better than before."""
    assert smallest_loss(lambda t: (1 / t - 1 / best) ** 2) == pytest.approx(best, rel=1e-3)


def test_the_smallest_of_several_minima_is_found():
    """Golden-section search alone would end in the wide valley and miss the deep one."""

    def two_valleys(temperature):
        wide = abs(math.log(temperature / 0.5))
        deep = math.exp(-((5 * math.log(temperature / 5)) ** 2))
        return wide - 4 * deep

    assert smallest_loss(two_valleys) == pytest.approx(5, rel=0.03)
    assert two_valleys(5) < two_valleys(0.5)


def test_of_equal_temperatures_the_closest_to_1_is_taken():
    """Where all are as good, a model would be changed for nothing, to the edge of the range."""
    assert smallest_loss(lambda t: 0.0) == 1
    assert 0.4 < smallest_loss(lambda t: max(t, 0.5)) <= 0.5


def test_the_scores_that_users_see_are_fitted(calibrated):
    """Else the temperature would be that of something else than the scores are of."""
    component = calibrated.get_pipe("bertcrf")
    component.spans_key = "sure"
    fitted = component.temperature
    assert fitted > 1.5

    def loss(temperature):
        component.cfg["temperature"] = temperature
        total = 0.0
        for example in doubtful(calibrated)[:2]:
            gold = {(ent.start, ent.end, ent.label_) for ent in example.reference.ents}
            doc = calibrated(example.text)
            group = doc.spans["sure"]
            for span, score in zip(group, group.attrs["scores"], strict=True):
                is_right = (span.start, span.end, span.label_) in gold
                total -= math.log(score if is_right else 1 - score)
        return total

    assert loss(fitted) < loss(fitted * 1.05)
    assert loss(fitted) < loss(fitted / 1.05)


@pytest.mark.filterwarnings("error")
def test_a_sure_and_wrong_entity_does_not_break_the_fit(trained_copy):
    """A float32 score is 1 soon, and then the loss of one annotation error would be infinite."""
    component = trained_copy.get_pipe("bertcrf")
    component.spans_key = "sure"
    component.cfg["temperature"] = 1 / 20
    scores = [score for text in TEXTS for score in trained_copy(text).spans["sure"].attrs["scores"]]
    assert scores == [1.0] * 5
    assert component.fit_temperature(doubtful(trained_copy)) < 20


def test_entities_without_annotation_do_not_count(calibrated):
    """A partly annotated corpus would make the scores too low, or too high."""
    component = calibrated.get_pipe("bertcrf")
    before = component.temperature
    unknown = Example.from_dict(calibrated.make_doc(UNKNOWN), {"entities": ["-"] * len(UNKNOWN)})
    assert component.fit_temperature([*doubtful(calibrated), unknown]) == before
    with_one_right = [*doubtful(calibrated), half_unknown(calibrated)]
    assert component.fit_temperature(with_one_right) < before


def test_entities_known_to_be_incorrect_count_as_wrong(calibrated):
    """What the annotators rejected would be as certain after as before."""
    component = calibrated.get_pipe("bertcrf")
    example = half_unknown(calibrated)
    example.reference.spans["wrong"] = [Span(example.reference, 5, 7, label="name")]
    examples = [*doubtful(calibrated), example]
    silent = component.fit_temperature(examples)
    component.incorrect_spans_key = "wrong"
    assert component.fit_temperature(examples) > silent
    example.reference.spans["wrong"] = [Span(example.reference, 9, 11, label="address")]
    with pytest.raises(ValueError, match="both a gold entity and a span known to be incorrect"):
        component.fit_temperature(examples)


def test_the_threshold_drops_nothing_from_the_fit(calibrated):
    """Else the temperature would depend on a threshold that is chosen after it."""
    component = calibrated.get_pipe("bertcrf")
    before = component.temperature
    component.threshold = 1.0
    assert component.fit_temperature(doubtful(calibrated)) == before


def test_predictions_stay_and_the_temperature_is_saved(trained, calibrated, entities_of, tmp_path):
    """Else calibrating would cost accuracy, or be lost with the process."""
    calibrated.get_pipe("bertcrf").spans_key = "sure"
    docs = list(calibrated.pipe(TEXTS))
    assert entities_of(docs) == entities_of(trained.pipe(TEXTS))
    calibrated.to_disk(tmp_path / "model")
    loaded = spacy.load(tmp_path / "model")
    component = loaded.get_pipe("bertcrf")
    expected = calibrated.get_pipe("bertcrf").temperature
    assert component.temperature == pytest.approx(expected, rel=1e-12)
    component.spans_key = "sure"
    for doc, again in zip(docs, loaded.pipe(TEXTS), strict=True):
        found = again.spans["sure"].attrs["scores"]
        assert found == pytest.approx(doc.spans["sure"].attrs["scores"])
    component.cfg["temperature"] = 1.0
    for doc, sharp in zip(docs, loaded.pipe(TEXTS), strict=True):
        assert (sharp.spans["sure"].attrs["scores"] > doc.spans["sure"].attrs["scores"]).all()


def test_there_must_be_something_to_fit(trained, make_nlp):
    """Else an empty corpus would give an arbitrary temperature."""
    component = trained.get_pipe("bertcrf")

    def fit(predicted, annotation):
        component.fit_temperature([Example.from_dict(predicted, annotation)])

    with pytest.raises(ValueError, match=r"predicts none\. Give it more examples"):
        fit(trained.make_doc(""), {})
    with pytest.raises(ValueError, match=r"predicts none\. Give it more examples"):
        fit(trained.make_doc("今天天气很好,适合出门。"), {"entities": []})
    with pytest.raises(ValueError, match="none but 2 on tokens without gold annotation"):
        fit(trained.make_doc(TEXTS[0]), {"entities": ["-"] * len(TEXTS[0])})
    with pytest.raises(ValueError, match="Docs that have no entities yet"):
        fit(trained(TEXTS[0]), {"entities": [(0, 3, "name")]})
    assert component.temperature == 1
    nlp = make_nlp()
    with pytest.raises(ValueError, match="initialize"):
        nlp.get_pipe("bertcrf").fit_temperature([Example.from_dict(nlp.make_doc("a"), {})])
