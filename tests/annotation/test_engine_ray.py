"""Annotation by actors of a Ray cluster, of which one may be lost."""

import json

import pytest

from spacy_bertcrf.annotation.engine_ray import annotate_on_ray
from spacy_bertcrf.annotation.run import opened

ray = pytest.importorskip("ray")
pytest.importorskip("ray.data")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    """Two nodes on this machine, with a CPU each, so that of two actors each has one."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    cluster.wait_for_nodes()
    yield cluster, second
    ray.shutdown()
    cluster.shutdown()


def lines(rows):
    return [int(row["id"].rpartition(":")[2]) for row in rows]


def test_a_text_that_ends_its_actor_costs_no_other(cluster, make_job, read_output):
    """Ray alone would start the actor again and give it the same texts, for ever."""
    texts = [f"{i} in Berlin" for i in range(40)]
    texts[7], texts[8] = "KILL", "FAIL"
    job, archive = make_job(*texts)
    with opened(job, archive) as run:
        for done in annotate_on_ray(job, run.remaining(), "auto", 1, 2):
            run.add(done)
        run.end()
        assert run.manifest["failed"] == 2
    assert lines(read_output(job.output)) == [i + 1 for i in range(40) if i not in (7, 8)]
    errors = [json.loads(line)["error"] for line in (job.output / "errors.jsonl").open()]
    assert ["alone" in error for error in errors] == [True, False]


def test_what_cannot_be_written_ends_it_with_the_reason(cluster, make_job):
    job, archive = make_job("one")
    with opened(job, archive) as run:
        job.part(0).mkdir()
        with pytest.raises(OSError, match="part-00000"):
            list(annotate_on_ray(job, run.remaining(), "auto"))


def test_a_node_that_is_lost_costs_no_text(cluster, make_job, read_output):
    """A spot machine is taken away in the middle of its shard."""
    nodes, second = cluster
    job, archive = make_job(*[f"SLOW {i} in Berlin" for i in range(200)])
    is_lost = False
    with opened(job, archive) as run:
        for done in annotate_on_ray(job, run.remaining(), "auto", 2, 2):
            run.add(done)
            if len(run.done) >= 6 and not is_lost:
                nodes.remove_node(second, allow_graceful=False)
                is_lost = True
        run.end()
        assert (run.manifest["status"], run.manifest["failed"]) == ("complete", 0)
    assert is_lost
    assert lines(read_output(job.output)) == list(range(1, 201))
