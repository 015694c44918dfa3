"""A folder holds one annotation, whole or with the rest still to do."""

import json
import os
import sys
from pathlib import Path

import pytest

from spacy_bertcrf.annotation import job as job_module
from spacy_bertcrf.annotation.engine_local import annotate_here
from spacy_bertcrf.annotation.run import opened
from spacy_bertcrf.training.logs.log_records import installed_versions


@pytest.fixture
def annotate():
    def annotate(job, archive, n_shards=None, **options):
        with opened(job, archive, **options) as run:
            for done in annotate_here(job, run.remaining()[:n_shards]):
                run.add(done)
            run.end()
            return run.manifest

    return annotate


TEXTS = [f"{i} in Berlin" for i in range(45)]


@pytest.mark.slow
def test_it_goes_on_where_it_was_stopped(make_job, annotate, read_output):
    job, archive = make_job(*TEXTS)
    manifest = annotate(job, archive, n_shards=2)
    assert (manifest["status"], manifest["texts"]) == ("stopped", 20)
    before = {path: path.stat().st_mtime_ns for path in (job.output / "parts").iterdir()}
    assert len(before) == 2
    manifest = annotate(job, archive)
    assert (manifest["status"], manifest["texts"], manifest["entities"]) == ("complete", 45, 45)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [row["id"].rpartition(":")[2] for row in read_output(job.output)] == [
        str(i + 1) for i in range(45)
    ]
    names = sorted(path.name for path in job.output.iterdir())
    assert names == [".lock", "manifest.json", "parts"]
    assert annotate(job, archive) == manifest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"shard_size": 11}, "settings.shard_size was 10 and is 11"),
        ({"save_texts": True}, "settings.save_texts was false and is true"),
        ({"format": "parquet"}, 'settings.format was "jsonl" and is "parquet"'),
    ],
)
def test_other_settings_are_an_error(changed, expected, make_job, annotate):
    """Shards of two kinds in one folder would be found by nobody."""
    annotate(*make_job(*TEXTS), n_shards=1)
    with pytest.raises(ValueError, match=expected):
        annotate(*make_job(*TEXTS, **changed))


@pytest.mark.slow
def test_another_input_is_an_error(make_job, annotate, tmp_path):
    annotate(*make_job(*TEXTS), n_shards=1)
    with pytest.raises(ValueError, match=r"texts.txt has other content"):
        annotate(*make_job("changed", *TEXTS[1:]))
    more = tmp_path / "more.txt"
    more.write_text("more")
    make_job(*TEXTS)
    with pytest.raises(ValueError, match=r"more.txt is a new input"):
        annotate(*make_job(inputs=(tmp_path / "texts.txt", more)))
    with pytest.raises(ValueError, match=r"texts.txt is no longer an input"):
        annotate(*make_job(inputs=(more,)))


@pytest.mark.slow
def test_another_pipeline_is_an_error(make_job, annotate, tmp_path, monkeypatch):
    """A model that was trained anew under the same name, above all."""
    import shutil

    job, archive = make_job(*TEXTS)
    copy = tmp_path / "copy"
    shutil.copytree(job.pipeline, copy)
    job = job._replace(pipeline=str(copy))
    annotate(job, archive, n_shards=1)
    moved = copy.rename(tmp_path / "moved")
    annotate(job._replace(pipeline=str(moved)), archive, n_shards=1)
    path = moved / "meta.json"
    path.write_text(path.read_text().replace("0.0.0", "0.0.1"))
    with pytest.raises(ValueError, match=r"the pipeline .* has other content"):
        annotate(job._replace(pipeline=str(moved)), archive)
    others = {**installed_versions(), "spacy": "9"}
    monkeypatch.setattr("spacy_bertcrf.annotation.run.installed_versions", lambda: others)
    with pytest.raises(ValueError, match=r'versions.spacy was ".*" and is "9"'):
        annotate(job._replace(pipeline=str(moved)), archive)


@pytest.mark.slow
def test_overwriting_removes_all_of_the_old(make_job, annotate, read_output):
    annotate(*make_job(*TEXTS, "FAIL"), n_shards=None)
    job, archive = make_job("only one")
    annotate(job, archive, overwrite=True)
    assert len(read_output(job.output)) == 1
    assert not (job.output / "errors.jsonl").exists()


@pytest.mark.slow
@pytest.mark.parametrize("n_before", [3, None])
def test_an_overwriting_that_was_stopped_loses_and_doubles_nothing(
    n_before, make_job, annotate, read_output, monkeypatch, tmp_path
):
    """Else what is left of the old notes counts as done, or old parts lie beside the new."""
    job, archive = make_job(*TEXTS)
    annotate(job, archive, n_shards=n_before)
    other, fewer = make_job(inputs=(tmp_path / "texts.txt",), shard_size=30)

    def stopped(*args, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("spacy_bertcrf.annotation.run.shutil.rmtree", stopped)
        with pytest.raises(KeyboardInterrupt):
            annotate(other, fewer, overwrite=True)
    with pytest.raises(ValueError, match="--overwrite"):
        annotate(other, fewer)
    assert annotate(job, archive)["texts"] == 45
    assert len(read_output(job.output)) == 45
    assert annotate(other, fewer, overwrite=True)["texts"] == 45
    assert len(read_output(job.output)) == 45


def test_what_a_kill_at_the_very_beginning_leaves_is_no_other_thing(make_job, annotate):
    job, archive = make_job("one in Berlin")
    job.output.mkdir()
    (job.output / ".lock").touch()
    (job.output / ".manifest.json.abc.tmp").write_text("{")
    assert annotate(job, archive)["texts"] == 1
    assert not (job.output / ".manifest.json.abc.tmp").exists()


def test_a_folder_of_parts_that_are_of_something_else_is_left_alone(make_job, annotate):
    job, archive = make_job("one in Berlin")
    (job.output / "parts").mkdir(parents=True)
    (job.output / "parts" / "mine.jsonl").touch()
    for overwrite in (False, True):
        with pytest.raises(ValueError, match=r"other things.*parts"):
            annotate(job, archive, overwrite=overwrite)
    assert (job.output / "parts" / "mine.jsonl").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there names are text")
def test_names_that_are_not_utf_8(make_job, annotate, read_output, tmp_path):
    """Chinese names from a .zip: one of them would end the whole archive."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xb1\xea.txt"))
    path.write_text("one in Berlin\nFAIL", encoding="utf-8")
    job, archive = make_job(inputs=(path,))
    assert annotate(job, archive)["failed"] == 1
    assert read_output(job.output)[0]["id"].endswith("\\xb1\\xea.txt:1")


@pytest.mark.slow
def test_texts_may_be_longer_than_spacy_allows(make_job, annotate, read_output):
    """spaCy's bound is there for its parser and ner."""
    job, archive = make_job("x" * 1_000_001 + " Berlin")
    assert annotate(job, archive)["failed"] == 0
    assert [row["entities"][0]["text"] for row in read_output(job.output)] == ["Berlin"]


def test_other_folders_are_left_alone(make_job, annotate):
    job, archive = make_job(*TEXTS)
    job.output.mkdir()
    (job.output / "thesis.tex").touch()
    for overwrite in (False, True):
        with pytest.raises(ValueError, match=r"other things.*thesis.tex"):
            annotate(job, archive, overwrite=overwrite)
    assert [path.name for path in job.output.iterdir()] == ["thesis.tex"]


def test_two_at_once_are_an_error(make_job, annotate):
    job, archive = make_job(*TEXTS)
    with (
        opened(job, archive),
        pytest.raises(ValueError, match="Another process"),
        opened(job, archive),
    ):
        pass


@pytest.mark.slow
def test_a_note_that_was_cut_off_is_of_a_shard_that_is_not_done(make_job, annotate, read_output):
    """The power fails while a line is written: that shard is done again, no other."""
    job, archive = make_job(*TEXTS)
    annotate(job, archive, n_shards=3)
    journal = job.output / ".work" / "done.jsonl"
    journal.write_bytes(journal.read_bytes()[:-5])
    with opened(job, archive) as run:
        assert [shard.number for shard in run.remaining()] == [2, 3, 4]
    assert annotate(job, archive)["texts"] == 45
    assert len(read_output(job.output)) == 45


@pytest.mark.slow
def test_errors_can_be_the_next_input(make_job, annotate, read_output):
    """Once the cause is mended, the same command annotates the rest."""
    job, archive = make_job("fine", "FAIL one", "also fine", "FAIL two")
    manifest = annotate(job, archive)
    assert (manifest["texts"], manifest["failed"]) == (4, 2)
    assert len(read_output(job.output)) == 2
    errors = job.output / "errors.jsonl"
    rows = [json.loads(line) for line in errors.read_text().splitlines()]
    assert [row["text"] for row in rows] == ["FAIL one", "FAIL two"]
    assert rows[0]["place"].endswith("texts.txt:2")
    assert "KeyError" in rows[0]["error"]
    mended = errors.rename(job.output.parent / "errors.jsonl")
    mended.write_text(mended.read_text().replace("FAIL", "fine"))
    again, archive = make_job(inputs=(mended,))
    again = again._replace(output=job.output.parent / "again")
    annotate(again, archive)
    assert [row["id"] for row in read_output(again.output)] == [row["id"] for row in rows]


@pytest.mark.slow
def test_a_pipeline_that_has_met_many_words_is_loaded_anew(
    make_job, annotate, read_output, monkeypatch
):
    """The vocabulary's index grows with each new word; a hundred million texts have many."""
    loaded = []
    load = job_module.load_pipeline
    monkeypatch.setattr(job_module, "MAX_WORDS", 1000)
    monkeypatch.setattr(
        job_module, "load_pipeline", lambda *a: loaded.append(load(*a)) or loaded[-1]
    )
    texts = [" ".join([*(f"w{i}x{j}" for j in range(40)), "Berlin"]) for i in range(100)]
    job, archive = make_job(*texts)
    manifest = annotate(job, archive)
    assert len(loaded) > 2
    assert max(len(nlp.vocab) for nlp in loaded) < 2 * 1000
    assert (manifest["texts"], manifest["entities"], manifest["failed"]) == (100, 100, 0)
    assert len(read_output(job.output)) == 100
