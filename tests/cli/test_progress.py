"""What a terminal shows while a command is at work."""

import io
import sys
import time

import pytest

from spacy_bertcrf.cli import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Puts a terminal in the place of stderr; a tenth of a second counts as long."""
    monkeypatch.setattr(progress, "SECONDS_BEFORE", 0.1)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.02)

    # Between a fixture and its test, pytest puts back its own stderr.
    def open_terminal():
        monkeypatch.setattr("sys.stderr", Terminal())
        return sys.stderr

    return open_terminal


def test_what_takes_long_is_shown_before_anything_of_it_is_done(terminal):
    """Else whoever converts a large file, of which all is read first, believes that it hangs."""
    shown = terminal()
    with progress.counting("Reading"):
        time.sleep(0.25)
    assert "Reading: 0 texts" in shown.getvalue()
    with progress.working("Writing"):
        time.sleep(0.25)
    assert "Writing 00:00" in shown.getvalue()


def test_how_much_is_done_is_shown(terminal):
    """Else nobody knows whether to wait."""
    shown = terminal()

    def slow():
        for number in range(5):
            time.sleep(0.06)
            yield number

    assert list(progress.counted(slow(), "Reading")) == list(range(5))
    assert "Reading: 4 texts" in shown.getvalue()


def test_what_is_soon_done_shows_nothing(terminal):
    """Else each command flickers."""
    shown = terminal()
    with progress.working("Drawing"), progress.counting("Reading") as bar:
        bar.update()
    assert shown.getvalue() == ""


def test_a_log_gets_no_bars(terminal, monkeypatch):
    """Else the output of a job is full of lines that overwrite each other; nor does a second
    process draw over the first one's."""
    shown = terminal()
    with progress.working("Drawing", is_shown=False):
        time.sleep(0.15)
    assert shown.getvalue() == ""
    log = io.StringIO()
    monkeypatch.setattr("sys.stderr", log)
    with progress.working("Drawing"):
        time.sleep(0.15)
    assert log.getvalue() == ""


def test_an_error_passes(terminal):
    """Else an interrupted command leaves a thread behind that draws on."""
    shown = terminal()
    with pytest.raises(ValueError, match="bad"), progress.counting("Reading"):
        raise ValueError("bad")
    before = shown.getvalue()
    time.sleep(0.15)
    assert shown.getvalue() == before
