"""The page in a real browser."""

import pytest

TEXT = "👍 王小明在北京大学工作。"
REFUSED = ["Failed to load resource"]  # what a browser says of an answer that is an error


@pytest.fixture(params=[(1280, 900, "en"), (390, 800, "zh")], ids=["wide", "narrow"])
def page(request, open_page, server):
    width, height, locale = request.param
    size = {"width": width, "height": height}
    return open_page(server.url, server.url, viewport=size, locale=locale)


def read(page, text):
    page.fill("#text", text)
    with page.expect_response("**/v1/entities"):
        page.press("#text", "Control+Enter")
    page.wait_for_selector("#marked:visible")


def test_entities_are_shown_where_they_are(page, server):
    read(page, TEXT)
    entities = server.post({"text": TEXT}).json()["entities"]
    marks = page.locator("#marked mark")
    assert marks.all_text_contents() == [e["text"] + e["label"] for e in entities]
    assert page.locator("#table tbody tr").count() == len(entities)
    marks.first.focus()
    assert entities[0]["label"] in page.locator("#tip").inner_text()
    width = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert width <= 0


def test_the_threshold_hides_the_less_probable(page):
    read(page, TEXT)
    assert page.locator("#marked mark").count() > 0
    page.evaluate(
        "() => { const t = document.getElementById('threshold'); t.value = 1;"
        " t.dispatchEvent(new Event('input')); }"
    )
    assert page.locator("#marked mark").count() == 0


def test_a_reading_can_be_looked_at(page, server):
    read(page, TEXT)
    readings = server.post({"text": TEXT, "k_best": 5}).json()["readings"]
    buttons = page.locator("#reading-list button")
    assert buttons.count() == len(readings)
    buttons.nth(1).click()
    assert page.locator("#marked mark").count() == len(readings[1]["entities"])
    assert buttons.nth(1).get_attribute("aria-pressed") == "true"


def test_it_speaks_both_languages(page):
    names = {page.inner_text("button[type=submit]")}
    page.click("#language")
    names.add(page.inner_text("button[type=submit]"))
    assert names == {"Find entities", "识别实体"}


def test_what_a_text_says_is_not_carried_out(page):
    read(page, "<img src=x onerror=alert(1)> שלום")
    assert page.locator("#marked img").count() == 0
    assert "<img" in page.inner_text("#marked")


def test_a_file_is_dropped(page):
    """And what runs from right to left is shown so."""
    drop = """(text) => {
        const dropped = new DataTransfer();
        dropped.items.add(new File([text], "text.txt", { type: "text/plain" }));
        const event = { dataTransfer: dropped, bubbles: true, cancelable: true };
        document.getElementById("text").dispatchEvent(new DragEvent("drop", event));
    }"""
    with page.expect_response("**/v1/entities"):
        page.evaluate(drop, f"שלום {TEXT}")
    page.wait_for_selector("#marked mark")
    assert page.input_value("#text") == f"שלום {TEXT}"
    assert page.evaluate("getComputedStyle(document.getElementById('marked')).direction") == "rtl"


def test_an_error_is_shown(open_page, server):
    page = open_page(server.url, server.url, REFUSED, locale="en")
    page.fill("#text", "boom")
    page.click("button[type=submit]")
    page.wait_for_selector("#status.error")
    assert "boom is more than it bears" in page.inner_text("#status")


def test_the_token_is_asked_for(open_page, serve, reader):
    with serve({"model": reader}, token="secret") as server:
        page = open_page(server.url, server.url, REFUSED, locale="en")
        page.wait_for_selector("#token:visible")
        page.fill("#token", "secret")
        page.press("#token", "Tab")
        read(page, TEXT)
        assert page.locator("#marked mark").count() > 0
