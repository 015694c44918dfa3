"""The page in a real browser: what a reader clicks on does what it says."""

import pytest

from spacy_bertcrf.evaluation.explained import Explained, Near
from spacy_bertcrf.evaluation.judged import CharSpan, JudgedText
from spacy_bertcrf.evaluation.report.page import report_page
from spacy_bertcrf.evaluation.report.tables import Report

TAG = CharSpan(0, 8, "PER")
PER, LOC, ORG = CharSpan(0, 4, "PER"), CharSpan(14, 18, "LOC"), CharSpan(14, 18, "ORG")
TEXTS = [
    JudgedText("Anna lives in Köln", (PER, LOC), (PER, ORG), {PER: 0.9, LOC: 0.2, ORG: 0.7},
               (((PER, ORG), 0.6), ((PER, LOC), 0.2))),
    JudgedText("Nora lives in Bonn", (PER, LOC), (LOC,), {PER: 0.4, LOC: 0.95}),
    JudgedText("<script>boom()</script>", (), (TAG,), {TAG: 0.5}),
    JudgedText("שלום 👍 张三", (CharSpan(7, 9, "PER"),), ()),
]  # fmt: skip
WHY = Explained(
    "“<b>”: 0.50 PER.", [("Köln" * 40, "ORG", 0.7), ("Köln", "LOC", 0.2)], 0.05,
    [(0, 4, -1.0), (14, 18, 3.0)], "", 2.0, 0.002, 16,
    [Near("x" * 40, "<script>boom()</script>", "y" * 40, 0.8)],
)  # fmt: skip
REPORT = Report("first", "test", TEXTS, explanations={(0, ORG): WHY})


expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect


@pytest.fixture(params=[(1280, 900), (390, 800)], ids=["wide", "narrow"])
def page(request, open_page, tmp_path):
    width, height = request.param
    path = tmp_path / "report.html"
    path.write_text(report_page(REPORT), encoding="utf8")
    return open_page(path.as_uri(), "file:", viewport={"width": width, "height": height})


def shown(page):
    return page.locator("article:visible h3").all_text_contents()


def test_filters_show_what_they_say_and_are_in_the_address(page):
    assert len(shown(page)) == 4
    page.select_option("[name=kind]", "missed")
    assert shown(page) == ["Document 2", "Document 4"]
    page.fill("[name=text]", "张三")
    assert shown(page) == ["Document 4"]
    assert page.locator("#count").inner_text() == "1 of 4"
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    assert shown(page) == ["Document 4"]
    page.click("button[type=reset]")
    expect(page.locator("#count")).to_have_text("4 of 4")
    page.fill("[name=sure]", "0.55")
    assert shown(page) == ["Document 1", "Document 2"]


def test_a_cell_of_the_confusion_leads_to_its_sentences(page):
    page.click(".matrix a[href*='gold=LOC'][href*='predicted=ORG']")
    expect(page.locator("#count")).to_have_text("1 of 4")
    assert shown(page) == ["Document 1"]
    assert page.locator("[name=gold]").input_value() == "LOC"


def test_a_bar_leads_to_its_sentences(page):
    page.click("#points tr.all a.k-invented")
    expect(page.locator("#count")).to_have_text("1 of 4")
    assert shown(page) == ["Document 3"]


def test_it_is_read_by_keyboard(page):
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.querySelector('h3').textContent") == "Document 2"
    page.keyboard.press("/")
    page.keyboard.type("Nora")
    assert shown(page) == ["Document 2"]
    page.keyboard.press("Escape")
    expect(page.locator("#count")).to_have_text("4 of 4")


def test_an_explanation_unfolds(page):
    """Both signs are told apart by where their line is, whatever the colours."""
    assert page.locator(".shades").is_hidden()
    page.focus(".why summary")
    page.keyboard.press("Enter")
    assert page.locator(".why").inner_text().count("<script>boom()</script>") == 1
    lines = "e => [getComputedStyle(e).borderTopStyle, getComputedStyle(e).borderBottomStyle]"
    assert page.locator(".shades .adds").evaluate(lines) == ["none", "solid"]
    assert page.locator(".shades .takes").evaluate(lines) == ["dashed", "none"]
    width = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert width <= 0


def test_nothing_is_wider_than_the_screen(page):
    width = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert width <= 0


def test_it_prints_without_its_controls(page):
    page.emulate_media(media="print")
    assert page.locator("form").is_hidden()
    assert page.locator("article:visible").count() == 4
