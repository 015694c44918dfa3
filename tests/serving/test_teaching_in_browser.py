"""The page for annotators in a real browser."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from browser_pages import ELSEWHERE
from spacy.util import load_config

# The pipeline knows all but the last, by heart.
TEXTS = [
    "王小明在北京大学工作。",
    "李雷和韩梅梅去了上海。",
    "北京的张伟喜欢Windows10。",
    "上海大学的王芳来自广州。",
    "👍 <b>天气</b>很好",
]
CONFIG = Path(__file__).parents[2] / "configs" / "cpu_cnn_crf.cfg"
WINDOWS = [
    {"viewport": {"width": 1280, "height": 900}, "locale": "en"},
    {"viewport": {"width": 390, "height": 800}, "locale": "zh"},
]
STATE = "(told) => RegExp(told).test(document.getElementById('training-state').textContent)"
TOO_WIDE = "document.documentElement.scrollWidth - window.innerWidth"
NOT_THERE = ["Failed to load resource"]  # what a browser says of a service that is not there


def decisions(path):
    return [json.loads(line) for line in path.read_text("utf8").splitlines()]


class Service:
    """A service for annotators, and what it has kept."""

    def __init__(self, url, saved):
        self.url = url
        self._saved = saved

    @property
    def lines(self):
        return decisions(self._saved)

    @property
    def last(self):
        """What is known of each text."""
        return {line["text"]: line for line in self.lines}


class Killable(Service):
    """`python -m spacy bertcrf serve` on a queue, which can be killed and started again."""

    def __init__(self, start_python, variables, pipeline, folder):
        self._start_python = start_python
        self._variables = {**variables, "OMP_NUM_THREADS": "1"}
        raw, saved = folder / "raw.jsonl", folder / "saved.jsonl"
        raw.write_text("\n".join(json.dumps({"text": text}) for text in TEXTS), encoding="utf8")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        super().__init__(f"http://127.0.0.1:{port}", saved)
        self._command = ["-m", "spacy_bertcrf.cli", "serve", str(pipeline)]
        self._command += ["--port", str(port), "--order", "file", "--label", "time"]
        self._command += ["--queue", str(raw), "--save", str(saved)]
        self.start()

    def start(self, is_forked=True):
        """As users do, with all its imports, or with these done."""
        if is_forked:
            self._process = self._start_python(
                *self._command, printed=os.devnull, environment=self._variables
            )
        else:
            environment = {**os.environ, **self._variables}
            self._process = subprocess.Popen([sys.executable, *self._command], env=environment)
        deadline = time.monotonic() + 90
        while True:
            assert self._process.poll() is None
            assert time.monotonic() < deadline
            try:
                requests.get(f"{self.url}/readyz", timeout=5)
                return
            except requests.ConnectionError:
                time.sleep(0.1)

    def end(self, how):
        self._process.send_signal(how)
        self._process.wait(60)


@pytest.fixture(params=WINDOWS, ids=["wide", "narrow"])
def window(request):
    return request.param


@pytest.fixture
def service(serve, teach, tmp_path):
    teaching, readers = teach(*TEXTS, labels=["time"], by=None)
    with serve(readers, teaching=teaching) as server:
        yield Service(server.url, tmp_path / "saved.jsonl")


@pytest.fixture
def open_tab(open_page, window, service):
    """Open the page in a window of its own."""
    return lambda: open_teaching(open_page, service, window)


def open_teaching(open_page, service, window, expect=()):
    page = open_page(f"{service.url}/teach", service.url, expect, **window)
    page.wait_for_selector("#text:visible")
    return page


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
    assert page.evaluate(TOO_WIDE) <= 0


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


def test_keyboards_of_other_scripts_have_the_same_keys(open_tab, service):
    """Annotators of Arabic or Russian type in these; S is in the place of their letter."""
    page = open_tab()
    for key, code in (("ы", "KeyS"), ("１", "Digit1")):
        before = text_of(page)
        page.keyboard.press("ArrowRight")
        event = f"new KeyboardEvent('keydown', {{key: {key!r}, code: {code!r}, bubbles: true}})"
        page.evaluate(f"document.body.dispatchEvent({event})")
        if code == "KeyS":
            page.wait_for_function(
                "(before) => document.getElementById('text').textContent !== before", arg=before
            )
    saved(page)
    assert service.last[TEXTS[0]]["status"] == "skipped"
    assert service.last[TEXTS[1]]["status"] == "open"


@pytest.fixture
def killable(start_python, few_imports, pipeline_folder, tmp_path):
    service = Killable(start_python, few_imports, pipeline_folder, tmp_path)
    yield service
    service.end(signal.SIGTERM)


def test_two_tabs_and_a_restart_in_the_middle(open_page, window, killable):
    service = killable
    one, other = (open_teaching(open_page, service, window, NOT_THERE) for _ in range(2))
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


def test_tabs_by_plain_http_from_another_machine(open_page, service):
    """Where browsers have no locks."""
    service.url = service.url.replace("127.0.0.1", ELSEWHERE)
    one = open_teaching(open_page, service, {}, ["The Cross-Origin-Opener-Policy header"])
    assert not one.evaluate("window.isSecureContext || !!navigator.locks")
    with one.expect_popup() as opened:  # with a copy of what the tab keeps, also its name
        one.evaluate("window.open(location.href)")
    other = opened.value
    other.wait_for_selector("#text:visible")
    assert (text_of(one), text_of(other)) == (TEXTS[0], TEXTS[1])
    for page, text in ((other, TEXTS[1]), (one, TEXTS[0])):
        page.reload()
        page.wait_for_selector("#text:visible")
        assert text_of(page) == text, "a reload is no other tab"
    go_on(one, "Enter")
    assert text_of(one) == TEXTS[2]


def test_it_speaks_both_languages(open_tab):
    page = open_tab()
    names = {page.inner_text("#accept")}
    page.click("#language")
    names.add(page.inner_text("#accept"))
    assert {name.split()[0] for name in names} == {"Accept", "确认"}
    picture(page, "other-language")


def test_a_training_from_the_page(open_page, serve, teach, tmp_path):
    """Started in one window, followed in another; what it learned reads the texts after it."""
    config = load_config(CONFIG)
    config["training"].update(max_epochs=0, max_steps=4, eval_frequency=2, patience=0)
    config.to_disk(tmp_path / "config.cfg")
    teaching, readers = teach(*TEXTS, labels=["time"], by=None)
    teaching.train_with(tmp_path / "config.cfg", tmp_path / "trained", "zh")
    with serve(readers, teaching=teaching) as server:
        service = Service(server.url, tmp_path / "saved.jsonl")
        page, other = (open_teaching(open_page, service, window) for window in WINDOWS)
        for _ in range(2):
            select(page, 0, 2)
            page.keyboard.press(key_of(page, "time"))
            saved(page)
            go_on(page, "Enter")
        before = server.get("/v1/pipelines").json()["pipelines"][0]["labels"]
        page.click("#train")
        page.wait_for_function("() => document.getElementById('train').disabled")
        page.wait_for_function(STATE, arg="Training", timeout=60_000)
        picture(page, "training")
        for tab, told in ((page, "The new pipeline is in use"), (other, "新模型已启用")):
            tab.wait_for_function(STATE, arg=told, timeout=240_000)
            assert re.match(r".*\b2\D", tab.inner_text("#training-state"))
            assert tab.inner_text("#training-log").strip()
            assert tab.is_enabled("#train")
            assert tab.evaluate(TOO_WIDE) <= 0
            picture(tab, "trained")
        after = server.get("/v1/pipelines").json()["pipelines"][0]["labels"]
        assert ("time" in before, "time" in after) == (False, True)
        go_on(page, "s")
        assert service.last[TEXTS[3]]["status"] == "skipped"
