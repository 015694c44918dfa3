"""The page and its tables."""

import json
import re

import pytest
import spacy
from spacy.training import Example

from spacy_bertcrf.evaluation.explained import Explained, Near, explain_spans
from spacy_bertcrf.evaluation.judged import CharSpan, JudgedText
from spacy_bertcrf.evaluation.known_mentions import KnownMentions
from spacy_bertcrf.evaluation.report.excerpts import excerpts, to_explain
from spacy_bertcrf.evaluation.report.page import report_page
from spacy_bertcrf.evaluation.report.tables import Report, known_mentions, tables

PER, LOC = CharSpan(0, 4, "PER"), CharSpan(14, 18, "LOC")
TEXT = "Anna lives in Köln."


def report(*texts, **settings):
    return Report("first", "test", texts, **settings)


def judged(gold, predicted, text=TEXT, **settings):
    return JudgedText(text, tuple(gold), tuple(predicted), **settings)


def test_html_in_texts_and_labels_is_shown_as_it_is():
    """A text is data: what it says is not carried out."""
    text = "<script>alert(1)</script> & <b>"
    span = CharSpan(0, 8, '<img src=x onerror="alert(2)">')
    page = report_page(
        report(judged([span], [], text, readings=((((span,)), 0.5),), probabilities={span: 0.5}))
    )
    assert page.count("<script>") == 1
    assert "<img" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_script_that_runs_is_the_one_of_the_page():
    """The browser runs nothing but what has this hash."""
    page = report_page(report(judged([PER], [])))
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/]{43}='", page)
    assert "http" not in page.replace("http-equiv", "")


def test_the_page_is_the_same_for_the_same_input():
    first, second = (report_page(report(judged([PER], [LOC]))) for _ in range(2))
    assert first == second


def test_errors_come_the_surest_first():
    missed = judged([PER], [], probabilities={PER: 0.9})  # sure by 0.1
    invented = judged([], [LOC], probabilities={LOC: 0.6})
    border = judged([PER], [CharSpan(0, 3, "PER")], probabilities={CharSpan(0, 3, "PER"): 0.95})
    found = excerpts(report(missed, invented, border))
    assert [excerpt.document for excerpt in found] == [3, 2, 1]
    assert [excerpt.faults[0].kind for excerpt in found] == ["border", "invented", "missed"]


def test_of_a_long_text_the_parts_with_errors_are_shown():
    text = "x" * 50_000 + "Anna" + "y" * 50_000
    span = CharSpan(50_000, 50_004, "PER")
    (excerpt,) = excerpts(report(judged([span], [], text)))
    assert (excerpt.start, excerpt.is_whole) == (49_900, False)
    assert "".join(piece.text for piece in excerpt.gold) == "x" * 100 + "Anna" + "y" * 100
    assert len(report_page(report(judged([span], [], text)))) < 40_000


def test_a_part_does_not_cut_an_entity():
    text = "x" * 1000
    missed, long = CharSpan(500, 504, "PER"), CharSpan(550, 700, "LOC")
    (excerpt,) = excerpts(report(judged([missed, long], [long], text)))
    assert [(p.text, p.label, p.is_wrong) for p in excerpt.gold if p.label] == [
        ("x" * 4, "PER", True), ("x" * 150, "LOC", False),
    ]  # fmt: skip


def test_the_tables_count_every_entity():
    nlp = spacy.blank("en")
    train = nlp("Anna met Anna")
    train.set_ents([spacy.tokens.Span(train, 0, 1, "PER"), spacy.tokens.Span(train, 2, 3, "PER")])
    other = CharSpan(0, 4, "LOC")
    texts = [judged([PER, LOC], [other]), judged([PER], [PER, LOC])]
    content = tables(report(*texts, known=known_mentions([train])))
    assert content["errors"][0]["kinds"] == {
        "right": 1, "border": 0, "label": 1, "border and label": 0, "missed": 1, "invented": 1,
    }  # fmt: skip
    confusion = content["confusion"]
    assert confusion["labels"] == ["LOC", "PER", "–"]
    assert confusion["counts"] == [[0, 0, 1], [1, 1, 0], [1, 0, 0]]
    seen = {row["name"]: row for row in content["groups"][0]["rows"]}
    assert (seen["seen with this label"]["gold"], seen["seen with this label"]["found"]) == (2, 1)
    assert seen["seen with another label"]["predicted"] == 1
    assert (seen["not seen"]["gold"], seen["not seen"]["predicted"]) == (1, 1)
    for group in content["groups"]:
        assert sum(row["gold"] for row in group["rows"]) == 3
        assert sum(row["predicted"] for row in group["rows"]) == 3
    json.dumps(content, allow_nan=False)


def test_a_second_pipeline_is_compared():
    texts = [judged([PER], [PER]), judged([LOC], [])]
    others = [judged([PER], []), judged([LOC], [LOC])]
    both = report(*texts, other_name="second", others=others)
    against = tables(both)["against"]
    assert (against["found_by_first_alone"], against["found_by_second_alone"]) == (1, 1)
    faults = {fault.kind: fault for excerpt in excerpts(both) for fault in excerpt.faults}
    assert faults["missed"].other_is_right is True
    assert faults["right"].other_is_right is False
    assert "second is wrong" in report_page(both)


def test_what_is_left_out_is_said():
    page = report_page(report(*[judged([PER], [])] * 5), limit=2)
    assert page.count("<article") == 2
    assert "3 more are left out" in page


def test_a_corpus_without_errors_has_a_page():
    assert "<p>None.</p>" in report_page(report(judged([PER], [PER])))


def test_a_training_corpus_without_entities_is_an_error():
    with pytest.raises(ValueError, match="has no entity"):
        known_mentions([spacy.blank("en")("Anna")])


def test_seen_is_by_text_and_label():
    known = KnownMentions([])
    assert known.seen("Anna", "PER") == "not seen"


def explained(**changed):
    found = Explained(
        sentence="“Köln”: 0.60 LOC, 0.30 ORG.",
        alternatives=[("Köln", "LOC", 0.6), ("Köln.", "ORG", 0.3)],
        outside=0.05,
        values=[(0, 4, 0.01), (5, 10, -1.0), (11, 13, 2.0), (14, 18, 4.0)],
        no_values="",
        sums_to=5.0,
        gap=0.004,
        n_steps=32,
        nearest=[Near("lives in ", "Bonn", " now", 0.9)],
    )
    return found._replace(**changed)


def test_an_error_says_why():
    """Shaded is what counts, both signs with marks of their own."""
    invented = judged([], [LOC], probabilities={LOC: 0.6})
    found = report(invented, explanations={(0, LOC): explained()})
    page = report_page(found)
    assert page.count('<details class="why">') == 1
    assert "“Köln”: 0.60 LOC, 0.30 ORG." in page
    shades = excerpts(found)[0].faults[0].shades
    assert "".join(shade.text for shade in shades) == TEXT
    assert [(s.text, s.share) for s in shades if s.share] == [
        ("lives", -0.25), ("in", 0.5), ("Köln", 1.0)
    ]  # fmt: skip
    assert '<i class="takes" style="--v:0.25" title="-1.0">lives</i>' in page
    assert '<i class="adds" style="--v:1.00" title="+4.0">Köln</i>' in page
    assert "lives in <b>Bonn</b> now" in page
    assert report_page(found) == page


def test_what_an_explanation_says_is_escaped():
    evil = "<script>alert(1)</script>"
    span = CharSpan(0, len(evil), "PER")
    found = explained(
        sentence=evil,
        alternatives=[(evil, evil, 0.5)],
        values=[(0, len(evil), 1.0)],
        nearest=[Near(evil, evil, evil, 0.5)],
    )
    page = report_page(report(judged([span], [], evil), explanations={(0, span): found}))
    assert page.count("<script>") == 1
    without = explained(values=[], no_values=evil)
    page = report_page(report(judged([span], [], evil), explanations={(0, span): without}))
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;." in page


def test_the_surest_errors_are_explained():
    """By what was predicted, or by what was missed; not by what another pipeline has wrong."""
    missed = judged([PER], [], probabilities={PER: 0.9})
    label = judged([LOC], [CharSpan(14, 18, "ORG")], probabilities={CharSpan(14, 18, "ORG"): 0.8})
    found = excerpts(report(missed, label, judged([PER], [PER])))
    assert to_explain(found, 5) == [(1, CharSpan(14, 18, "ORG")), (0, PER)]
    assert to_explain(found, 1) == [(1, CharSpan(14, 18, "ORG"))]
    others = report(judged([PER], [PER]), other_name="second", others=[judged([PER], [])])
    assert to_explain(excerpts(others), 5) == []


def test_explanations_are_those_of_the_component(trained, make_examples):
    """On the characters of the text; of labels that the component does not know there are none."""
    text = "王小明在北京大学工作。"
    span, unknown = CharSpan(4, 8, "organization"), CharSpan(0, 3, "movie")

    def read():
        return [Example(trained.make_doc(text), trained.make_doc(text))]

    asked = [(0, span), (0, unknown), (0, CharSpan(0, 3, "name"))]
    corpus = lambda: make_examples(trained)  # noqa: E731
    found = dict(explain_spans(asked, trained, "bertcrf", read, corpus, "zh"))
    assert list(found) == [(0, span), (0, CharSpan(0, 3, "name"))]
    of_span = found[0, span]
    component = trained.get_pipe("bertcrf")
    exact = component.span_probabilities(trained.make_doc(text), [(4, 8, "organization")])
    assert of_span.alternatives[0] == ("北京大学", "organization", pytest.approx(exact[0]))
    assert of_span.sentence.startswith("“北京大学”是 organization 的概率为")
    assert of_span.nearest[0].mention in ("上海大学", "广州大学")
    assert (of_span.values, "BertEncoder" in of_span.no_values) == ([], True)
