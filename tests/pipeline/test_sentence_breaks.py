"""No entity crosses a sentence break that is set before, as with spaCy's `ner`."""

import warnings

import numpy as np
import pytest
import torch
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.types import Ragged

from spacy_bertcrf.models.tagger.crf import CRF, build_crf, decode
from spacy_bertcrf.pipeline.annotations import allowed_tags, tag_targets
from spacy_bertcrf.tagging import TagSet

TEXT = "王小明在北京大学工作。"  # 王小明 is a name, 北京大学 an organization


def with_break(nlp, *places):
    doc = nlp.make_doc(TEXT)
    for place in places:
        doc[place].is_sent_start = True
    return doc


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
@pytest.mark.parametrize("place", [1, 2, 5, 6, 7])
def test_no_entity_crosses_a_break(scheme_nlp, scheme, place):
    """Else the entities of a text would be lost to who reads them sentence by sentence."""
    nlp = scheme_nlp(scheme)
    crossed = [ent for ent in nlp(TEXT).ents if ent.start < place < ent.end]
    assert crossed, "the case is of no account"
    doc = nlp.get_pipe("bertcrf")(with_break(nlp, place))
    assert not any(ent.start < place < ent.end for ent in doc.ents)
    assert sum(len(sent.ents) for sent in doc.sents) == len(doc.ents)
    assert {ent.text for ent in nlp(TEXT).ents} - {ent.text for ent in crossed} <= {
        ent.text for ent in doc.ents
    }


def test_breaks_that_are_no_breaks_change_nothing(trained, entities_of):
    """Else a parser, which says of most tokens that no sentence starts there, would cost
    entities."""
    doc = trained.make_doc(TEXT)
    for token in doc[1:]:
        token.is_sent_start = False
    assert allowed_tags([doc, trained.make_doc(TEXT)], TagSet(["name"])) is None
    assert entities_of([trained.get_pipe("bertcrf")(doc)]) == entities_of([trained(TEXT)])
    at_border = trained.get_pipe("bertcrf")(with_break(trained, 3, 4, 8))
    assert entities_of([at_border]) == entities_of([trained(TEXT)])


def test_a_sentencizer_of_the_pipeline_is_heeded(trained_copy):
    """Else the break would count by hand alone, and not as users set it."""
    trained_copy.add_pipe("sentencizer", config={"punct_chars": ["小"]}, first=True)
    assert [ent.text for ent in trained_copy(TEXT).ents if "小" in ent.text and len(ent) == 3] == []
    trained_copy.get_pipe("bertcrf").cross_sentences = True
    assert trained_copy(TEXT).ents[0].text == "王小明"


def test_what_is_set_may_cross(trained):
    """Else a rule's find would be cut in two; `ner` keeps it too."""
    doc = with_break(trained, 2, 6)
    doc.set_ents([Span(doc, 0, 3, "name")], default="missing")
    doc = trained.get_pipe("bertcrf")(doc)
    assert (doc.ents[0].text, doc.ents[0].label_) == ("王小明", "name")
    assert not any(ent.start < 6 < ent.end for ent in doc.ents)


def test_breaks_hold_when_entities_are_overwritten(trained_copy):
    """Else `overwrite_ents`, which is about entities, would silently be about sentences."""
    component = trained_copy.get_pipe("bertcrf")
    component.overwrite_ents = True
    doc = component(with_break(trained_copy, 1))
    assert not any(ent.start < 1 < ent.end for ent in doc.ents)


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_readings_and_probabilities_keep_to_breaks(scheme_nlp, scored, scheme):
    """Else scores would be shares of a whole that cannot be: those of enumeration are exact."""
    nlp = scheme_nlp(scheme)
    component = nlp.get_pipe("bertcrf")
    doc = Doc(nlp.vocab, words=list("张伟在"), spaces=[False] * 3)
    free = scored(component, doc)
    doc[1].is_sent_start = True
    kept = {spans: p for spans, p in free.items() if not any(s.start < 1 < s.end for s in spans)}
    total = sum(kept.values())
    assert len(kept) < len(free)
    readings = component.k_best([doc], k=len(free))[0]
    assert len(readings) == len(kept)
    for spans, probability in readings:
        assert probability == pytest.approx(kept[tuple(spans)] / total, rel=1e-4)
    spans = sorted({span for entities in free for span in entities})
    exact = [sum(p for entities, p in kept.items() if span in entities) / total for span in spans]
    found = component.span_probabilities(doc, spans)
    assert found == pytest.approx(exact, rel=1e-4, abs=1e-7)
    crossing = [
        value for span, value in zip(spans, found, strict=True) if span.start < 1 < span.end
    ]
    assert crossing
    assert not any(crossing)


def test_the_setting_lets_entities_cross(trained_copy, make_nlp, entities_of):
    """Else who has bad breaks would lose entities to them, and could do nothing."""
    component = trained_copy.get_pipe("bertcrf")
    component.cross_sentences = True
    doc = with_break(trained_copy, 1, 2, 6)
    free = trained_copy.make_doc(TEXT)
    assert component.k_best([doc], k=3) == component.k_best([free], k=3)
    assert entities_of([component(doc)]) == entities_of([trained_copy(TEXT)])
    nlp = make_nlp(**{"components.bertcrf.cross_sentences": True})
    assert nlp.get_pipe("bertcrf").cross_sentences


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_missing_annotation_is_summed_over_without_crossings(every_set, scheme):
    """Else training would believe of unannotated tokens what prediction never says."""
    tag_set = TagSet(["LOC"], scheme)
    vocab = Vocab()
    predicted = Doc(vocab, words=list("abcd"), sent_starts=[True, None, True, None])
    reference = Doc(vocab, words=list("abcd"))
    reference.set_ents([], outside=[reference[3:4]], default="missing")
    allowed = tag_targets([Example(predicted, reference)], tag_set).allowed
    fitting = {
        spans
        for spans in every_set(4, ["LOC"])
        if allowed[np.arange(4), tag_set.encode(spans, 4)].all()
    }
    assert fitting == {
        spans
        for spans in every_set(4, ["LOC"])
        if not any(s.end == 4 or s.start < 2 < s.end for s in spans)
    }
    free = tag_targets([Example(predicted, reference)], tag_set, cross_sentences=True).allowed
    assert free[:3].all()


def test_gold_that_crosses_is_learned_and_told(make_nlp):
    """Else entities of the corpus would be missed in every evaluation, and nobody knew why."""
    nlp = make_nlp(**{"components.bertcrf.model.tok2vec.width": 32})
    entities = {"entities": [(0, 3, "name"), (4, 8, "organization")]}
    example = Example.from_dict(nlp.make_doc(TEXT), entities)
    nlp.initialize(lambda: [example])
    component = nlp.get_pipe("bertcrf")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        component.update([example])
        component.score([example])
    broken = Example(with_break(nlp, 2), example.reference)
    said = (
        r"1 of 2 gold entities cross a sentence break, such as '王小明' \(name\).*cross_sentences"
    )
    with pytest.warns(UserWarning, match=said):
        losses = component.update([broken])
    assert np.isfinite(losses["bertcrf"])
    assert losses["bertcrf"] == pytest.approx(component.update([example])["bertcrf"], rel=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        component.update([broken])  # said once, not for every batch
    with pytest.warns(UserWarning, match=said):
        component.score([broken])
    component.cross_sentences = True
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        component.score([broken])


def test_a_build_of_untrained_transitions_keeps_to_breaks():
    """Else only what is trained would be legal."""
    torch.manual_seed(0)
    vocab = Vocab()
    tag_set = TagSet(["LOC", "PER"])
    doc = Doc(vocab, words=list("abcde"), sent_starts=[True, False, True, True, None])
    allowed = allowed_tags([doc], tag_set)
    crf = CRF()
    build_crf(crf, tag_set)
    for _ in range(20):
        scores = torch.randn(5, len(tag_set)).numpy() * 10
        scores[:, 0] = -1e9  # all would be entities
        path = decode(crf, Ragged(scores, np.asarray([5])), allowed)[0]
        spans = tag_set.decode(path)
        assert spans
        assert not any(s.start < place < s.end for s in spans for place in (2, 3))
