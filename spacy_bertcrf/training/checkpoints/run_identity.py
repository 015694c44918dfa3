"""What must be the same for a training to be resumed."""

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spacy.language import Language
from thinc.api import get_current_ops

from spacy_bertcrf.models.resumable import State
from spacy_bertcrf.training.logs.log_records import installed_versions

CHUNK = 1 << 22  # bytes


def run_identity(nlp: Language, n_processes: int) -> State:
    """The config, the corpora, the versions, the processes and the device of a training.

    Corpora are the files, and the files of folders, that the config names in [corpora]; those in
    [initialize] count too: labels, vectors, a pipeline to begin with.
    """
    config = nlp.config.interpolate()
    return {
        "config": json.loads(json.dumps(config)),
        "content": {
            key: content_digest(Path(value))
            for block in ("corpora", "initialize")
            for key, value in _flat(config.get(block, {}), block)
            if isinstance(value, str) and value and Path(value).exists()
        },
        "versions": {
            "python": platform.python_version(),
            **installed_versions("numpy"),
        },
        "n_processes": n_processes,
        "device": get_current_ops().device_type,
    }


def differences(old: State, new: State) -> list[str]:
    """What differs, as sentences can list it."""
    found = [
        f"{key} was {_shown(was)} and is {_shown(now)}"
        for key, was, now in differing(old["config"], new["config"])
    ]
    found += [
        f"what {key} names has other content" if was and now else f"{key} names other files"
        for key, was, now in differing(old["content"], new["content"])
    ]
    found += [
        f"the version of {package} was {was or 'none'} and is {now or 'none'}"
        for package, was, now in differing(old["versions"], new["versions"])
    ]
    for key, name in (("n_processes", "the number of processes"), ("device", "the device")):
        if old[key] != new[key]:
            found.append(f"{name} was {old[key]} and is {new[key]}")
    return found


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """The keys whose values differ, those of inner mappings joined by dots; with both values, None
    where there is no such key."""
    before, now = dict(_flat(old)), dict(_flat(new))
    keys = [*before, *(key for key in now if key not in before)]
    return [
        (key, before.get(key), now.get(key))
        for key in keys
        if key not in before or key not in now or before[key] != now[key]
    ]


def content_digest(path: Path) -> str:
    """The SHA-256 of a file, or of the files in a folder with their names; of a Python package
    without what Python compiles of it."""
    hashed = hashlib.sha256()
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        if not file.is_file() or "__pycache__" in file.parts:
            continue
        hashed.update(f"{file.relative_to(path)}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as opened:
            while chunk := opened.read(CHUNK):
                hashed.update(chunk)
    return hashed.hexdigest()


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict):
            yield from _flat(value, name)
        else:
            yield name, value


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
