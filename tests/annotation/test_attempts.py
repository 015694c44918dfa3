"""Which text is to blame for a process that died."""

import pytest

from spacy_bertcrf.annotation.attempts import Attempt, count_tries, forget_tries, forgive


@pytest.fixture
def path(tmp_path):
    return tmp_path / "note.json"


def test_a_text_is_blamed_when_it_has_ended_two_processes_alone(path):
    """A machine that is switched off once must not cost the text that was being read."""
    Attempt(path).reads(8, 16)
    attempt = Attempt(path, "SIGKILL")
    assert attempt.is_suspect(8, 16)
    assert not attempt.is_suspect(0, 8)
    assert attempt.is_suspect(12, 20), "with another batch size, the same texts are suspects"
    attempt.reads(9, 10)
    attempt = Attempt(path, "SIGKILL")
    assert attempt.blame(9) is None
    attempt.reads(9, 10)
    attempt = Attempt(path, "SIGSEGV")
    assert "SIGSEGV" in attempt.blame(9)
    assert attempt.blame(8) is None
    attempt.ended()
    assert not path.exists()


def test_what_was_ended_on_purpose_blames_none_and_forgets_none(path):
    Attempt(path).reads(0, 8)
    Attempt(path).reads(3, 4)
    for _ in range(3):
        forgive(path)
        Attempt(path).reads(3, 4)
    forgive(path)
    attempt = Attempt(path)
    attempt.reads_nothing()
    attempt = Attempt(path)
    assert attempt.blame(3) is None
    assert attempt.is_suspect(0, 8)


def test_tries_are_counted_that_come_no_further(path):
    """An archive with a deadly text every now and then must not end for it; one whose pipeline
    cannot be loaded must."""
    assert [count_tries(path) for _ in range(3)] == [1, 2, 3]
    Attempt(path).reads(0, 8)
    assert [count_tries(path) for _ in range(2)] == [1, 2]
    Attempt(path).reads(3, 4)
    assert count_tries(path) == 1
    forget_tries(path)
    assert [count_tries(path) for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("content", ["", '{"reading": [0,'])
def test_a_note_that_was_cut_off_is_none(path, content):
    """Where the power has failed, or no run would ever go on."""
    path.write_text(content)
    attempt = Attempt(path)
    assert not attempt.is_suspect(0, 8)
    attempt.reads(0, 8)
    assert Attempt(path).is_suspect(0, 8)
