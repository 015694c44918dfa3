"""Corpora that were annotated for some labels alone: what others could be is summed over."""

import copy
import math
import random
from functools import partial

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus, Example
from spacy.training.augment import create_lower_casing_augmenter
from spacy.vocab import Vocab

from spacy_bertcrf.corpora.annotated_labels import mark_annotated
from spacy_bertcrf.corpora.docbin import write_docbins
from spacy_bertcrf.pipeline.annotations import gold_annotation, tag_targets
from spacy_bertcrf.pipeline.span_annotations import span_annotation
from spacy_bertcrf.tagging import ANNOTATED_LABELS, TagSet
from spacy_bertcrf.training.augmenters.entity_replacement import entity_replacement

TEXTS = [
    ("王小明在北京大学工作。", [(0, 3, "name"), (4, 8, "organization")]),
    ("李雷和韩梅梅去了上海。", [(0, 2, "name"), (3, 6, "name"), (8, 10, "address")]),
    ("北京的张伟喜欢Windows10。", [(0, 2, "address"), (3, 5, "name")]),
]


def halves(nlp):
    """Each text twice: annotated for names alone, and for all but names."""
    for text, entities in TEXTS:
        for labels in (["name"], ["organization", "address"]):
            doc = nlp.make_doc(text)
            spans = [doc.char_span(*entity) for entity in entities if entity[2] in labels]
            doc.ents = spans
            mark_annotated(doc, labels)
            yield Example(nlp.make_doc(text), doc)


def allowed_of(reference, tag_set, predicted=None):
    predicted = predicted or Doc(reference.vocab, words=[t.text for t in reference])
    return tag_targets([Example(predicted, reference)], tag_set).allowed


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["BIO", "BIOES"]),
    st.lists(st.sampled_from(["A", "O", "-"]), min_size=1, max_size=4),
    st.sets(st.sampled_from("AB"), min_size=1),
)
def test_the_sum_is_over_all_that_the_annotators_did_not_look_for(every_set, scheme, tags, looked):
    """Else a label that nobody looked for would be learned as absent, or one that somebody did
    look for as open. The oracle is enumeration."""
    tag_set = TagSet(["A", "B"], scheme)
    doc = Doc(Vocab(), words=list("wxyz")[: len(tags)])
    known = [Span(doc, i, i + 1, "A") for i, tag in enumerate(tags) if tag == "A"]
    looked = sorted(looked | {span.label_ for span in known})
    doc.set_ents(known, missing=[doc[i : i + 1] for i, tag in enumerate(tags) if tag == "-"])
    never_seen = {i for i, tag in enumerate(tags) if tag == "-"}
    mark_annotated(doc, looked)
    targets = tag_targets([Example(Doc(doc.vocab, words=[t.text for t in doc]), doc)], tag_set)
    n = len(tags)
    gold = {(s.start, s.end, s.label_) for s in known}
    in_gold = {s.start for s in known}

    def fits(spans):
        for span in set(spans) - gold:
            tokens = set(range(span.start, span.end))
            if tokens & in_gold or (span.label in looked and tokens - never_seen):
                return False
        return gold <= set(spans)

    expected = {spans for spans in every_set(n, ["A", "B"]) if fits(spans)}
    if targets.allowed is None:
        found = {tuple(tag_set.decode(targets.tags))}
    else:
        found = {
            spans
            for spans in every_set(n, ["A", "B"])
            if targets.allowed[np.arange(n), tag_set.encode(spans, n)].all()
        }
    assert found == expected


def test_full_annotation_is_what_it_was():
    """Else the mark would say more than that some labels were not looked for."""
    doc = Doc(Vocab(), words=["a", "b", "c"], ents=["B-A", "O", "O"])
    mark_annotated(doc, ["A", "B"])
    allowed = allowed_of(doc, TagSet(["A", "B"]))
    assert allowed.sum(axis=1).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("labels", "said"),
    [([], "are names"), ("A", "are names"), (["B"], r"'a' has the label 'A'.* for B alone: 'a b")],
)
def test_marks_that_cannot_be_are_refused(labels, said):
    """Else entities would contradict what their text is said to be annotated for."""
    doc = Doc(Vocab(), words=["a", "b"], ents=["B-A", "O"])
    with pytest.raises(ValueError, match=said):
        mark_annotated(doc, labels)


def marks(doc):
    return [(span.start, span.end, span.label_) for span in doc.spans[ANNOTATED_LABELS]]


def test_a_mark_is_not_lost_by_another():
    """Else a cell of a notebook that is run again teaches that what was looked at was not."""
    doc = Doc(Vocab(), words=["a", "b", "c", "d"], ents=["B-A", "O", "O", ""])
    mark_annotated(doc, ["A"])
    first = marks(doc)
    mark_annotated(doc, ["A"])
    assert marks(doc) == first == [(0, 3, "A")]
    mark_annotated(doc, ["B"])
    assert marks(doc) == [(0, 3, "A"), (0, 3, "B")]


def test_spans_alone_can_be_marked():
    """Else each label that nobody looked for is learned as absent."""
    doc = Doc(Vocab(), words=["a", "b", "c"])
    mark_annotated(doc, ["A"], "sc")
    assert marks(doc) == [], "nobody has looked at it"
    doc.spans["sc"] = [Span(doc, 0, 2, "A")]
    with pytest.raises(ValueError, match="spans under sc: 'a b c '"):
        mark_annotated(doc, ["A"])
    with pytest.raises(ValueError, match="'a b' has the label 'A'"):
        mark_annotated(doc, ["B"], "sc")
    mark_annotated(doc, ["A", "C"], "sc")
    assert marks(doc) == [(0, 3, "A"), (0, 3, "C")]
    found = span_annotation(Example(doc.copy(), doc), "sc")
    assert not found.unknown("A").any()
    assert found.unknown("B").all()


def through_docbin(nlp, example, tmp_path):
    DocBin(docs=[example.reference]).to_disk(tmp_path / "one.spacy")
    (read,) = Corpus(tmp_path / "one.spacy")(nlp)
    return read


def through_converted_file(nlp, example, tmp_path):
    write_docbins({tmp_path / "two.spacy": [example.reference]})
    (read,) = Corpus(tmp_path / "two.spacy")(nlp)
    return read


def through_copy(nlp, example, tmp_path):
    return Example(example.predicted.copy(), example.reference.copy())


def through_bytes(nlp, example, tmp_path):
    return Example(example.predicted, Doc(nlp.vocab).from_bytes(example.reference.to_bytes()))


def through_dict(nlp, example, tmp_path):
    return Example.from_dict(example.predicted, example.to_dict())


def through_spacys_augmenter(nlp, example, tmp_path):
    (read,) = create_lower_casing_augmenter(1.0)(nlp, example)
    return read


def through_our_augmenter(nlp, example, tmp_path):
    path = tmp_path / "three.spacy"
    DocBin(docs=[example.reference]).to_disk(path)
    random.seed(0)
    (read,) = entity_replacement(path, level=1.0)(nlp, example)
    return read


WAYS = [
    through_docbin,
    through_converted_file,
    through_copy,
    through_bytes,
    through_dict,
    through_spacys_augmenter,
    through_our_augmenter,
]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_the_mark_survives(way, tmp_path):
    """Else what was never looked for would be learned as absent, after a file or an augmenter."""
    nlp = spacy.blank("zh")
    for example in halves(nlp):
        gold = gold_annotation(way(nlp, example, tmp_path))
        assert gold.annotated.keys() == gold_annotation(example).annotated.keys()
        assert all(mask.all() for mask in gold.annotated.values())
        # An augmenter may change entities, but not what they are.
        labels = [span.label for span in gold_annotation(example).spans]
        assert [span.label for span in gold.spans] == labels
        in_entities = np.zeros(len(gold.missing), dtype=bool)
        for span in gold.spans:
            in_entities[span.start : span.end] = True
        np.testing.assert_array_equal(gold.missing, ~in_entities)


def test_joined_docs_keep_each_their_own():
    """Else documents could not be joined for more context."""
    nlp = spacy.blank("zh")
    first, second, *_ = (example.reference for example in halves(nlp))
    joined = Doc.from_docs([first, second], ensure_whitespace=False)
    tag_set = TagSet(["address", "name", "organization"])
    expected = np.concatenate([allowed_of(doc, tag_set) for doc in (first, second)])
    np.testing.assert_array_equal(allowed_of(joined, tag_set), expected)


def test_a_doc_cut_into_sentences_claims_nothing():
    """Else, where spaCy's reader cuts long Docs and drops their spans, all labels would be
    learned as absent."""
    nlp = spacy.blank("zh")
    reference = next(halves(nlp)).reference
    reference[4].is_sent_start = True
    for sentence in reference.sents:
        cut = sentence.as_doc()
        assert ANNOTATED_LABELS not in cut.spans
        assert not any(token.ent_iob_ == "O" for token in cut)


def test_other_tokens_keep_what_aligns():
    """Else a tokenizer that splits otherwise would teach that a misaligned entity is none."""
    vocab = Vocab()
    words, spaces = ["Ann", "in", "York", "-", "based", "firms"], [1, 1, 0, 0, 1, 0]
    reference = Doc(vocab, words=words, spaces=spaces)
    reference.ents = [Span(reference, 0, 1, "PER"), Span(reference, 2, 3, "PER")]
    mark_annotated(reference, ["PER"])
    words, spaces = ["Ann", "in", "York-based", "firms"], [1, 1, 1, 0]
    predicted = Doc(vocab, words=words, spaces=spaces)
    gold = gold_annotation(Example(predicted, reference))
    assert gold.n_misaligned == 1
    assert gold.annotated["PER"].tolist() == [True, True, False, True]
    tag_set = TagSet(["LOC", "PER"])
    allowed = allowed_of(reference, tag_set, predicted)
    assert allowed.sum(axis=1).tolist() == [1, 5, 9, 5]


@pytest.mark.slow
def test_two_half_annotated_corpora_teach_what_one_whole_one_does(make_nlp):
    """Else corpora for one type each could not be joined: read plainly, they say of every entity
    that it is one and that it is none."""
    found = {}
    for treatment in ("marked", "plain"):
        nlp = make_nlp(**{"components.bertcrf.model.tok2vec.width": 32})
        spacy.util.fix_random_seed(0)
        batch = list(halves(nlp))
        if treatment == "plain":
            for example in batch:
                del example.reference.spans[ANNOTATED_LABELS]
                example.reference.set_ents(list(example.reference.ents))
        optimizer = nlp.initialize(lambda batch=batch: batch)
        optimizer.learn_rate = 0.01
        for _ in range(60):
            nlp.update(batch, sgd=optimizer)
        found[treatment] = [
            {(ent.start_char, ent.end_char, ent.label_) for ent in nlp(text).ents}
            for text, _ in TEXTS
        ]
    assert found["marked"] == [set(entities) for _, entities in TEXTS]
    assert found["plain"] != found["marked"]


def judged(example, found):
    """The example, with (start, end, label) predicted."""
    example = Example(example.predicted.copy(), example.reference)
    example.predicted.ents = [Span(example.predicted, *span) for span in found]
    return example


@pytest.mark.slow
def test_scores_are_of_what_the_annotators_looked_for(trained):
    """Else a development corpus of names would call every right address wrong, and let every
    wrong name pass."""
    component = trained.get_pipe("bertcrf")
    names = next(halves(trained))
    score = partial(component.score)
    right = judged(names, [(0, 3, "name"), (4, 8, "organization")])
    scores = score([right])
    assert (scores["ents_p"], scores["ents_r"], scores["ents_f"]) == (1, 1, 1)
    assert len(right.predicted.ents) == 2, "the Docs stay as they are"
    wrong = judged(names, [(0, 3, "name"), (4, 8, "name")])
    assert score([wrong])["ents_p"] == 0.5
    missed = judged(names, [(4, 8, "organization")])
    assert score([missed])["ents_r"] == 0
    whole = Example(right.predicted, right.reference.copy())
    del whole.reference.spans[ANNOTATED_LABELS]
    whole.reference.ents = list(whole.reference.ents)
    assert score([whole])["ents_p"] == 0.5, "else the Docs would not be annotated for all"


@pytest.mark.slow
def test_a_temperature_is_fitted_on_what_can_be_judged(trained_copy):
    """Else probabilities would be calibrated on right entities that are called wrong."""
    component = trained_copy.get_pipe("bertcrf")
    marked = list(halves(trained_copy))
    plain = [copy.copy(example) for example in halves(trained_copy)]
    for example in plain:
        del example.reference.spans[ANNOTATED_LABELS]
        example.reference.ents = list(example.reference.ents)
    of_marked, of_plain = component.fit_temperature(marked), component.fit_temperature(plain)
    assert of_marked <= 1 < of_plain
    assert not math.isclose(of_marked, of_plain)
