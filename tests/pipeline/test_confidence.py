"""The probabilities of entities, as a user of spans_key and threshold meets them."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from spacy.cli.find_threshold import find_threshold
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab
from thinc.types import Ragged

from spacy_bertcrf.models.tagger.crf import CRF, build_crf
from spacy_bertcrf.pipeline.annotations import allowed_tags, set_entities
from spacy_bertcrf.pipeline.posterior import Posterior
from spacy_bertcrf.tagging import EntitySpan, TagSet

TEXTS = ["王小明在北京大学工作。", "", "李雷和韩梅梅去了上海。"]


def probabilities_of_entity_sets(crf, emissions, doc, tag_set):
    """By enumeration: every set of entities that the Doc may get, with its probability."""
    module = crf.shims[0].module
    start, transitions, end = (
        p.detach().double().numpy()
        for p in (module.start_transitions, module.transitions, module.end_transitions)
    )
    allowed = allowed_tags([doc], tag_set)
    weights = {}
    for path in product(range(len(tag_set)), repeat=len(doc)):
        if allowed is not None and not all(allowed[i, tag] for i, tag in enumerate(path)):
            continue
        try:
            spans = tag_set.decode(path)
        except ValueError:
            continue
        score = start[path[0]] + end[path[-1]]
        score += sum(transitions[a, b] for a, b in pairwise(path))
        score += sum(emissions[i, tag] for i, tag in enumerate(path))
        filled = doc.copy()
        set_entities(filled, spans)
        key = tuple((ent.start, ent.end, ent.label_) for ent in filled.ents)
        weights[key] = weights.get(key, 0.0) + np.exp(score)
    total = sum(weights.values())
    return {key: weight / total for key, weight in weights.items()}


def plain(doc):
    pass


def with_entity(doc):
    doc.set_ents([Span(doc, 1, 3, "LOC")], default="missing")


def with_blocked(doc):
    doc.set_ents([], blocked=[doc[1:2]], default="missing")


def with_preset_space(doc):
    doc.set_ents([Span(doc, 0, 2, "LOC")], default="missing")


WORDS = {
    "words": ["a", "b", "c", "d"],
    "space inside": ["a", " ", "b", "c"],
    "spaces at the end": ["a", "b", " ", "\n"],
}


@pytest.mark.slow
@pytest.mark.parametrize("preset", [plain, with_entity, with_blocked, with_preset_space])
@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_span_probabilities_are_those_of_enumeration(scheme, words, preset):
    """Else a score would be no probability, and no threshold on it could be trusted."""
    tag_set = TagSet(["PER", "LOC"] if scheme == "BIO" else ["LOC"], scheme)
    doc = Doc(Vocab(), words=words)
    preset(doc)
    torch.manual_seed(len(words[1]))
    crf = CRF()
    build_crf(crf, tag_set)
    emissions = torch.randn(len(doc), len(tag_set)).numpy()
    expected = probabilities_of_entity_sets(crf, emissions, doc, tag_set)
    spans = [
        EntitySpan(start, end, label)
        for start in range(len(doc))
        for end in range(start + 1, len(doc) + 1)
        for label in tag_set.labels
    ]
    lengths = np.asarray([len(doc)])
    posterior = Posterior(crf, Ragged(emissions, lengths), [doc], tag_set)
    for span, found in zip(spans, posterior.span_probabilities([spans])[0], strict=True):
        exact = sum(p for entities, p in expected.items() if span in entities)
        assert found == pytest.approx(exact, abs=1e-5), span


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
@pytest.mark.slow
def test_scores_come_with_the_entities(scheme_nlp, make_nlp, entities_of, scheme):
    """Else a user could not tell a sure entity from a guess."""
    source = scheme_nlp(scheme)
    config = {
        "components.bertcrf.scheme": scheme,
        "components.bertcrf.model.tok2vec.width": 32,
        "components.bertcrf.spans_key": "sure",
    }
    nlp = make_nlp(**config).from_bytes(source.to_bytes())
    docs = list(nlp.pipe(TEXTS))
    assert entities_of(docs) == entities_of(source.pipe(TEXTS))
    for doc in docs:
        group = doc.spans["sure"]
        assert list(group) == list(doc.ents)
        assert len(group.attrs["scores"]) == len(doc.ents)
        assert ((group.attrs["scores"] > 0.5) & (group.attrs["scores"] <= 1)).all()
    assert sum(len(doc.ents) for doc in docs) == 5
    assert not list(source(TEXTS[0]).spans)


def test_scores_survive_docbin(trained_copy):
    """Else scores would be lost as soon as a corpus is written."""
    trained_copy.get_pipe("bertcrf").spans_key = "sure"
    docs = list(trained_copy.pipe(TEXTS))
    data = DocBin(docs=docs, store_user_data=True).to_bytes()
    read = list(DocBin().from_bytes(data).get_docs(trained_copy.vocab))
    for doc, copies in zip(
        docs,
        zip(read, [Doc(trained_copy.vocab).from_bytes(d.to_bytes()) for d in docs], strict=True),
        strict=True,
    ):
        for copy in copies:
            assert [s.text for s in copy.spans["sure"]] == [s.text for s in doc.spans["sure"]]
            expected = doc.spans["sure"].attrs["scores"]
            assert np.array_equal(copy.spans["sure"].attrs["scores"], expected)


def test_threshold_drops_what_is_less_probable(trained_copy, entities_of):
    """Else precision could not be bought, or entities that were given would go too."""
    component = trained_copy.get_pipe("bertcrf")
    component.spans_key = "sure"
    component.cfg["temperature"] = 5.0  # or all would be all but 1
    doc = trained_copy(TEXTS[2])
    scores = doc.spans["sure"].attrs["scores"]
    assert len(set(scores)) == 3
    component.threshold = float(sorted(scores)[1])
    kept = trained_copy(TEXTS[2])
    expected = [
        e for e, s in zip(entities_of([doc])[0], scores, strict=True) if s >= component.threshold
    ]
    assert len(expected) == 2
    assert entities_of([kept])[0] == expected
    assert list(kept.spans["sure"]) == list(kept.ents)
    assert kept.has_annotation("ENT_IOB", require_complete=True)
    component.threshold = 1.0
    component.spans_key = None
    preset = trained_copy.make_doc(TEXTS[2])
    preset.set_ents([Span(preset, 0, 2, "other")], default="missing")
    assert entities_of([trained_copy(preset)])[0] == [(0, 2, "other")]
    with pytest.raises(ValueError, match=r"threshold is 2; it must be from 0 to 1"):
        type(component)(trained_copy.vocab, component.model, threshold=2)


def test_preset_entities_are_certain(trained_copy):
    """Else an entity_ruler's finds would have no score beside the predicted ones."""
    component = trained_copy.get_pipe("bertcrf")
    component.spans_key = "sure"
    doc = trained_copy.make_doc(TEXTS[0])
    doc.set_ents([Span(doc, 0, 3, "other"), Span(doc, 4, 6, "address")], default="missing")
    doc = trained_copy(doc)
    scores = dict(
        zip([e.text for e in doc.spans["sure"]], doc.spans["sure"].attrs["scores"], strict=True)
    )
    assert scores["王小明"] == 1
    assert scores["北京"] == 1


def test_a_second_recogniser_leaves_the_scores_of_the_first(trained_copy):
    """Else a guess of the first, 0.4, would be certain as soon as the second has passed."""
    first = trained_copy.get_pipe("bertcrf")
    first.spans_key = "sure"
    first.cfg["temperature"] = 5.0  # or all would be all but 1
    once = trained_copy(TEXTS[2])
    expected = once.spans["sure"].attrs["scores"].tolist()
    assert len(expected) == 3
    assert max(expected) < 0.99
    again = first(once.copy())
    assert again.spans["sure"].attrs["scores"].tolist() == expected
    read = Doc(trained_copy.vocab).from_bytes(once.to_bytes())
    read.ents = [*read.ents[:2], Span(read, 9, 10, "other")]  # 3rd replaced by a rule's
    assert first(read).spans["sure"].attrs["scores"].tolist() == [*expected[:2], 1.0]
    first.overwrite_ents = True
    once.spans["sure"].attrs["scores"] = np.asarray([0.1, 0.1, 0.1], dtype=np.float32)
    assert first(once).spans["sure"].attrs["scores"].tolist() == expected


def test_groups_without_scores_make_nobody_fail(trained_copy):
    """Else a group that a user has made under the same name would stop the pipeline."""
    component = trained_copy.get_pipe("bertcrf")
    component.spans_key = "sure"
    doc = trained_copy.make_doc(TEXTS[0])
    doc.set_ents([Span(doc, 0, 3, "other")], default="missing")
    doc.spans["sure"] = [doc.ents[0], doc[1:2]]
    doc.spans["sure"].attrs["scores"] = [0.5]  # not one for each
    doc = component(doc)
    assert list(doc.spans["sure"]) == list(doc.ents)
    assert doc.spans["sure"].attrs["scores"][0] == 1


@pytest.mark.slow
def test_find_threshold_works(trained_copy, train_corpus, tmp_path):
    """Else the threshold would have to be found by hand; it is README's example."""
    trained_copy.config["components"]["bertcrf"]["threshold"] = 0.5
    trained_copy.to_disk(tmp_path / "model")
    best, score, scores = find_threshold(
        tmp_path / "model", train_corpus, "bertcrf", "threshold", "ents_f", n_trials=3
    )
    assert scores[0.0] == scores[0.5] == 1
    assert scores[1.0] < 1
    assert score == 1
    assert best < 1
