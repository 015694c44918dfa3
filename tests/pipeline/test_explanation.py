"""Why an entity: the numbers that a reader is shown, and what they are made from."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_bertcrf.pipeline.alternatives import Alternative
from spacy_bertcrf.pipeline.attribution import Attributions
from spacy_bertcrf.pipeline.explanation import Explanation
from spacy_bertcrf.pipeline.mentions import Mention, NearMention
from spacy_bertcrf.tagging import EntitySpan

TEXT = "王小明在北京大学工作。"
SPAN = (4, 8, "organization")


@pytest.fixture(scope="module")
def nlp(trained_as):
    """One with a BERT inside of the component. Not to be changed."""
    return trained_as("bert_bilstm_crf")


@pytest.fixture(scope="module")
def bert(nlp):
    return nlp.get_pipe("bertcrf")


@pytest.fixture
def changeable(nlp, make_nlp):
    return make_nlp("bert_bilstm_crf").from_bytes(nlp.to_bytes())


def as_doc(nlp, text):
    return Doc(nlp.vocab, words=list(text), spaces=[False] * len(text))


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_alternatives_are_those_of_enumeration(scheme, scheme_nlp, scored):
    """Else the reader would be told of probabilities that are none."""
    component = scheme_nlp(scheme).get_pipe("bertcrf")
    doc = as_doc(scheme_nlp(scheme), "张伟在")
    expected = scored(component, doc)

    def probability(fits):
        return sum(p for spans, p in expected.items() if fits(spans))

    found = component.explain(doc, (1, 3, "name"))
    assert found.probability == pytest.approx(probability(lambda s: (1, 3, "name") in s), rel=1e-4)
    inside = probability(lambda s: all(e <= 1 or b >= 3 for b, e, _ in s))
    assert found.outside == pytest.approx(inside, rel=1e-4)
    asked = {(b, e, label) for b in range(3) for e in range(1, 4) for label in component.labels}
    asked = {s for s in asked if s[0] < s[1] > 1} - {(1, 3, "name")}
    assert {other.span for other in found.alternatives} == asked
    for other in found.alternatives:
        exact = probability(lambda s, span=other.span: span in s)
        assert other.probability == pytest.approx(exact, rel=1e-4, abs=1e-7)
        assert other.text == doc[other.span.start : other.span.end].text
    ranks = [other.probability for other in found.alternatives]
    assert ranks == sorted(ranks, reverse=True)


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_attributions_are_complete(changeable, temperature):
    """Else a reader would take for reasons what explains something else: they sum to what the text
    adds to the log probability that a text of [MASK] alone has."""
    component = changeable.get_pipe("bertcrf")
    component.cfg["temperature"] = temperature
    doc = as_doc(changeable, TEXT)
    found = component.explain(doc, SPAN)
    rests_on = found.attributions
    masked = Doc(changeable.vocab, words=["[MASK]"] * len(doc), spaces=[False] * len(doc))
    here, blank = (
        float(np.log(component.span_probabilities(each, [SPAN])[0])) for each in (doc, masked)
    )
    assert rests_on.log_probability == pytest.approx(here, rel=1e-3, abs=1e-5)
    assert rests_on.baseline == pytest.approx(blank, rel=1e-3)
    assert rests_on.values.shape == (len(doc),)
    assert rests_on.values.sum() == pytest.approx(here - blank, rel=0.01)
    assert rests_on.gap <= 0.01


@pytest.mark.slow
def test_steps_are_doubled_until_the_attributions_are_complete(bert, nlp):
    """Else a path that needs more steps would be explained wrongly without a word."""
    doc = as_doc(nlp, TEXT)
    few, enough = (bert.explain(doc, SPAN, max_steps=n).attributions for n in (1, 256))
    assert few.n_steps == 1
    assert few.gap > 0.01 >= enough.gap
    assert abs(few.values.sum() / (few.log_probability - few.baseline) - 1) == pytest.approx(
        few.gap, rel=1e-3
    )


def test_what_does_not_count_has_no_attribution(bert, nlp):
    """What is [MASK] already changes nothing, so nothing rests on it."""
    words = [*TEXT[:-1], "[MASK]"]
    doc = Doc(nlp.vocab, words=words, spaces=[False] * len(words))
    values = bert.explain(doc, SPAN).attributions.values
    assert values[-1] == pytest.approx(0, abs=1e-9)
    assert np.abs(values[:-1]).min() > 0


def test_explaining_leaves_nothing_behind(bert, nlp):
    """Else the next training would begin with gradients that are not its own, and the next
    prediction would have dropout."""
    doc = nlp(TEXT)
    before = nlp.to_bytes(), doc.to_bytes()
    bert.explain(doc, doc.ents[0], mentions=bert.mentions([doc]))
    modules = [shim.module for node in bert.model.walk() for shim in node.shims]
    assert (nlp.to_bytes(), doc.to_bytes()) == before
    assert all(p.grad is None for module in modules for p in module.parameters())
    assert not any(part.training for module in modules for part in module.modules())


@pytest.mark.slow
def test_threads_explain_as_one_alone(bert, nlp):
    docs = [as_doc(nlp, TEXT[i:]) for i in range(4)]
    spans = [(4 - i, 8 - i, "organization") for i in range(4)]

    def explained(i):
        found = bert.explain(docs[i], spans[i])
        return found.probability, found.attributions.values.tolist()

    def predicted(i):
        return bert.predict([docs[i]])[0].tag_ids.tolist()

    expected = [(explained(i), predicted(i)) for i in range(4)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: (explained(i), predicted(i)), [*range(4)] * 3))
    assert found == expected * 3


@pytest.mark.slow
def test_of_a_long_text_the_windows_with_the_span_are_explained(nlp, make_nlp):
    """Else an archive's longest document would take all memory."""
    narrow = make_nlp(
        "bert_bilstm_crf",
        **{"components.bertcrf.model.tok2vec.window": 64,
           "components.bertcrf.model.tok2vec.overlap": 16},
    ).from_bytes(nlp.to_bytes())  # fmt: skip
    doc = as_doc(narrow, TEXT * 100)
    component = narrow.get_pipe("bertcrf")
    start = 50 * len(TEXT) + 4
    rests_on = component.explain(doc, (start, start + 4, "organization")).attributions
    assert 0 < rests_on.first < start
    assert start + 4 < rests_on.first + len(rests_on.values) < rests_on.first + 300
    difference = rests_on.log_probability - rests_on.baseline
    assert rests_on.values.sum() == pytest.approx(difference, rel=0.01)


@pytest.mark.slow
def test_a_text_of_100_000_characters_is_explained(bert, nlp):
    doc = as_doc(nlp, TEXT * 9091)
    start = 5000 * len(TEXT)
    found = bert.explain(doc, (start, start + 3, "name"))
    assert found.probability > 0.5
    assert len(found.attributions.values) < 1200
    assert found.attributions.gap <= 0.01


def test_entities_that_are_predicted_are_passed_over(bert, nlp):
    """Else everything that is predicted would be explained as certain, since it is there."""
    doc = nlp(TEXT)
    fresh = bert.explain(nlp.make_doc(TEXT), SPAN, attributions=False)
    assert bert.explain(doc, SPAN, attributions=False).probability == fresh.probability < 1
    given = bert.explain(doc, SPAN, given_entities=True)
    assert given.probability == pytest.approx(1)
    assert given.outside == 0


@pytest.mark.slow
@pytest.mark.parametrize("words", [["王", "小", "明", " "], ["王", " ", "小", "明"]])
@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_spaces_are_part_of_what_is_explained(scheme, words, nlp, make_trained):
    """In BIO an entity may be written with the spaces after it: what is explained is all of its
    probability."""
    if scheme == "BIO":
        overrides = {"components.bertcrf.scheme": "BIO"}
        nlp = make_trained("bert_bilstm_crf", n_steps=2, **overrides)
    component = nlp.get_pipe("bertcrf")
    doc = Doc(nlp.vocab, words=words, spaces=[False] * 4)
    end = 3 if words[-1] == " " else 4
    found = component.explain(doc, (0, end, "name"))
    assert np.exp(found.attributions.log_probability) == pytest.approx(found.probability, rel=1e-3)


def test_what_is_impossible_has_no_reasons(bert, nlp):
    """A break in the span, which no entity crosses."""
    doc = as_doc(nlp, TEXT)
    doc[6].is_sent_start = True
    found = bert.explain(doc, SPAN)
    assert (found.probability, found.attributions) == (0, None)
    assert "sentence break" in found.no_attributions
    assert found.sentence().startswith("“北京大学”: 0.00 organization")
    spaces = Doc(nlp.vocab, words=["王", " "], spaces=[False] * 2)
    found = bert.explain(spaces, (0, 2, "name"))
    assert (found.probability, found.attributions) == (0, None)


def test_without_a_bert_the_rest_is_explained(trained, make_examples):
    component = trained.get_pipe("bertcrf")
    mentions = component.mentions(make_examples(trained))
    found = component.explain(as_doc(trained, TEXT), SPAN, mentions=mentions)
    assert found.attributions is None
    assert "BertEncoder" in found.no_attributions
    assert found.nearest[0].mention.mention in ("上海大学", "广州大学")
    assert "rests" not in found.sentence()


@pytest.mark.slow
def test_a_shared_transformer_is_explained_but_for_what_it_rests_on(trained_as):
    nlp = trained_as("shared_transformer")
    component = nlp.get_pipe("bertcrf")
    doc = nlp(TEXT)
    found = component.explain(doc, SPAN, mentions=component.mentions([nlp("王芳在上海。")]))
    assert 0 < found.probability < 1
    assert found.attributions is None
    with pytest.raises(ValueError, match="has not read its texts"):
        component.explain(nlp.make_doc(TEXT), SPAN)


def test_a_doc_of_another_vocabulary_is_the_same_text(bert, nlp):
    """A component that comes from another pipeline keeps the vocabulary of that one."""
    words = {"words": list(TEXT), "spaces": [False] * len(TEXT)}
    found, expected = (bert.explain(Doc(v, **words), SPAN) for v in (Vocab(), nlp.vocab))
    assert found.sentence() == expected.sentence()
    assert found.attributions.values.tolist() == expected.attributions.values.tolist()


def test_an_encoder_that_reads_more_than_embeddings_is_not_explained(changeable, monkeypatch):
    """Else the reasons would be those of another prediction."""
    component = changeable.get_pipe("bertcrf")
    bert = component.model.get_ref("tok2vec").shims[0].module.bert
    forward = type(bert).forward

    def reads_ids(self, input_ids=None, inputs_embeds=None, **settings):
        found = forward(self, input_ids=input_ids, inputs_embeds=inputs_embeds, **settings)
        if input_ids is not None:
            found.last_hidden_state = found.last_hidden_state + 1
        return found

    monkeypatch.setattr(type(bert), "forward", reads_ids)
    found = component.explain(as_doc(changeable, TEXT), SPAN)
    assert found.attributions is None
    assert "does not read wordpieces by their embeddings alone" in found.no_attributions


def test_quantised_layers_have_no_gradient(changeable):
    import torch

    component = changeable.get_pipe("bertcrf")
    for node in component.model.walk():
        for shim in node.shims:
            torch.ao.quantization.quantize_dynamic(shim.module, inplace=True)
    found = component.explain(as_doc(changeable, TEXT), SPAN)
    assert found.attributions is None
    assert "quantised" in found.no_attributions


def test_without_captum_the_extra_is_named(bert, nlp, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    doc = as_doc(nlp, TEXT)
    with pytest.raises(ImportError, match=r"spacy-bertcrf\[explain\]"):
        bert.explain(doc, SPAN)
    assert bert.explain(doc, SPAN, attributions=False).alternatives


def test_what_cannot_be_explained_is_an_error(bert, nlp):
    """Else a slip would be explained in the place of what was meant."""
    doc, other = as_doc(nlp, TEXT), as_doc(nlp, TEXT)
    for span in [(4, 8, "movie"), (3, 3, "name"), (9, 12, "name"), (-1, 1, "name"), doc[4:8]]:
        with pytest.raises(ValueError, match="must lie in the text, which has 11 tokens"):
            bert.explain(doc, span)
    with pytest.raises(ValueError, match="one of another Doc"):
        bert.explain(doc, Span(other, *SPAN))
    with pytest.raises(ValueError, match="max_steps is 0"):
        bert.explain(doc, SPAN, max_steps=0)
    with pytest.raises(ValueError, match="lang is 'de'; it can be en or zh"):
        bert.explain(doc, SPAN, attributions=False).sentence("de")


def test_the_nearest_mentions_are_those_of_the_greatest_cosine(bert, nlp, make_examples):
    examples = make_examples(nlp)
    mentions = bert.mentions(examples)
    assert len(mentions) == sum(len(example.reference.ents) for example in examples)
    doc = as_doc(nlp, TEXT)
    found = bert.explain(doc, (0, 3, "name"), mentions=mentions, n_nearest=3, attributions=False)

    def mean_vector(text, start, end):
        (rows,) = bert.model.get_ref("tok2vec").predict([nlp.make_doc(text)])
        return rows[start:end].mean(axis=0)

    own = mean_vector(TEXT, 0, 3)
    expected = {}
    for example in examples:
        for ent in example.reference.ents:
            vector = mean_vector(example.text, ent.start, ent.end)
            cosine = vector @ own / np.linalg.norm(vector) / np.linalg.norm(own)
            if ent.label_ == "name" and (example.text, ent.start) != (TEXT, 0):
                expected[example.text, ent.start_char, ent.end_char] = float(cosine)
    best = sorted(expected, key=expected.get, reverse=True)[:3]
    assert [near.mention[:3] for near in found.nearest] == best
    assert [near.similarity for near in found.nearest] == pytest.approx(
        [expected[mention] for mention in best], rel=1e-3
    )


def test_mentions_may_be_docs_with_entities(bert, nlp, make_examples):
    doc = nlp(TEXT)
    assert {mention.mention for mention in bert.mentions([doc]).mentions} == {
        ent.text for ent in doc.ents
    }
    only_itself = bert.explain(doc, SPAN, mentions=bert.mentions([doc]), attributions=False)
    assert only_itself.nearest == []


def test_mentions_that_cannot_be_compared_are_an_error(bert, nlp, trained):
    doc = as_doc(nlp, TEXT)
    with pytest.raises(ValueError, match="The corpus has no entity"):
        bert.mentions([doc, Example(doc, doc.copy())])
    others = trained.get_pipe("bertcrf").mentions([trained(TEXT)])
    with pytest.raises(ValueError, match="Make them with the component itself"):
        bert.explain(doc, SPAN, mentions=others, attributions=False)


def explanation(**changed):
    text = "他在招商银行行长任上。"
    values = np.array([0.0, -0.1, 1.0, 0.9, 3.0, 2.0, -1.5, 0.0, 0.0, 0.0, 0.0])
    settings = {
        "text": text,
        "offsets": [(i, i + 1) for i in range(len(text))],
        "span": EntitySpan(2, 6, "company"),
        "probability": 0.62,
        "outside": 0.04,
        "alternatives": [
            Alternative(EntitySpan(2, 8, "position"), "招商银行行长", 0.2),
            Alternative(EntitySpan(2, 6, "organization"), "招商银行", 0.1),
            Alternative(EntitySpan(2, 6, "name"), "招商银行", 0.02),
        ],
        "attributions": Attributions(0, values, -0.5, -5.7, 0.001, 32),
        "nearest": [NearMention(Mention("昨日,建设银行宣布降息。", 3, 7, "company"), 0.9)],
    }
    return Explanation(**{**settings, **changed})


def test_the_sentence_says_it_in_words():
    assert explanation().sentence() == (
        "“招商银行”: 0.62 company, 0.10 organization, 0.20 position as “招商银行行长”, "
        "0.04 no entity; rests most on “银行”; “行” speaks against it; closest in training: "
        "“建设银行” (昨日,建设银行宣布降息。)."
    )
    assert explanation().sentence("zh") == (
        "“招商银行”是 company 的概率为 0.62,是 organization 的概率为 0.10,"
        "“招商银行行长”是 position 的概率为 0.20,不是实体的概率为 0.04;"
        "主要依据是“银行”;“行”使这一概率降低;"
        "训练语料中最接近的是“建设银行”(昨日,建设银行宣布降息。)。"
    )


def test_the_sentence_does_not_say_that_what_is_improbable_rests_on_something():
    """Nobody would understand on what an entity rests that was not found."""
    missed = explanation(probability=0.02, outside=0.64, alternatives=[], nearest=[])
    assert missed.sentence() == (
        "“招商银行”: 0.02 company, 0.64 no entity; what speaks for it most is “银行”; "
        "“行” speaks against it."
    )
    assert missed.sentence("zh") == (
        "“招商银行”是 company 的概率为 0.02,不是实体的概率为 0.64;"
        "最支持这一判断的是“银行”;“行”使这一概率降低。"
    )


def test_the_sentence_leaves_out_what_is_not_known():
    bare = explanation(outside=None, alternatives=[], attributions=None, nearest=[])
    assert bare.sentence() == "“招商银行”: 0.62 company."
    assert bare.sentence("zh") == "“招商银行”是 company 的概率为 0.62。"
    assert explanation(probability=0.999, outside=0.001).sentence().count("> 0.99") == 1
