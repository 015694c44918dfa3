"""The page of a review: whole, escaped, and the same for the same texts."""

import json
import re
from html import unescape

from spacy_bertcrf.evaluation.judged import CharSpan, JudgedText
from spacy_bertcrf.evaluation.report.review_page import review_page
from spacy_bertcrf.evaluation.suspects import suspects

TAG = "<script>boom()</script>"
PER, ORG, EVIL = CharSpan(0, 4, "PER"), CharSpan(0, 4, "ORG"), CharSpan(0, 8, '"><b>X')
TEXTS = [
    JudgedText("Anna lives in Köln", (ORG,), (PER,), {ORG: 0.01, PER: 0.9}),
    JudgedText(TAG, (), (EVIL,), {EVIL: 0.8}),
    JudgedText("Nora", (PER,), (PER,), {PER: 0.9}),
]


def page(texts=TEXTS, limit=None):
    return review_page("a <corpus>", texts, suspects(texts), limit)


def test_texts_and_labels_are_text():
    html = page()
    assert TAG not in html
    assert '"><b>' not in html
    assert "<b>X" not in html
    assert "a &lt;corpus&gt;" in html


def test_each_card_has_what_a_decision_is_about():
    records = [json.loads(unescape(text)) for text in re.findall(r'data-record="([^"]*)"', page())]
    assert [record["doubt"] for record in records] == ["wrong label", "missing"]
    assert records[0]["document"] == 1
    assert records[0]["gold"] == [{"start": 0, "end": 4, "label": "ORG", "text": "Anna"}]
    assert records[0]["suggested"][0]["label"] == "PER"


def test_it_is_the_same_for_the_same_texts_and_says_what_is_left_out():
    assert page() == page()
    assert "1 more are left out" in page(limit=1)
    assert "2 more are left out" in page(limit=0)
    assert "None: the pipeline reads all" not in page(limit=0)
    assert "None: the pipeline reads all" in page(TEXTS[2:])


def test_a_long_text_is_shown_in_part():
    """A text of 100,000 characters with an error at its end."""
    span = CharSpan(99_990, 99_994, "PER")
    text = JudgedText("x" * 100_000, (), (span,), {span: 0.9})
    html = page([text])
    assert "from character 99890" in html
    assert len(html) < 30_000


def test_how_improbable_gold_is_can_be_read():
    """ "< 0.01" would say the same of all that is on top."""
    for probability, said in ((0.25, "0.25"), (0.00031, "1 in 3,200"), (0.0, "less than 1 in 1,0")):
        text = JudgedText("Anna", (ORG,), (PER,), {ORG: probability, PER: 0.9})
        assert f"<var>{said}" in page([text])
