"""`bertcrf annotate` as a process that is killed, stopped, or out of disk, and started again."""

import json
import os
import random
import re
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import spacy

N_TEXTS = 400
N_KILLS = 4

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows kills otherwise"),
]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "CITY", "pattern": "Berlin"}])
    path = tmp_path_factory.mktemp("pipeline")
    nlp.to_disk(path)
    return path


@pytest.fixture
def arguments(pipeline, tmp_path):
    lines = [json.dumps({"id": i, "text": f"{i} in Berlin"}) for i in range(N_TEXTS)]
    lines[7] = "no JSON"
    (tmp_path / "texts.jsonl").write_text("\n".join(lines))
    return [pipeline, tmp_path / "texts.jsonl", tmp_path / "output", "--shard-size", "10"]


@pytest.fixture
def start(start_command, tmp_path):
    """Start the command in a new process."""
    return partial(start_command, "bertcrf", "annotate", printed=tmp_path / "printed.txt")


def printed(folder):
    return re.sub(r"\s+", " ", (folder / "printed.txt").read_text())


def parts(folder):
    """The ids in each part. Raises an error if one is there in part."""
    return {
        path.name: [json.loads(line)["id"] for line in path.open()]
        for path in (folder / "output" / "parts").glob("part-*")
    }


def wait_for_parts(folder, process, n):
    while len(list((folder / "output" / "parts").glob("part-*"))) < n:
        assert process.poll() is None, printed(folder)
        time.sleep(0.005)


def check_complete(folder, shard_size=10):
    found = [row_id for _, ids in sorted(parts(folder).items()) for row_id in ids]
    assert found == [str(i) for i in range(N_TEXTS) if i != 7]
    manifest = json.loads((folder / "output" / "manifest.json").read_text())
    counts = [manifest[key] for key in ("status", "texts", "failed", "shards")]
    assert counts == ["complete", N_TEXTS, 1, N_TEXTS // shard_size]
    (error,) = map(json.loads, (folder / "output" / "errors.jsonl").open())
    assert error["id"].endswith("texts.jsonl:8")
    names = {path.name for path in (folder / "output").iterdir()}
    assert names == {".lock", "manifest.json", "errors.jsonl", "parts"}


def test_kills_while_files_are_written_lose_and_double_nothing(start, arguments, tmp_path):
    """Whatever was just written: each text is in the output once, and no shard is there in part."""
    rng = random.Random()
    for _ in range(N_KILLS):
        before = parts(tmp_path) if (tmp_path / "output").exists() else {}
        process = start(*arguments, kill_at=rng.randint(1, 60))
        process.wait()
        assert process.returncode == -signal.SIGKILL, printed(tmp_path)
        after = parts(tmp_path) if (tmp_path / "output").exists() else {}
        assert all(len(ids) >= 9 for ids in after.values())
        assert before.items() <= after.items()
    process = start(*arguments)
    process.wait()
    assert process.returncode == 0, printed(tmp_path)
    check_complete(tmp_path)


def test_the_first_process_is_killed_and_takes_the_others_along(start, arguments, tmp_path):
    """Processes that outlive their command would write into a folder that others have taken."""
    process = start(*arguments, "--nproc", 2)
    wait_for_parts(tmp_path, process, 3)
    children = [int(pid) for pid in descendants(process.pid)]
    assert children
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 10
    while any(is_alive(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(is_alive(pid) for pid in children)
    done = (tmp_path / "output" / ".work" / "done.jsonl").read_text().splitlines()
    changed = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "output" / "parts").glob("part-*")
    }
    process = start(*arguments)
    process.wait()
    assert process.returncode == 0, printed(tmp_path)
    check_complete(tmp_path)
    again = [path for path, when in changed.items() if path.stat().st_mtime_ns != when]
    assert len(again) <= len(changed) - len(done) <= 2


def descendants(pid):
    """The processes that a process has started, and these, of whatever depth."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = path.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if parent == str(pid):
            found += [path.parent.name, *descendants(path.parent.name)]
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("options", "number"),
    [([], signal.SIGINT), (["--nproc", 2], signal.SIGINT), ([], signal.SIGTERM)],
)
def test_ctrl_c_or_sigterm_ends_it_in_good_order(options, number, start, arguments, tmp_path):
    process = start(*arguments, *options)
    wait_for_parts(tmp_path, process, 2)
    os.kill(process.pid, number)
    process.wait()
    if process.returncode != 0:  # It may have been in the last shard.
        assert process.returncode == 130, printed(tmp_path)
        assert "The same command goes on" in printed(tmp_path)
        manifest = json.loads((tmp_path / "output" / "manifest.json").read_text())
        assert manifest["status"] == "stopped"
        assert 0 < manifest["texts"] < N_TEXTS
    process = start(*arguments)
    process.wait()
    assert process.returncode == 0, printed(tmp_path)
    check_complete(tmp_path)


def test_a_full_disk_is_an_error_and_no_harm(start, arguments, tmp_path):
    """With some space freed, the same command goes on."""
    large = [*arguments, "--save-texts", "--shard-size", 50]
    process = start(*large, kill_at=30)
    process.wait()
    before = parts(tmp_path)
    assert before
    process = start(*large, size_limit=4000)
    process.wait()
    assert process.returncode == 1
    assert re.search(r"File too large.*part-0000", printed(tmp_path))
    assert parts(tmp_path) == before
    process = start(*large)
    process.wait()
    assert process.returncode == 0, printed(tmp_path)
    check_complete(tmp_path, shard_size=50)
