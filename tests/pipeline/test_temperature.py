"""Probabilities that are calibrated on examples."""

import pytest
import spacy
from spacy.training import Example

from spacy_bertcrf.pipeline.temperature import fitted_temperature

TEXTS = ["王小明在北京大学工作。", "李雷和韩梅梅去了上海。"]


@pytest.fixture
def calibrated(trained_copy):
    """A component that was far too sure, for half of the gold entities are not as it says."""
    trained_copy.get_pipe("bertcrf").fit_temperature(doubtful(trained_copy))
    return trained_copy


def doubtful(nlp):
    gold = [
        (TEXTS[0], [(0, 3, "name"), (4, 6, "address")]),
        (TEXTS[1], [(0, 2, "name"), (3, 6, "name"), (8, 10, "address")]),
        ("", []),
    ]
    return [Example.from_dict(nlp.make_doc(text), {"entities": ents}) for text, ents in gold]


@pytest.mark.parametrize("best", [0.2, 1.0, 7.5])
def test_the_smallest_loss_is_found(best):
    """Else the probabilities would fit no better than before."""
    assert fitted_temperature(lambda t: (1 / t - 1 / best) ** 2) == pytest.approx(best, rel=1e-2)


def test_calibration_makes_gold_most_probable(calibrated):
    """Else the temperature would be that of something else than what probabilities are of."""
    component = calibrated.get_pipe("bertcrf")
    fitted = component.temperature
    assert fitted > 1.5

    def probability_of_gold(temperature):
        component.cfg["temperature"] = temperature
        total = 1.0
        for example in doubtful(calibrated)[:2]:
            gold = [(ent.start, ent.end, ent.label_) for ent in example.reference.ents]
            doc = calibrated.make_doc(example.text)
            readings = component.k_best([doc], k=2000)[0]
            total *= next(p for spans, p in readings if spans == gold)
        return total

    at_fitted = probability_of_gold(fitted)
    assert at_fitted > probability_of_gold(fitted * 1.2)
    assert at_fitted > probability_of_gold(fitted / 1.2)


def test_predictions_stay_and_the_temperature_is_saved(trained, calibrated, entities_of, tmp_path):
    """Else calibrating would cost accuracy, or be lost with the process."""
    calibrated.get_pipe("bertcrf").spans_key = "sure"
    docs = list(calibrated.pipe(TEXTS))
    assert entities_of(docs) == entities_of(trained.pipe(TEXTS))
    calibrated.to_disk(tmp_path / "model")
    loaded = spacy.load(tmp_path / "model")
    component = loaded.get_pipe("bertcrf")
    assert component.temperature == calibrated.get_pipe("bertcrf").temperature
    component.spans_key = "sure"
    for doc, again in zip(docs, loaded.pipe(TEXTS), strict=True):
        found = again.spans["sure"].attrs["scores"]
        assert found == pytest.approx(doc.spans["sure"].attrs["scores"])
    component.cfg["temperature"] = 1.0
    for doc, sharp in zip(docs, loaded.pipe(TEXTS), strict=True):
        assert (sharp.spans["sure"].attrs["scores"] > doc.spans["sure"].attrs["scores"]).all()


def test_there_must_be_something_to_fit(trained, make_nlp):
    """Else an empty corpus would give the edge of the search as a temperature."""
    component = trained.get_pipe("bertcrf")
    empty = Example.from_dict(trained.make_doc(""), {})
    with pytest.raises(ValueError, match="examples with tokens; there are none"):
        component.fit_temperature([empty])
    assert component.temperature == 1
    nlp = make_nlp()
    with pytest.raises(ValueError, match="initialize"):
        nlp.get_pipe("bertcrf").fit_temperature([Example.from_dict(nlp.make_doc("a"), {})])
