"""The page for annotators in a real browser."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
import requests

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
    pytest.mark.slow,
]

# The pipeline knows all but the last, by heart.
TEXTS = [
    "王小明在北京大学工作。",
    "李雷和韩梅梅去了上海。",
    "北京的张伟喜欢Windows10。",
    "上海大学的王芳来自广州。",
    "👍 <b>天气</b>很好",
]
EXPECTED_FAULTS = ("Failed to load resource",)  # what a browser says of a service that is not there


class Service:
    """`python -m spacy bertcrf serve` on a queue, which can be killed and started again."""

    def __init__(self, start_python, variables, pipeline, folder):
        self._start_python = start_python
        self._variables = {**variables, "OMP_NUM_THREADS": "1"}
        self.saved = folder / "saved.jsonl"
        self._raw = folder / "raw.jsonl"
        lines = (json.dumps({"text": text, "id": f"id-{i}"}) for i, text in enumerate(TEXTS))
        self._raw.write_text("\n".join(lines), encoding="utf8")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._pipeline = pipeline
        self._process = None
        self.start()

    def start(self, is_forked=True):
        """As users do, with all its imports, or with these done."""
        command = ["-m", "spacy_bertcrf.cli", "serve", str(self._pipeline)]
        command += ["--port", str(self._port), "--order", "file", "--label", "time"]
        command += ["--queue", str(self._raw), "--save", str(self.saved)]
        if is_forked:
            self._process = self._start_python(
                *command, printed=os.devnull, environment=self._variables
            )
        else:
            environment = {**os.environ, **self._variables}
            self._process = subprocess.Popen([sys.executable, *command], env=environment)
        deadline = time.monotonic() + 90
        while True:
            assert self._process.poll() is None
            assert time.monotonic() < deadline
            try:
                requests.get(f"{self.url}/readyz", timeout=5)
                return
            except requests.ConnectionError:
                time.sleep(0.2)

    def end(self, how):
        self._process.send_signal(how)
        self._process.wait(60)

    @property
    def lines(self):
        return [json.loads(line) for line in self.saved.read_text("utf8").splitlines()]

    @property
    def last(self):
        """What is known of each text."""
        return {line["text"]: line for line in self.lines}


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(
    scope="module", params=[(1280, 900, "en"), (390, 800, "zh")], ids=["wide", "narrow"]
)
def window(request):
    width, height, locale = request.param
    return {"viewport": {"width": width, "height": height}, "locale": locale}


@pytest.fixture
def service(start_python, few_imports, pipeline_folder, tmp_path):
    service = Service(start_python, few_imports, pipeline_folder, tmp_path)
    yield service
    service.end(signal.SIGTERM)


@pytest.fixture
def open_tab(browser, window, service):
    """Open the page in a window of its own; its console has to stay empty."""
    pages, faults = [], []

    def open_tab():
        page = browser.new_page(**window)
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: request.url.startswith((service.url, "data:"))
                or faults.append(request.url))  # fmt: skip
        pages.append(page)
        page.goto(f"{service.url}/teach")
        page.wait_for_selector("#text:visible")
        return page

    yield open_tab
    for page in pages:
        page.close()
    assert [fault for fault in faults if not fault.startswith(EXPECTED_FAULTS)] == []


def text_of(page):
    return page.evaluate("document.getElementById('text').textContent")


def marks(page):
    return [
        (
            mark.text_content(),
            mark.get_attribute("data-label"),
            "known" in mark.get_attribute("class").split(),
        )
        for mark in page.locator("#text mark").all()
    ]


BOX = """([start, end]) => {
    const root = document.getElementById("text");
    const rect = (at) => {
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        let node = walker.nextNode();
        while (at >= node.length) { at -= node.length; node = walker.nextNode(); }
        const range = document.createRange();
        range.setStart(node, at);
        range.setEnd(node, at + 1);
        return range.getBoundingClientRect();
    };
    const [a, b] = [rect(start), rect(end - 1)];
    return [a.left + 1, a.top + a.height / 2, b.right - 1, b.top + b.height / 2];
}"""


def select(page, start, end):
    """Drag over characters, as a hand does; they are counted in UTF-16 units."""
    box = page.evaluate(BOX, [start, end])
    page.mouse.move(box[0], box[1])
    page.mouse.down()
    page.mouse.move(box[2], box[3], steps=5)
    page.mouse.up()


def saved(page):
    """Wait until what was done is on the disk."""
    page.wait_for_function(
        "() => /^(Saved|已保存)$/.test(document.getElementById('status').textContent)"
    )


def go_on(page, key):
    before = text_of(page)
    page.keyboard.press(key)
    page.wait_for_function(
        "(before) => document.getElementById('text').textContent !== before", arg=before
    )


def key_of(page, label):
    return page.inner_text(f"#labels button[data-label={label}] kbd")


def picture(page, name):
    """Kept for those who want to look, if they say where."""
    folder = os.environ.get("SPACY_BERTCRF_PICTURES")
    if folder:
        page.screenshot(path=f"{folder}/{name}-{page.viewport_size['width']}.png", full_page=True)


def test_each_action(open_tab, service):
    page = open_tab()
    assert text_of(page) == TEXTS[0]
    assert marks(page) == [("王小明", "name", False), ("北京大学", "organization", False)]
    picture(page, "suggested")

    select(page, 4, 6)
    page.keyboard.press(key_of(page, "address"))
    saved(page)
    assert marks(page) == [("王小明", "name", False), ("北京", "address", True)]
    assert service.lines[-1]["status"] == "open"
    assert [e["text"] for e in service.lines[-1]["entities"]] == ["北京"], "what was said, no more"

    page.keyboard.press("u")
    saved(page)
    assert marks(page)[1] == ("北京大学", "organization", False)

    page.locator("#text mark").first.click()
    picture(page, "menu")
    page.click("#menu [data-action=reject]")
    saved(page)
    assert marks(page) == [("北京大学", "organization", False)]
    assert page.locator("#rejected button").all_text_contents() == ["王小明 name"]
    picture(page, "rejected")

    page.locator("#text mark").first.click()
    page.click("#menu button[data-label=address]")
    saved(page)
    assert marks(page) == [("北京大学", "address", True)]
    page.locator("#text mark").first.focus()
    page.keyboard.press("Delete")
    saved(page)
    assert marks(page) == []
    page.keyboard.press("Control+z")
    saved(page)

    go_on(page, "Enter")
    assert service.last[TEXTS[0]]["status"] == "accepted"
    assert [(e["text"], e["label"]) for e in service.last[TEXTS[0]]["entities"]] == [
        ("北京大学", "address")
    ]
    assert [e["text"] for e in service.last[TEXTS[0]]["rejected"]] == ["王小明"]

    assert text_of(page) == TEXTS[1]
    go_on(page, "u")
    assert text_of(page) == TEXTS[0]
    assert marks(page) == [("北京大学", "address", True)], "what was removed does not come back"
    assert service.last[TEXTS[0]]["status"] == "open"
    page.click("#rejected button")
    saved(page)
    assert marks(page)[0] == ("王小明", "name", False)
    go_on(page, "Enter")

    page.locator("#text mark").first.focus()
    page.keyboard.press("x")
    saved(page)
    go_on(page, "s")
    skipped = service.last[TEXTS[1]]
    assert (skipped["status"], skipped["entities"]) == ("skipped", [])
    assert [e["text"] for e in skipped["rejected"]] == ["李雷"]
    assert re.search(r"\D1\D+1\D+3|1\D+1\D+3", page.inner_text("#counts"))
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0


def test_the_keyboard_alone_is_enough(open_tab, service):
    page = open_tab()
    for key in ("ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    page.keyboard.press(key_of(page, "time"))
    saved(page)
    assert marks(page)[0] == ("王小明", "time", True)
    page.keyboard.press("Tab")
    page.keyboard.press(key_of(page, "name"))
    saved(page)
    assert marks(page)[0] == ("王小明", "name", True)
    for _ in TEXTS[:-1]:
        go_on(page, "Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press(key_of(page, "time"))
    saved(page)
    assert marks(page) == [("👍", "time", True)]
    select(page, 3, 10)
    picture(page, "selected")
    page.click("#labels button[data-label=name]")
    saved(page)
    assert marks(page)[1][1:] == ("name", True)
    page.keyboard.press("Enter")
    page.wait_for_selector("#finished:visible")
    picture(page, "finished")
    (emoji, bold) = service.last[TEXTS[-1]]["entities"]
    assert (emoji["text"], emoji["start"], emoji["end"]) == ("👍", 0, 1)
    assert TEXTS[-1][bold["start"] : bold["end"]] == bold["text"]
    assert {line["status"] for line in service.last.values()} == {"accepted"}
    page.keyboard.press("u")
    page.wait_for_selector("#text:visible")
    assert text_of(page) == TEXTS[-1]


def test_two_tabs_and_a_restart_in_the_middle(open_tab, service):
    one, other = open_tab(), open_tab()
    assert (text_of(one), text_of(other)) == (TEXTS[0], TEXTS[1])
    go_on(one, "Enter")
    assert text_of(one) == TEXTS[2]
    other.reload()
    other.wait_for_selector("#text:visible")
    assert text_of(other) == TEXTS[1], "a reload is no other tab"
    select(other, 0, 2)
    other.keyboard.press(key_of(other, "address"))
    saved(other)

    service.end(signal.SIGKILL)
    one.keyboard.press("Enter")
    one.wait_for_function("() => /again|重试/.test(document.getElementById('status').textContent)")
    picture(one, "lost")
    service.start(is_forked=False)
    one.wait_for_function(f"() => document.getElementById('text').textContent === {TEXTS[3]!r}")
    assert service.last[TEXTS[2]]["status"] == "accepted"
    assert service.last[TEXTS[1]]["status"] == "open"
    assert text_of(other) == TEXTS[1]
    go_on(other, "Enter")
    assert text_of(other) == TEXTS[4]
    (first, *_) = service.last[TEXTS[1]]["entities"]
    assert (first["text"], first["label"]) == ("李雷", "address")
    assert [service.last[text]["status"] for text in TEXTS[:3]] == ["accepted"] * 3


def test_it_speaks_both_languages(open_tab):
    page = open_tab()
    names = {page.inner_text("#accept")}
    page.click("#language")
    names.add(page.inner_text("#accept"))
    assert {name.split()[0] for name in names} == {"Accept", "确认"}
    picture(page, "other-language")
