"""Annotations equal those of `nlp.pipe`, whatever breaks beside them."""

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, SpanGroup

from spacy_bertcrf.annotation import annotator as annotator_module
from spacy_bertcrf.annotation.annotator import Annotator, Failure, batches

SENTENCES = [
    "王小明在北京大学工作。",
    "",
    "张伟在广州大学读书,",
    "今天天气很好,适合出门。",
    "李雷去了上海。",
]


@pytest.fixture
def saved(trained, tmp_path):
    trained.to_disk(tmp_path / "pipeline")
    return tmp_path / "pipeline"


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_entities_and_scores_are_those_of_the_pipeline(saved, batch_size):
    """Whoever tries the pipeline on a text must find the same in the archive."""
    override = {"components.bertcrf.spans_key": "sure"}
    docs = list(spacy.load(saved, config=override).pipe(SENTENCES))
    found = list(Annotator(spacy.load(saved), batch_size).annotate(SENTENCES))
    assert sum(len(each["entities"]) for each in found) > 4
    for doc, annotation in zip(docs, found, strict=True):
        assert set(annotation) == {"entities"}
        entities = annotation["entities"]
        assert [(e["start"], e["end"], e["text"], e["label"]) for e in entities] == [
            (ent.start_char, ent.end_char, ent.text, ent.label_) for ent in doc.ents
        ]
        scores = list(doc.spans["sure"].attrs["scores"])
        assert [e["score"] for e in entities] == pytest.approx(scores, abs=1e-3)


def test_scores_change_no_entity(saved):
    """Scores are asked for on top; the pipeline's own settings decide what is found."""
    plain = [[str(ent) for ent in doc.ents] for doc in spacy.load(saved).pipe(SENTENCES)]
    found = Annotator(spacy.load(saved)).annotate(SENTENCES)
    assert [[e["text"] for e in each["entities"]] for each in found] == plain


def test_own_span_groups_are_written(saved):
    """A pipeline that sets spans_key by itself keeps it, and scores come from there."""
    nlp = spacy.load(saved, config={"components.bertcrf.spans_key": "sure"})
    (annotation,) = Annotator(nlp).annotate(SENTENCES[:1])
    assert annotation["spans"] == {"sure": annotation["entities"]}
    assert None not in [entity["score"] for entity in annotation["entities"]]


def test_a_score_is_of_the_component_that_found_the_entity():
    """To a later component, what is given is certain; that is not what the user asks for."""
    nlp = spacy.blank("en")
    doc = nlp("Berlin is big")
    doc.ents = [doc.char_span(0, 6, "CITY")]
    for key, score in (("first", 0.25), ("second", 1.0)):
        doc.spans[key] = SpanGroup(doc, spans=doc.ents, attrs={"scores": [score]})
    annotator = Annotator(nlp)
    annotator._score_keys = ["first", "second"]
    assert annotator._annotation(doc)["entities"][0]["score"] == 0.25


def test_cats_are_written_and_what_has_no_score_has_none():
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "CITY", "pattern": "Berlin"}])

    @Language.component("classified")
    def classified(doc):
        doc.cats = {"good": 0.75}
        return doc

    nlp.add_pipe("classified")
    (annotation,) = Annotator(nlp).annotate(["Berlin"])
    city = {"start": 0, "end": 6, "text": "Berlin", "label": "CITY", "score": None}
    assert annotation == {"entities": [city], "cats": {"good": 0.75}}


@pytest.mark.slow
def test_a_text_that_fails_costs_no_other(fragile_pipeline):
    texts = ["Berlin", "FAIL", "Paris", "FAIL too", "x" * 1_000_001]
    found = list(Annotator(spacy.load(fragile_pipeline)).annotate(texts))
    assert [isinstance(each, Failure) for each in found] == [False, True, False, True, True]
    assert found[1].reason == "KeyError: 'no such thing'"
    assert "E088" in found[4].reason
    assert [e["text"] for i in (0, 2) for e in found[i]["entities"]] == ["Berlin", "Paris"]


def test_a_pipeline_that_drops_texts_shifts_none():
    """Else each text after a dropped one would get its neighbour's entities."""
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "CITY", "pattern": "Berlin"}])

    class Dropping:
        def __call__(self, doc: Doc) -> Doc:
            return doc

        def pipe(self, docs, **_):
            return (doc for doc in docs if "DROP" not in doc.text)

    Language.factory("dropping", func=lambda nlp, name: Dropping())
    nlp.add_pipe("dropping")
    first, dropped, last = Annotator(nlp).annotate(["Berlin", "DROP", "no city"])
    assert isinstance(dropped, Failure)
    assert len(first["entities"]) == 1
    assert last["entities"] == []


def test_batches_are_bounded_in_texts_and_characters():
    assert list(batches(["a"] * 5, 2)) == [(0, 2), (2, 4), (4, 5)]
    assert list(batches(["a", "b" * 2_000_000, "c", "d"], 10)) == [(0, 1), (1, 2), (2, 4)]
    assert list(batches([], 2)) == []


@pytest.mark.slow
def test_words_of_the_archive_do_not_stay_in_memory(saved, monkeypatch):
    """A hundred million texts have more words than a machine has memory; the first, which come
    most often, are not described anew for each batch."""
    nlp = spacy.load(saved)
    annotator = Annotator(nlp, 8)
    list(annotator.annotate(["穭穭"]))
    assert "穭" in nlp.vocab
    list(annotator.annotate(SENTENCES))
    monkeypatch.setattr(annotator_module, "KEPT_WORDS", len(nlp.vocab))
    before = len(nlp.vocab.strings)
    list(annotator.annotate([chr(0x5000 + i) * 3 for i in range(500)]))
    assert len(nlp.vocab.strings) == before
