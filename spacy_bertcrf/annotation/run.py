"""The folder of an annotation: what it is of, what is done, and what remains."""

import json
import os
import platform
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from spacy.util import get_package_path, is_package

from spacy_bertcrf.annotation.job import PARTS, WORK, Done, Job
from spacy_bertcrf.annotation.shards import Archive, Shard
from spacy_bertcrf.annotation.whole_file import is_draft, remove_drafts, whole_file
from spacy_bertcrf.training.checkpoints.run_identity import content_digest, differing
from spacy_bertcrf.training.logs.log_records import installed_versions

MANIFEST, ERRORS, JOURNAL, LOCK = "manifest.json", "errors.jsonl", "done.jsonl", ".lock"
COMPARED = ("code", "settings", "versions")
DIFFERENCES_SHOWN = 8


class Run:
    """An annotation into a folder, by this command and those before that were stopped.

    Made by `opened`.
    """

    def __init__(self, job: Job, archive: Archive, manifest: dict[str, Any]):
        self.output = job.output
        self._job, self._archive, self._manifest = job, archive, manifest
        self._journal = job.output / WORK / JOURNAL
        self.done = {record.shard: record for record in _read_journal(self._journal)}

    @property
    def is_complete(self) -> bool:
        """Whether nothing remains."""
        return self._manifest["status"] == "complete"

    @property
    def manifest(self) -> dict[str, Any]:
        """What the manifest says."""
        return self._manifest

    def remaining(self) -> list[Shard]:
        """The shards that are not done."""
        if self.is_complete:
            return []
        return [shard for shard in self._archive.shards if shard.number not in self.done]

    def add(self, record: Done) -> None:
        """Note that a shard is done. Raises OSError if that cannot be written."""
        with self._journal.open("ab") as file:
            file.write(json.dumps(record._asdict()).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.done[record.shard] = record

    def end(self) -> None:
        """Write errors.jsonl and the manifest, as far as it is done; if all is, the folder `.work`
        goes. Raises OSError if they cannot be written."""
        if self.is_complete:
            return
        records = [self.done[number] for number in sorted(self.done)]
        is_complete = len(records) == len(self._archive.shards)
        n_failed = sum(record.failed for record in records)
        if n_failed:
            with whole_file(self._job.output / ERRORS) as file:
                for record in records:
                    file.write(self._job.errors(record.shard).read_bytes())
        self._manifest |= {
            "status": "complete" if is_complete else "stopped",
            "texts": sum(record.texts for record in records),
            "failed": n_failed,
            "entities": sum(record.entities for record in records),
            "shards": len(records),
            "worker_seconds": round(sum(record.seconds for record in records), 3),
            "ended": _now(),
        }
        _write_manifest(self._job.output, self._manifest)
        if is_complete:
            shutil.rmtree(self._job.output / WORK)


@contextmanager
def opened(job: Job, archive: Archive, *, overwrite: bool = False) -> Iterator[Run]:
    """Begin an annotation, or go on with it, for a with block.

    overwrite: whether what an earlier annotation wrote is removed.

    Raises ValueError if the folder holds other things, or an annotation that differs from this one
    in pipeline, settings, input or versions; and if another process is at work on it.
    """
    _check_folder(job.output)
    job.output.mkdir(parents=True, exist_ok=True)
    lock = FileLock(job.output / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(f"Another process is annotating into {job.output}.") from None
    try:
        if overwrite:
            _remove(job.output)
        identity = _identity(job, archive)
        manifest = _read_manifest(job.output)
        if manifest is None:
            manifest = {"status": "stopped", **identity, "began": _now()}
            _write_manifest(job.output, manifest)
        else:
            _check_same(job.output, manifest, identity)
        if manifest["status"] != "complete":
            for folder in (job.output, job.output / PARTS, job.output / WORK):
                folder.mkdir(exist_ok=True)
                remove_drafts(folder)
        yield Run(job, archive, manifest)
    finally:
        lock.release()


def _identity(job: Job, archive: Archive) -> dict[str, Any]:
    settings = {**asdict(job.settings), "keep": list(job.settings.keep)}
    return {
        "pipeline": {"name": job.pipeline, "sha256": content_digest(pipeline_folder(job.pipeline))},
        "code": None if job.code is None else content_digest(job.code),
        "settings": settings,
        "inputs": [
            {"path": source.file.name, "texts": source.n_texts, "sha256": source.digest}
            for source in archive.sources
        ],
        "versions": {
            "python": platform.python_version(),
            **installed_versions(),
        },
    }


def pipeline_folder(pipeline: str) -> Path:
    """Where a pipeline lies. Raises ValueError if there is none."""
    if is_package(pipeline):
        return Path(get_package_path(pipeline))
    if not Path(pipeline).is_dir():
        raise ValueError(f"There is no pipeline {pipeline}: give its folder or package.")
    return Path(pipeline)


def _check_same(output: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    found = _differences(old, new)
    if not found:
        return
    shown = "; ".join(found[:DIFFERENCES_SHOWN])
    more = f"; and {len(found) - DIFFERENCES_SHOWN} more" if found[DIFFERENCES_SHOWN:] else ""
    raise ValueError(
        f"{output} holds another annotation: {shown}{more}. Go on with what it was begun with, "
        "give another folder, or remove it by --overwrite."
    )


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    found = []
    # The same pipeline may lie elsewhere today.
    if old["pipeline"]["sha256"] != new["pipeline"]["sha256"]:
        found.append(f"the pipeline {new['pipeline']['name']} has other content")
    for key, was, now in differing(*({k: each[k] for k in COMPARED} for each in (old, new))):
        found.append(f"{key} was {_shown(was)} and is {_shown(now)}")
    before, after = ({each["path"]: each for each in one["inputs"]} for one in (old, new))
    found += [f"{path} is no longer an input" for path in before if path not in after]
    found += [f"{path} is a new input" for path in after if path not in before]
    found += [
        f"{path} has other content"
        for path, each in after.items()
        if path in before and before[path]["sha256"] != each["sha256"]
    ]
    if not found and list(before) != list(after):
        found.append("the inputs have another order")
    return found


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _check_folder(output: Path) -> None:
    if not output.exists():
        return
    if not output.is_dir():
        raise ValueError(f"{output} is a file. Name a folder for the annotation.")
    found = {path.name for path in output.iterdir() if not is_draft(path)}
    if found - {LOCK} and MANIFEST not in found:
        raise ValueError(
            f"{output} holds other things than an annotation: {', '.join(sorted(found)[:5])}. "
            "Name a new folder."
        )


def _remove(output: Path) -> None:
    """Whenever this is stopped, the manifest says whose shards lie there, and none counts as done.

    Raises OSError if something cannot be removed.
    """
    manifest = _read_manifest(output)
    if manifest is None:
        return
    _write_manifest(output, {**manifest, "status": "stopped"})
    (output / WORK / JOURNAL).unlink(missing_ok=True)
    for folder in (WORK, PARTS):
        if (output / folder).exists():
            shutil.rmtree(output / folder)
    (output / ERRORS).unlink(missing_ok=True)
    (output / MANIFEST).unlink()


def _read_manifest(output: Path) -> dict[str, Any] | None:
    path = output / MANIFEST
    if not path.exists():
        return None
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest


def _write_manifest(output: Path, manifest: dict[str, Any]) -> None:
    with whole_file(output / MANIFEST) as file:
        content = json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"
        file.write(content.encode("utf-8"))


def _read_journal(path: Path) -> Sequence[Done]:
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        # Its writing was cut off: that shard is not done.
        with path.open("r+b") as file:
            file.truncate(sum(map(len, lines[:-1])))
        lines.pop()
    return [Done(**json.loads(line)) for line in lines]


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
