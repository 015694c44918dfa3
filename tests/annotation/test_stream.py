"""Annotation between pipes."""

import io
import json
import os
import threading
import time

import pytest
import spacy

from spacy_bertcrf.annotation.annotator import Annotator
from spacy_bertcrf.annotation.settings import Settings
from spacy_bertcrf.annotation.stream import annotate_stream


@pytest.fixture
def annotator(fragile_pipeline):
    return Annotator(spacy.load(fragile_pipeline), 8)


def test_each_line_is_answered_in_its_place(annotator):
    """Who pastes the answers beside the questions must not be one line off after a failure."""
    lines = [
        b'{"id": "a", "text": "Berlin"}',
        b"",
        b"no JSON",
        b'{"text": "FAIL", "n": 1}',
        b'{"text": ""}',
    ]
    output = io.BytesIO()
    settings = Settings(keep=("n",), save_texts=True)
    assert annotate_stream(annotator, io.BytesIO(b"\n".join(lines)), output, settings) == 2
    first, *errors, last = map(json.loads, output.getvalue().splitlines())
    assert (first["id"], first["text"], first["entities"][0]["label"]) == ("a", "Berlin", "CITY")
    assert [error["id"] for error in errors] == ["-:3", "-:4"]
    assert "no JSON" in errors[0]["error"]
    assert (errors[1]["text"], errors[1]["n"]) == ("FAIL", 1)
    assert (last["id"], last["entities"]) == ("-:5", [])


def test_a_line_does_not_wait_for_a_full_batch(annotator):
    """Behind `tail -f` the next line may come tomorrow."""
    reading, writing = os.pipe()
    answers, answering = os.pipe()
    lines, output = os.fdopen(reading, "rb"), os.fdopen(answering, "wb")
    thread = threading.Thread(
        target=annotate_stream,
        args=(annotator, lines, output, Settings()),
        kwargs={"kind": "text"},
    )
    thread.start()
    with os.fdopen(answers, "rb") as answered:
        for text in (b"Berlin\n", b"Paris\n"):
            began = time.monotonic()
            os.write(writing, text)
            assert json.loads(answered.readline())["entities"]
            assert time.monotonic() - began < 5
        os.close(writing)
        thread.join()
    for file in (lines, output):
        file.close()


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_no_line_is_lost_or_double(annotator, batch_size):
    lines = b"".join(b"%d\n" % i for i in range(500))
    output = io.BytesIO()
    settings = Settings(save_texts=True)
    annotate_stream(
        annotator, io.BytesIO(lines), output, settings, kind="text", batch_size=batch_size
    )
    assert [json.loads(line)["text"] for line in output.getvalue().splitlines()] == [
        str(i) for i in range(500)
    ]
