"""The page of a review in a real browser: decisions are made, kept, and saved as they are read."""

import json

import pytest
import spacy

from spacy_bertcrf.corpora.decisions import apply_decisions
from spacy_bertcrf.evaluation.judged import CharSpan, JudgedText
from spacy_bertcrf.evaluation.report.review_page import review_page
from spacy_bertcrf.evaluation.suspects import suspects

PER, ORG, CITY = CharSpan(0, 4, "PER"), CharSpan(0, 4, "ORG"), CharSpan(14, 18, "LOC")
TAG = CharSpan(0, 8, "PER")
TEXTS = [
    JudgedText("Anna lives in Köln", (ORG,), (PER, CITY), {ORG: 0.01, PER: 0.9, CITY: 0.7}),
    JudgedText("Nora lives in Bonn", (PER, CITY), (PER,), {PER: 0.9, CITY: 0.2}),
    JudgedText("<script>boom()</script>", (), (TAG,), {TAG: 0.6}),
]


expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect


@pytest.fixture(params=[(1280, 900), (390, 800)], ids=["wide", "narrow"])
def page(request, open_page, tmp_path):
    width, height = request.param
    path = tmp_path / "review.html"
    path.write_text(review_page("corpus", TEXTS, suspects(TEXTS)), encoding="utf8")
    return open_page(path.as_uri(), "file:", viewport={"width": width, "height": height})


def shown(page):
    return page.locator("article:visible h3").all_text_contents()


def test_decisions_are_saved_as_apply_review_reads_them(page, tmp_path):
    assert shown(page)[0] == "1 · Document 1"
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.locator("article").nth(1).get_by_text("Keep gold").click()
    assert page.locator("#decided").inner_text() == "2 decided"
    page.reload()
    assert page.locator("#decided").inner_text() == "2 decided", "a reload loses decisions"
    with page.expect_download() as download:
        page.click("#save")
    path = tmp_path / "decisions.jsonl"
    download.value.save_as(path)
    decisions = [json.loads(line)["decision"] for line in path.read_text("utf8").splitlines()]
    assert decisions == ["accept", "keep"]
    nlp = spacy.blank("en")
    docs = [nlp.make_doc(text.text) for text in TEXTS]
    for doc, text in zip(docs, TEXTS, strict=True):
        doc.ents = [doc.char_span(*span[:2], label=span.label) for span in text.gold]
    apply_decisions(docs, path)
    assert [(ent.text, ent.label_) for ent in docs[0].ents] == [("Anna", "PER")]


def test_a_decision_is_taken_back_by_the_same_button(page):
    button = page.locator("article").first.get_by_text("Accept")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert page.locator("#decided").inner_text() == "0 decided"


def test_kinds_lead_to_their_suggestions(page):
    assert len(shown(page)) == 4
    page.click("table a[href*='should']")
    expect(page.locator("#count")).to_have_text("1 of 4")
    assert shown(page)[0].endswith("Document 2")


def test_nothing_is_wider_than_the_screen(page):
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
