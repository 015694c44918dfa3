"""Processes that die while they annotate."""

import json
import multiprocessing
import os
import random
import signal
import sys
import time

import pytest

from spacy_bertcrf.annotation.annotator import DeviceLost
from spacy_bertcrf.annotation.engine_local import annotate_here, annotate_in_processes
from spacy_bertcrf.annotation.run import opened

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("start_python"),  # whose imports need not be done once more
    pytest.mark.skipif(sys.platform == "win32", reason="Windows kills otherwise"),
]


def annotate(job, archive, n=2):
    with opened(job, archive) as run:
        for done in annotate_in_processes(job, run.remaining(), n):
            run.add(done)
        run.end()
        return run.manifest


def lines(rows):
    return [int(row["id"].rpartition(":")[2]) for row in rows]


def test_processes_write_what_one_writes(make_job, read_output):
    job, archive = make_job(*[f"{i} in Berlin" for i in range(95)])
    annotate(job, archive)
    apart = read_output(job.output)
    alone = job._replace(output=job.output.with_name("alone"))
    with opened(alone, archive) as run:
        list(annotate_here(alone, run.remaining()))
    assert apart == read_output(alone.output)
    assert len(apart) == 95


def test_a_text_that_ends_its_process_costs_no_other(make_job, read_output):
    """Out of memory at one text in a hundred million: the rest is annotated all the same."""
    texts = [f"{i} in Berlin" for i in range(40)]
    for i in (3, 5, 22):
        texts[i] = f"KILL {i}"
    job, archive = make_job(*texts)
    manifest = annotate(job, archive)
    assert (manifest["texts"], manifest["failed"], manifest["status"]) == (40, 3, "complete")
    assert lines(read_output(job.output)) == [i + 1 for i in range(40) if i not in (3, 5, 22)]
    errors = [json.loads(line) for line in (job.output / "errors.jsonl").open()]
    assert [error["text"] for error in errors] == ["KILL 3", "KILL 5", "KILL 22"]
    assert all("SIGKILL" in error["error"] for error in errors)


def test_workers_that_are_killed_lose_and_double_nothing(make_job, read_output):
    """The system's memory killer takes whom it likes; no innocent text may be blamed for it."""
    job, archive = make_job(*[f"SLOW {i}" for i in range(120)])
    rng = random.Random(0)
    n_kills = 0
    with opened(job, archive) as run:
        for done in annotate_in_processes(job, run.remaining(), 2):
            run.add(done)
            workers = multiprocessing.active_children()
            if n_kills < 4 and workers:
                time.sleep(rng.uniform(0, 0.1))
                os.kill(rng.choice(workers).pid, signal.SIGKILL)
                n_kills += 1
        run.end()
        assert run.manifest["failed"] == 0
    assert n_kills == 4
    assert lines(read_output(job.output)) == list(range(1, 121))


def test_a_shard_is_done_once_where_nothing_dies(make_job):
    job, archive = make_job(*[str(i) for i in range(100)])
    with opened(job, archive) as run:
        numbers = [done.shard for done in annotate_in_processes(job, run.remaining(), 2)]
    assert sorted(numbers) == list(range(10))


def test_processes_that_cannot_even_begin_are_an_error(make_job, monkeypatch):
    """Where the pipeline itself does not fit into memory, to try again for ever helps nobody."""
    job, archive = make_job("one")
    code = job.output.with_name("dying.py")
    code.write_text(job.code.read_text() + "\nos.kill(os.getpid(), signal.SIGKILL)\n")
    with pytest.raises(RuntimeError, match=r"processes in a row have ended \(SIGKILL\)"):
        annotate(job._replace(code=code), archive)


@pytest.mark.parametrize("n", [None, 1])
def test_what_cannot_be_written_is_an_error_of_the_disk(n, make_job):
    """A full disk must not fill errors.jsonl with texts that are fine."""
    job, archive = make_job("one", "two")
    with opened(job, archive) as run:
        job.part(0).mkdir()
        engine = annotate_here(job, run.remaining())
        if n is not None:
            engine = annotate_in_processes(job, run.remaining(), n)
        with pytest.raises(OSError, match="part-00000"):
            list(engine)
    assert not list((job.output / "parts").glob(".part*"))


def test_a_text_that_breaks_the_gpu_costs_no_other(make_job, read_output):
    """After an assertion on the device every text of the process would fail, and go to the errors
    as if it were to blame."""
    texts = [f"{i} in Berlin" for i in range(40)]
    texts[22] = "GPU 22"
    job, archive = make_job(*texts)
    manifest = annotate(job, archive)
    assert (manifest["texts"], manifest["failed"], manifest["status"]) == (40, 1, "complete")
    assert lines(read_output(job.output)) == [i + 1 for i in range(40) if i != 22]
    alone = job._replace(output=job.output.with_name("alone"))

    def go_on():
        with opened(alone, archive) as run:
            for done in annotate_here(alone, run.remaining()):
                run.add(done)
            run.end()
            return run.manifest

    for _ in range(3):
        with pytest.raises(DeviceLost, match="The same command"):
            go_on()
    assert go_on()["failed"] == 1
