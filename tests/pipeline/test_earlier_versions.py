"""Pipelines that earlier versions have written.

`saved_by_0_1` holds one of version 0.1.0, a small BERT-BiLSTM-CRF that knows the texts of
`conftest.py`, and in `predicted.json` what it predicted there, with the scores of spans_key.
"""

import json
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Span

from spacy_bertcrf.training.optimizer.adamw import AdamW

FOLDER = Path(__file__).with_name("saved_by_0_1")


@pytest.fixture
def nlp():
    return spacy.load(FOLDER / "pipeline")


def test_it_predicts_what_it_did(nlp):
    """Else an update would take from users the models they have, or change them in silence."""
    predicted = json.loads((FOLDER / "predicted.json").read_text(encoding="utf-8"))
    assert sum(len(record["entities"]) for record in predicted) > 20
    docs = nlp.pipe(record["text"] for record in predicted)
    for doc, record in zip(docs, predicted, strict=True):
        spans = doc.spans["sure"]
        scores = spans.attrs["scores"].tolist()
        assert [[ent.start, ent.end, ent.label_] for ent in doc.ents] == [
            entity[:3] for entity in record["entities"]
        ]
        assert list(spans) == list(doc.ents)
        assert scores == pytest.approx([entity[3] for entity in record["entities"]], abs=1e-3)


@pytest.mark.slow
def test_it_learns_on_and_is_saved(nlp, make_examples, tmp_path):
    """Else such a model could be used as it is, and not be corrected."""
    taught = make_examples(nlp)
    for example in taught:  # what it does not know yet: all names are addresses
        doc = example.reference
        doc.set_ents([Span(doc, ent.start, ent.end, "address") for ent in doc.ents])
    optimizer = nlp.resume_training(sgd=AdamW(3e-3))
    losses = [nlp.update(taught, sgd=optimizer, drop=0.0)["bertcrf"] for _ in range(10)]
    assert losses[-1] < 0.9 * losses[0]
    nlp.to_disk(tmp_path / "nlp")
    again = spacy.load(tmp_path / "nlp")
    text = make_examples(nlp)[0].text
    assert [ent.label_ for ent in again(text).ents] == [ent.label_ for ent in nlp(text).ents]
