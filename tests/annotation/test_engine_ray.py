"""Annotation by actors of a Ray cluster, of which one may be lost."""

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time

import pytest

from spacy_bertcrf.annotation import engine_ray
from spacy_bertcrf.annotation.engine_local import annotate_here
from spacy_bertcrf.annotation.engine_ray import annotate_on_ray
from spacy_bertcrf.annotation.run import opened

ray = pytest.importorskip("ray")
pytest.importorskip("ray.data")


@pytest.fixture(scope="module")
def cluster(few_imports):
    """Two nodes on this machine, with a CPU each, so that of two actors each has one."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        for name, value in few_imports.items():
            patch.setenv(name, value)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        second = cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)
        cluster.wait_for_nodes()
    # The nodes' alone: a command that is told other versions cannot go on with what this process
    # has begun.
    yield cluster, second
    ray.shutdown()
    cluster.shutdown()


def lines(rows):
    return [int(row["id"].rpartition(":")[2]) for row in rows]


@pytest.mark.slow
def test_neither_a_lost_node_nor_a_text_that_ends_its_actor_costs_another_text(
    cluster, make_job, read_output
):
    """A spot machine is taken away in the middle of its shard; and a text is read for which Ray
    alone would start the actor again for ever."""
    nodes, second = cluster
    texts = [f"SLOW {i} in Berlin" for i in range(160)]
    texts[7], texts[8] = "KILL", "FAIL"
    job, archive = make_job(*texts)
    is_lost = False
    with opened(job, archive) as run:
        for done in annotate_on_ray(job, run.remaining(), "auto", 2, 2):
            run.add(done)
            if len(run.done) >= 5 and not is_lost:
                nodes.remove_node(second, allow_graceful=False)
                is_lost = True
        run.end()
        assert (run.manifest["status"], run.manifest["failed"]) == ("complete", 2)
    assert is_lost
    assert lines(read_output(job.output)) == [i + 1 for i in range(160) if i not in (7, 8)]
    errors = [json.loads(line)["error"] for line in (job.output / "errors.jsonl").open()]
    assert ["alone" in error for error in errors] == [True, False]


@pytest.mark.slow
def test_a_killed_driver_takes_its_actors_along(cluster, make_job, read_output):
    """Else they would go on writing into a folder that the next command has taken."""
    nodes, _ = cluster
    job, archive = make_job(*[f"SLOW {i} in Berlin" for i in range(400)])
    command = [
        *(sys.executable, "-m", "spacy", "bertcrf", "annotate", job.pipeline),
        *(archive.sources[0].file.path, job.output, "--shard-size", "10", "--code", job.code),
        *("--batch-size", "4", "--ray", nodes.address, "--nproc", "1"),
    ]
    parts = job.output / "parts"
    driver = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=-2)
    while not parts.exists() or len(list(parts.iterdir())) < 3:
        assert driver.poll() is None, driver.stdout.read().decode()
        time.sleep(0.02)
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    with opened(job, archive) as run:
        n_done = len(run.done)
        before = {path: path.stat().st_mtime_ns for path in parts.glob("part-*")}
        for done in annotate_here(job, run.remaining()):
            run.add(done)
        run.end()
        assert (run.manifest["status"], run.manifest["texts"]) == ("complete", 400)
    assert len(before) < 40, "it was killed in the middle"
    again = [path for path, when in before.items() if path.stat().st_mtime_ns != when]
    assert len(again) <= len(before) - n_done <= 2
    assert lines(read_output(job.output)) == list(range(1, 401))
    written = {path: path.stat().st_mtime_ns for path in parts.iterdir()}
    time.sleep(1)
    assert {path: path.stat().st_mtime_ns for path in parts.iterdir()} == written


@pytest.mark.slow
def test_actors_that_cannot_even_begin_are_an_error(cluster, make_job, monkeypatch):
    """A pipeline that does not fit into memory: Ray alone would start the next actor for ever."""
    monkeypatch.setattr(engine_ray, "MAX_DEATHS", 1)
    job, archive = make_job("one")
    code = job.output.with_name("dying.py")
    code.write_text(job.code.read_text() + "\nos.kill(os.getpid(), signal.SIGKILL)\n")
    job = job._replace(code=code)
    with (
        opened(job, archive) as run,
        pytest.raises(RuntimeError, match=r"1 actors in a row have ended .* too little memory"),
    ):
        list(annotate_on_ray(job, run.remaining(), "auto", 1, 1))


def answer(job, shard):
    (pickled,) = engine_ray._Actor(job, 5)({"shard": [pickle.dumps(shard)]})["answer"]
    return pickle.loads(pickled)


@pytest.mark.parametrize("written", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_an_address_where_nothing_answers_is_an_error_at_once(make_job, monkeypatch, written):
    """Ray itself tries for minutes, and ends the process without a word of ours."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.socket() as taken:  # and not listening
        taken.bind(("127.0.0.1", 0))
        address = written.format(taken.getsockname()[1])
        job, archive = make_job("Berlin")
        with pytest.raises(ValueError, match=f"{address}: nothing answers there"):
            list(annotate_on_ray(job, archive.shards, address))


@pytest.mark.parametrize(
    "address", ["127.0.0.1:70000", "127.0.0.1:port"], ids=["too large", "no number"]
)
def test_an_address_with_an_impossible_port_is_an_error(make_job, monkeypatch, address):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    job, archive = make_job("Berlin")
    with pytest.raises(ValueError, match=address):
        list(annotate_on_ray(job, archive.shards, address))


@pytest.mark.slow
def test_what_ends_a_shard_in_good_order_is_answered(make_job):
    """What an actor raises comes out of Ray with pages of what surrounds it."""
    job, archive = make_job("one in Berlin")
    (shard,) = archive.shards
    with opened(job, archive):
        assert answer(job, shard).entities == 1
        job.part(0).unlink()
        job.part(0).mkdir()
        assert "part-00000" in str(answer(job, shard))
        missing = answer(job._replace(pipeline="missing"), shard)
        assert isinstance(missing, ValueError)
        assert "cannot be loaded" in str(missing)
