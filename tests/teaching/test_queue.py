"""Who is given which text, and that no decision is lost."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bertcrf.annotation.rows import Row
from spacy_bertcrf.corpora.documents import INCORRECT_SPANS
from spacy_bertcrf.corpora.reading import read_corpus
from spacy_bertcrf.teaching.decisions import Decision, DecisionFile, Mark
from spacy_bertcrf.teaching.queue import LEASE_SECONDS, TakenError, TeachingQueue, UnknownTextError

TEXTS = ["王小明在北京大学工作。", "李雷去了上海。", "今天天气很好。"]
LABELS = ["name", "address"]
NAME, CITY = Mark(0, 3, "name"), Mark(4, 8, "address")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def start(tmp_path, clock):
    """Start a queue on the file; what was started before is ended."""
    running = []

    def start():
        for file in running:
            file.close()
        running[:] = [DecisionFile(tmp_path / "saved.jsonl")]
        rows = [Row(str(i), text, {}, f"raw:{i}") for i, text in enumerate(TEXTS)]
        return TeachingQueue(rows, running[0], LABELS, clock)

    yield start
    for file in running:
        file.close()


def texts_of(*found):
    return [given.row.text for given in found]


def test_two_tabs_have_different_texts(start):
    queue = start()
    first, second, third = (queue.next(tab) for tab in ("tab-a", "tab-b", "tab-c"))
    assert sorted(texts_of(first, second, third)) == sorted(TEXTS)
    assert queue.next("tab-d") is None
    assert queue.next("tab-b") == second, "a tab that is loaded again goes on with its text"
    queue.decide("tab-a", first.key, "accepted", [NAME], [])
    assert queue.next("tab-a") is None
    assert queue.counts() == (1, 0, 2)


def test_what_another_tab_has_cannot_be_decided(start, clock):
    queue = start()
    mine = queue.next("tab-a")
    for ask in (
        lambda: queue.decide("tab-b", mine.key, "accepted", [], []),
        lambda: queue.reopen("tab-b", mine.key),
    ):
        with pytest.raises(TakenError):
            ask()
    clock.now = LEASE_SECONDS + 1
    assert queue.next("tab-b").key == mine.key, "the tab is closed, and its text comes again"
    with pytest.raises(TakenError):
        queue.decide("tab-a", mine.key, "accepted", [], [])


def test_a_tab_that_is_open_keeps_its_text(start, clock):
    queue = start()
    mine = queue.next("tab-a")
    for _ in range(3):
        clock.now += LEASE_SECONDS - 1
        queue.is_alive("tab-a")
    assert queue.next("tab-b").key != mine.key
    queue.decide("tab-a", mine.key, "skipped", [], [])


def test_a_decision_that_comes_again_is_the_same_one(start):
    """Its answer was lost on the way, and the page sends it once more."""
    queue = start()
    mine = queue.next("tab-a")
    for _ in range(2):
        assert queue.decide("tab-a", mine.key, "accepted", [NAME], []) == (1, 0, 2)
    with pytest.raises(TakenError):
        queue.decide("tab-b", mine.key, "accepted", [], [])


def test_a_restart_goes_on_where_it_was(start, clock):
    queue = start()
    done, begun = queue.next("tab-a"), queue.next("tab-b")
    queue.decide("tab-a", done.key, "accepted", [NAME], [CITY])
    queue.decide("tab-b", begun.key, "open", [Mark(0, 2, "name")], [Mark(4, 6, "name")])
    queue = start()
    assert queue.counts() == (1, 0, 2)
    assert queue.next("tab-c").row.text == TEXTS[2], "the other one is on the page of a tab"
    clock.now = LEASE_SECONDS + 1
    again = queue.next("tab-d")
    assert texts_of(again) == texts_of(begun), "what was begun comes first"
    assert again.known.entities == (Mark(0, 2, "name"),)
    assert again.known.rejected == (Mark(4, 6, "name"),)


def test_the_tab_that_lived_through_a_restart_can_go_on(start):
    mine = start().next("tab-a")
    queue = start()
    assert queue.decide("tab-a", mine.key, "accepted", [NAME], []).accepted == 1
    with pytest.raises(UnknownTextError):
        queue.decide("tab-a", "no such key", "accepted", [], [])


def test_a_decision_can_be_taken_back(start):
    queue = start()
    first = queue.next("tab-a")
    queue.decide("tab-a", first.key, "open", [NAME], [])
    queue.decide("tab-a", first.key, "accepted", [NAME, CITY], [])
    second = start().next("tab-a")
    queue = start()
    again = queue.reopen("tab-a", first.key)
    assert (again.key, again.known.entities, again.known.status) == (first.key, (NAME,), "open")
    assert queue.counts() == (0, 0, 3)
    queue.decide("tab-a", first.key, "skipped", [], [])
    assert queue.next("tab-a").key == second.key


def test_a_new_order_spares_what_is_begun(start):
    queue = start()
    mine = queue.next("tab-a")
    assert [row.text for row in queue.undecided()] == TEXTS[1:]
    queue.put_in_order(reversed(queue.undecided()), ["time"])
    assert queue.labels == ("name", "address", "time")
    assert queue.next("tab-a").key == mine.key
    assert texts_of(queue.next("tab-b"), queue.next("tab-c")) == [TEXTS[2], TEXTS[1]]


@pytest.mark.parametrize(
    ("entities", "rejected", "told"),
    [
        ([Mark(0, 99, "name")], [], "outside"),
        ([Mark(2, 2, "name")], [], "outside"),
        ([NAME, Mark(2, 5, "address")], [], "overlaps"),
        ([Mark(0, 3, "nobody")], [], "no label 'nobody'"),
        ([NAME], [NAME], "both an entity and none"),
        ([], [Mark(-1, 2, "name")], "outside"),
    ],
)
def test_what_is_no_decision_is_not_kept(start, tmp_path, entities, rejected, told):
    queue = start()
    mine = queue.next("tab-a")
    with pytest.raises(ValueError, match=told):
        queue.decide("tab-a", mine.key, "accepted", entities, rejected)
    assert (tmp_path / "saved.jsonl").read_bytes() == b""


def test_a_torn_last_line_costs_that_line_alone(start, tmp_path):
    """A kill in the middle of a write."""
    queue = start()
    first, second = queue.next("tab-a"), queue.next("tab-b")
    queue.decide("tab-a", first.key, "accepted", [NAME], [])
    queue.decide("tab-b", second.key, "accepted", [], [])
    path = tmp_path / "saved.jsonl"
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    queue = start()
    assert queue.counts() == (1, 0, 2)
    queue.decide("tab-b", second.key, "accepted", [], [])
    assert len(path.read_bytes().splitlines()) == 2


def test_what_was_accepted_by_mistake_was_not_said(start):
    """Else a suggestion that nobody looked at would be learned."""
    queue = start()
    first = queue.next("tab-a")
    queue.decide("tab-a", first.key, "accepted", [NAME, CITY], [])
    assert queue.reopen("tab-a", first.key).known.entities == ()
    queue.decide("tab-a", first.key, "skipped", [CITY], [NAME])
    known = queue.reopen("tab-a", first.key).known
    assert (known.status, known.entities, known.rejected) == ("open", (CITY,), (NAME,))


def test_a_last_line_without_its_end_is_a_decision_if_it_is_whole(start, tmp_path):
    """Editors leave it out, and put blank lines in."""
    queue = start()
    first = queue.next("tab-a")
    queue.decide("tab-a", first.key, "accepted", [NAME], [])
    path = tmp_path / "saved.jsonl"
    path.write_bytes(b"\n" + path.read_bytes().rstrip())
    queue = start()
    assert queue.counts() == (1, 0, 2)
    queue.decide("tab-a", queue.next("tab-a").key, "accepted", [], [])
    assert start().counts() == (2, 0, 1)


def test_a_file_of_tabs_that_is_no_more_is_done_without(start, tmp_path):
    start().next("tab-a")
    for content in ("", "[]"):
        (tmp_path / "saved.jsonl.tabs").write_text(content, encoding="utf8")
        assert start().next("tab-a") is not None


def test_a_decision_is_on_the_disk_before_it_counts(start, tmp_path, monkeypatch):
    """Else a loss of power would take minutes of work with it, not one decision."""
    path, synced = tmp_path / "saved.jsonl", []
    fsync = os.fsync

    def note(descriptor):
        fsync(descriptor)
        synced.append((os.fstat(descriptor).st_ino, os.fstat(descriptor).st_size))

    queue = start()
    monkeypatch.setattr(os, "fsync", note)
    for tab in ("tab-a", "tab-b"):
        queue.decide(tab, queue.next(tab).key, "accepted", [], [])
        assert (path.stat().st_ino, path.stat().st_size) in synced


ANNOTATOR = """
import sys
from pathlib import Path
from spacy_bertcrf.annotation.rows import Row
from spacy_bertcrf.teaching.decisions import DecisionFile
from spacy_bertcrf.teaching.queue import TeachingQueue

texts = [f"text {i}" for i in range(10**4)]
rows = [Row(text, text, {}, text) for text in texts]
queue = TeachingQueue(rows, DecisionFile(Path(sys.argv[1])), ["name"])
while (given := queue.next("a tab")) is not None:
    queue.decide("a tab", given.key, "accepted", [], [])
    print(given.row.text, flush=True)
"""


@pytest.mark.slow
def test_a_kill_costs_no_decision_that_was_told(tmp_path):
    path = tmp_path / "saved.jsonl"
    command = [sys.executable, "-c", ANNOTATOR, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as annotator:
        told = [annotator.stdout.readline().strip() for _ in range(100)]
        annotator.kill()
        told += annotator.stdout.read().split("\n")[:-1]
    file = DecisionFile(path)
    kept = list(file.last)
    file.close()
    assert kept[: len(told)] == told
    assert len(kept) <= len(told) + 1, "one at most was under the hand"


@pytest.mark.parametrize("content", ['{"text": "a"}\n', '{"text": "a"}', "notes\nof mine"])
def test_a_file_of_something_else_is_left_alone(tmp_path, content):
    """Also one whose last line has no end, which is what a crash leaves of a decision too."""
    path = tmp_path / "corpus.jsonl"
    path.write_text(content, encoding="utf8")
    with pytest.raises(ValueError, match=r"corpus.jsonl, line 1"):
        DecisionFile(path)
    assert path.read_text("utf8") == content


def test_two_services_do_not_write_to_one_file(tmp_path):
    file = DecisionFile(tmp_path / "saved.jsonl")
    with pytest.raises(ValueError, match="Another service"):
        DecisionFile(tmp_path / "saved.jsonl")
    file.close()
    DecisionFile(tmp_path / "saved.jsonl").close()


def test_what_was_not_looked_at_is_missing(start, tmp_path):
    """Else a pipeline would learn that a skipped text has no entity."""
    queue = start()
    first, second, third = (queue.next(tab) for tab in ("tab-a", "tab-b", "tab-c"))
    queue.decide("tab-a", first.key, "open", [], [])
    queue.decide("tab-a", first.key, "accepted", [NAME], [CITY])
    queue.decide("tab-b", second.key, "skipped", [Mark(0, 2, "name")], [Mark(4, 6, "name")])
    queue.decide("tab-c", third.key, "skipped", [], [])
    corpus = read_corpus(tmp_path / "saved.jsonl", lang="zh")
    assert corpus.format == "taught"
    assert not list(corpus.problems)
    whole, part = corpus.docs
    assert [(ent.text, ent.label_) for ent in whole.ents] == [("王小明", "name")]
    assert all(token.ent_iob for token in whole)
    assert [(span.text, span.label_) for span in whole.spans[INCORRECT_SPANS]] == [
        ("北京大学", "address")
    ]
    assert [(ent.text, ent.label_) for ent in part.ents] == [("李雷", "name")]
    assert [token.ent_iob != 0 for token in part] == [True, True, *[False] * 5]
    assert [span.text for span in part.spans[INCORRECT_SPANS]] == ["上海"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["accepted", "skipped", "open"]))))
def test_the_last_word_on_a_text_counts(tmp_path_factory, said):
    path = tmp_path_factory.mktemp("said") / "saved.jsonl"
    file = DecisionFile(path)
    last = {}
    for i, status in said:
        decision = Decision(str(i), TEXTS[i], status, (Mark(0, 2, "name"),))
        file.append(decision)
        last[TEXTS[i]] = decision
    file.close()
    again = DecisionFile(path)
    assert again.last == last
    again.close()
    assert [json.loads(line)["status"] for line in path.read_text("utf8").splitlines()] == [
        status for _, status in said
    ]
