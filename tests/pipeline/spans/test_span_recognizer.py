"""What a spaCy user expects of the component for overlapping spans."""

import numpy as np
import pytest
import spacy
from spacy.cli.find_threshold import find_threshold
from spacy.tokens import DocBin, Span
from spacy.training import Example
from spacy.util import registry
from typer.testing import CliRunner

from spacy_bertcrf.cli import app
from spacy_bertcrf.tagging import TagSet

GOLD = [(0, 2, "place"), (0, 4, "organization"), (5, 7, "name"), (9, 11, "place")]


def test_spans_in_spans_are_found_with_their_probabilities(spans_nlp, nested_texts, spans_of):
    """Else what `doc.ents` cannot hold would be lost."""
    doc = spans_nlp(nested_texts[0])
    assert spans_of(doc) == GOLD
    scores = doc.spans["sc"].attrs["scores"]
    assert scores.shape == (4,)
    assert (scores > 0.9).all()
    assert not doc.ents


def test_it_is_scored_as_spancat_is(spans_nlp, nested_examples):
    """Else `spacy evaluate` and `spacy train` would see no scores."""
    scores = spans_nlp.evaluate(nested_examples(spans_nlp))
    assert scores["spans_sc_f"] == 1.0
    assert set(scores["spans_sc_per_type"]) == {"name", "organization", "place"}


def test_a_saved_pipeline_predicts_the_same(spans_nlp, nested_texts, spans_of, tmp_path):
    """Else nothing could be handed on."""
    spans_nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    for doc, again in zip(spans_nlp.pipe(nested_texts), loaded.pipe(nested_texts), strict=True):
        assert spans_of(doc) == spans_of(again)
        scores = (d.spans["sc"].attrs["scores"] for d in (doc, again))
        np.testing.assert_allclose(*scores, rtol=1e-5)
    assert loaded.get_pipe("bertcrf_spans").labels == ("name", "organization", "place")


def test_texts_do_not_change_one_another(spans_nlp, nested_texts, spans_of):
    """Else a prediction would depend on what is predicted beside it, empty texts included."""
    alone = [spans_of(spans_nlp(text)) for text in nested_texts]
    together = list(spans_nlp.pipe(["", *nested_texts, " "]))
    assert [spans_of(doc) for doc in together] == [[], *alone, []]


def test_spans_that_a_text_has_already_stay(spans_nlp, spans_copy, nested_texts, spans_of):
    """Else rules before the component would be overruled, and their scores lost."""
    doc = spans_nlp.make_doc(nested_texts[0])
    mine = Span(doc, 5, 8, "name", span_id="Q1")
    rule = Span(doc, 0, 4, "campus")
    doc.spans["sc"] = [rule, mine]
    doc.spans["sc"].attrs["scores"] = np.asarray([0.25, 0.5], dtype=np.float32)
    component = spans_nlp.get_pipe("bertcrf_spans")
    assert component.span_probabilities(doc, [(5, 8, "name")])[0] == pytest.approx(1)
    assert component.span_probabilities(doc, [(5, 7, "name")])[0] == 0
    doc = component(doc)
    assert sorted(spans_of(doc)) == sorted([(0, 4, "campus"), (5, 8, "name"), *GOLD[:2], GOLD[3]])
    group = doc.spans["sc"]
    kept = {span.id_: score for span, score in zip(group, group.attrs["scores"], strict=True)}
    assert kept["Q1"] == 0.5
    spans_copy.get_pipe("bertcrf_spans").overwrite = True
    assert spans_of(spans_copy.get_pipe("bertcrf_spans")(doc)) == GOLD


def test_the_threshold_lets_less_probable_spans_in(spans_copy, nested_texts):
    """Else recall could not be bought with precision, nor the other way round."""
    component = spans_copy.get_pipe("bertcrf_spans")
    found = []
    for component.threshold in (0.0, 0.01, 0.5, 0.9999999, None):
        doc = spans_copy("王芳喜欢北京大学的上海。" + nested_texts[1])
        scores = doc.spans["sc"].attrs["scores"]
        assert (scores >= (component.threshold or 0)).all()
        found.append(len(scores))
    assert found[:4] == sorted(found[:4], reverse=True)
    assert found[0] > found[3]
    assert found[4] > 0


def test_no_span_crosses_a_sentence_break_or_ends_in_a_space(spans_copy, nested_texts, spans_of):
    """Else spans would reach into what is no part of them."""
    component = spans_copy.get_pipe("bertcrf_spans")
    component.threshold = 0.001
    found = []
    for component.cross_sentences in (False, True):
        doc = spans_copy.make_doc(nested_texts[0])
        doc[2].is_sent_start = True
        found.append(spans_of(component(doc)))
    assert found[0]
    assert not any(start < 2 < end for start, end, _ in found[0])
    assert (0, 4, "organization") in found[1]
    doc = spans_copy("上海 \n大学 的 王芳")
    assert not any(doc[start].is_space or doc[end - 1].is_space for start, end, _ in spans_of(doc))


@pytest.mark.slow
def test_it_learns_from_entities_where_there_are_no_spans(
    make_spans_nlp, nested_examples, spans_of
):
    """Else a flat corpus would have to be rewritten first."""
    nlp = make_spans_nlp()
    flat = [
        ("王小明在北京。", [(0, 3, "name"), (4, 6, "place")]),
        ("张伟去上海。", [(0, 2, "name")]),
    ]
    examples = [Example.from_dict(nlp.make_doc(text), {"entities": spans}) for text, spans in flat]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    for _ in range(30):
        nlp.update(examples, sgd=optimizer)
    assert spans_of(nlp("王小明在北京。")) == [(0, 3, "name"), (4, 6, "place")]
    assert nlp.evaluate(examples)["spans_sc_f"] == 1.0


def test_texts_without_the_group_are_told_of(make_spans_nlp, nested_examples):
    """Else a part of a corpus would be learned as flat, or not at all, without a word."""
    nlp = make_spans_nlp()
    examples = nested_examples(nlp)
    flat = Example.from_dict(nlp.make_doc("王小明。"), {"entities": [(0, 3, "name")]})
    bare = Example(nlp.make_doc("张伟。"), nlp.make_doc("张伟。"))
    with pytest.warns(UserWarning, match=r"2 of 7 texts have no spans under 'sc': of 1 of these"):
        nlp.initialize(lambda: [*examples, flat, bare])
    component = nlp.get_pipe("bertcrf_spans")
    loss, gradient = component.get_loss([bare], component.model.predict([bare.predicted]))
    assert loss == pytest.approx(0, abs=1e-5)
    assert np.abs(gradient.dataXd).max() < 1e-6


def test_a_label_inside_itself_is_counted_and_named(make_spans_nlp, nested_examples):
    """Else spans that the head cannot say would be lost in silence."""
    nlp = make_spans_nlp()
    texts = [("北京大学医学院", [(0, 7, "organization"), (0, 4, "organization"), (0, 2, "place")])]
    message = r"1 of 3 gold spans cannot be said .*organization \(1\).*'北京大学' \(organization\)"
    with pytest.warns(UserWarning, match=message):
        optimizer = nlp.initialize(lambda: nested_examples(nlp, texts))
    assert nlp.update(nested_examples(nlp, texts), sgd=optimizer)["bertcrf_spans"] > 0


@pytest.mark.slow
def test_labels_are_added_to_a_trained_pipeline(spans_copy, nested_texts, spans_of):
    """Else a new label would mean a new training, or disturb what is known."""
    before = [(spans_of(doc), list(doc.spans["sc"].attrs["scores"]))
              for doc in spans_copy.pipe(nested_texts)]  # fmt: skip
    component = spans_copy.get_pipe("bertcrf_spans")
    assert component.add_label("drug") == 1
    assert component.add_label("drug") == 0
    for doc, (spans, scores) in zip(spans_copy.pipe(nested_texts), before, strict=True):
        assert spans_of(doc) == spans
        np.testing.assert_allclose(doc.spans["sc"].attrs["scores"], scores, rtol=1e-5)
    assert component.label_data == ["name", "organization", "place", "drug"]
    reference = spans_copy.make_doc("王芳吃阿司匹林。")
    reference.spans["sc"] = [Span(reference, 0, 2, "name"), Span(reference, 3, 7, "drug")]
    optimizer = spans_copy.resume_training()
    optimizer.learn_rate = 0.01
    for _ in range(40):
        spans_copy.update([Example(spans_copy.make_doc(reference.text), reference)], sgd=optimizer)
    assert spans_of(spans_copy(reference.text)) == [(0, 2, "name"), (3, 7, "drug")]
    loaded = spacy.util.load_model_from_config(spans_copy.config, auto_fill=True)
    loaded.from_bytes(spans_copy.to_bytes())
    assert (3, 7, "drug") in spans_of(loaded(reference.text))


def test_an_unknown_label_is_refused(spans_nlp, nested_examples):
    """Else a corpus with other labels would end in an index error."""
    texts = [("王芳。", [(0, 2, "person")])]
    with pytest.raises(ValueError, match=r"'王芳' has the label 'person'.*add_label"):
        spans_nlp.update(nested_examples(spans_nlp, texts))


@pytest.mark.slow
def test_it_shares_one_encoder_with_bertcrf(make_nlp, nested_examples, spans_of):
    """Else one text would be read twice for its entities and its spans."""
    nlp = make_nlp("shared_transformer")
    model = {
        **nlp.get_pipe_config("bertcrf")["model"],
        "@architectures": "spacy-bertcrf.SpanTagger.v1",
        "head": {"@layers": "spacy-bertcrf.LabelCRFs.v1"},
    }
    nlp.add_pipe("bertcrf_spans", config={"model": model})
    examples = nested_examples(nlp)
    for example in examples:
        example.reference.set_ents(
            [s for s in example.reference.spans["sc"] if s.label_ != "place"]
        )
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.003
    for _ in range(20):
        losses = nlp.update(examples, sgd=optimizer)
    assert losses["bertcrf"] < 2
    assert losses["bertcrf_spans"] < 4
    doc = nlp(examples[0].text)
    assert doc.ents
    assert len(doc.spans["sc"]) >= len(doc.ents)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [
    {"@misc": "spacy-bertcrf.RDrop.v1"},
    {"@misc": "spacy-bertcrf.MultiSampleDropout.v1"},
    {"@misc": "spacy-bertcrf.TokenCrossEntropy.v1"},
    {"@misc": "spacy-bertcrf.EntityBoundaries.v1"},
    {"@misc": "spacy-bertcrf.TokenDropout.v1"},
])  # fmt: skip
def test_ways_of_training_work_with_it(strategy, spans_trained, nested_examples):
    """Else a strategy of `bertcrf` would fail, or learn something else, in the midst of a
    training."""
    nlp = spans_trained(strategies={"way": strategy})
    assert nlp.evaluate(nested_examples(nlp))["spans_sc_f"] > 0.9


def test_label_weights_are_refused(make_spans_nlp):
    """Else all labels would have the weight of none."""
    weights = {"@misc": "spacy-bertcrf.LabelWeights.v1", "weights": {"name": 2.0}}
    with pytest.raises(ValueError, match="LabelWeights weights the tags of one CRF"):
        make_spans_nlp(strategies={"weights": weights})


def test_scores_are_calibrated(spans_copy, nested_examples, nested_texts, spans_of):
    """Else a score could not be made to say how often it is right."""
    before = [spans_of(doc) for doc in spans_copy.pipe(nested_texts)]
    component = spans_copy.get_pipe("bertcrf_spans")
    temperature = component.fit_temperature(nested_examples(spans_copy))
    assert 0.05 <= temperature < 1  # all is right, so that it can be surer
    assert [spans_of(doc) for doc in spans_copy.pipe(nested_texts)] == before


def test_only_what_was_annotated_is_learned_and_judged(spans_copy, nested_examples, spans_of):
    """Else a corpus of places would teach that there are no names."""
    component = spans_copy.get_pipe("bertcrf_spans")
    (example, *_) = nested_examples(spans_copy)
    reference = example.reference
    reference.spans["sc"] = [s for s in reference.spans["sc"] if s.label_ == "place"]
    reference.spans["annotated_labels"] = [Span(reference, 0, len(reference), "place")]
    scores = component.model.predict([example.predicted])
    loss, gradient = component.get_loss([example], scores)
    by_label = gradient.dataXd.reshape(len(reference), 3, 5)
    assert np.abs(by_label[:, :2]).max() < 1e-6
    assert loss < 0.1
    assert spans_copy.evaluate([example])["spans_sc_p"] == 1.0
    docs = list(DocBin(docs=[reference], store_user_data=True).get_docs(spans_copy.vocab))
    assert "annotated_labels" in docs[0].spans


def test_a_span_without_a_token_is_refused(make_spans_nlp, spans_nlp, nested_examples):
    """Else it would be learned as another one, or fail deep in the model."""
    nlp = make_spans_nlp()
    texts = [("王芳。", [(0, 2, "name"), (1, 1, "name")])]
    with pytest.raises(ValueError, match=r"a span without a token, at token 1 \(name\).*王芳"):
        nlp.initialize(lambda: nested_examples(nlp, texts))
    doc = spans_nlp.make_doc("王芳。")
    doc.spans["sc"] = [Span(doc, 1, 1, "name")]
    assert len(spans_nlp.get_pipe("bertcrf_spans")(doc).spans["sc"]) >= 1


def test_a_label_given_twice_is_refused(make_spans_nlp, nested_examples):
    """Else the order of the labels would not be the one that was given."""
    nlp = make_spans_nlp()
    with pytest.raises(ValueError, match="there twice"):
        nlp.get_pipe("bertcrf_spans").initialize(
            lambda: nested_examples(nlp), nlp=nlp, labels=["name", "name"]
        )


def test_spans_given_to_bertcrf_name_the_component_for_them(make_nlp, nested_examples):
    """Else a user would look for the fault in the corpus."""
    nlp = make_nlp()
    with pytest.raises(
        ValueError, match=r"There are doc\.spans\['sc'\]: the component bertcrf_spans"
    ):
        nlp.initialize(lambda: nested_examples(nlp))
    with pytest.raises(ValueError, match="bertcrf_spans, which learns spans that overlap"):
        TagSet(["a"]).encode([(0, 4, "a"), (0, 2, "a")], 4)


def test_errors_go_to_the_error_handler(spans_copy, nested_texts, monkeypatch):
    """Else one bad text would stop the processing of millions."""
    component = spans_copy.get_pipe("bertcrf_spans")
    predict = component.predict

    def fail_at_bad(docs):
        if any(doc.text == "坏" for doc in docs):
            raise ValueError("a bad text")
        return predict(docs)

    monkeypatch.setattr(component, "predict", fail_at_bad)
    failed = []
    spans_copy.set_error_handler(lambda name, proc, docs, error: failed.append(docs[0].text))
    assert len(list(spans_copy.pipe([nested_texts[0], "坏", nested_texts[1]]))) == 2
    assert failed == ["坏"]


@pytest.mark.slow
def test_the_commands_for_scores_take_it(spans_nlp, nested_examples, tmp_path):
    """Else neither its threshold nor its calibration could be chosen by command."""
    examples = nested_examples(spans_nlp)
    DocBin(docs=[example.reference for example in examples]).to_disk(tmp_path / "dev.spacy")
    spans_nlp.to_disk(tmp_path / "nlp")
    arguments = [str(tmp_path / "nlp"), str(tmp_path / "dev.spacy"), str(tmp_path / "calibrated")]
    result = CliRunner().invoke(
        app, ["bertcrf", "calibrate", *arguments, "--component", "bertcrf_spans"]
    )
    assert result.exit_code == 0, result.output
    assert "Expected calibration error after" in result.output
    assert spacy.load(arguments[2]).get_pipe("bertcrf_spans").temperature < 1
    _, score, tried = find_threshold(
        tmp_path / "nlp", tmp_path / "dev.spacy", "bertcrf_spans", "threshold", "spans_sc_f",
        n_trials=3, use_gpu=-1, gold_preproc=False, silent=True,
    )  # fmt: skip
    assert score == 1.0
    assert set(tried) == {0.0, 0.5, 1.0}
    assert tried[1.0] < 1.0


@pytest.mark.slow
def test_a_report_shows_spans_that_overlap(spans_nlp, nested_examples, tmp_path):
    """Else its errors could be looked at in its flat outer spans alone."""
    examples = nested_examples(spans_nlp)
    wrong = examples[0].reference
    wrong.spans["sc"] = [span for span in wrong.spans["sc"] if span.label_ != "organization"]
    DocBin(docs=[example.reference for example in examples]).to_disk(tmp_path / "dev.spacy")
    spans_nlp.to_disk(tmp_path / "nlp")
    page, tables = tmp_path / "page.html", tmp_path / "tables.json"
    arguments = [tmp_path / "nlp", tmp_path / "dev.spacy", page, "--spans-key", "sc"]
    arguments += ["--json", tables, "--train", tmp_path / "dev.spacy"]
    result = CliRunner().invoke(app, ["bertcrf", "report", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    assert "Parts of texts with errors: 1" in result.output
    assert " + " in page.read_text("utf8")
    assert "上海大学" in page.read_text("utf8")


def test_the_shipped_config_trains(make_nlp, nested_examples):
    """Else its groups of parameters would fit nothing, and the training would end at its first
    step."""
    nlp = make_nlp("bert_spans", **{"training.max_steps": 3, "training.max_epochs": 0})
    optimizer = registry.resolve(nlp.config.interpolate()["training"])["optimizer"]
    nlp.initialize(lambda: nested_examples(nlp), sgd=optimizer)
    losses = nlp.update(nested_examples(nlp), sgd=optimizer)
    optimizer.step_schedules()
    assert losses["bertcrf_spans"] > 0
    rates = optimizer.learn_rates
    assert rates["crf"] == pytest.approx(20 * rates["default"])
