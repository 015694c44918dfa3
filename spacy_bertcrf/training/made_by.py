"""What trainings in a folder were made with, so that nobody takes them for others."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spacy.util import dot_to_object
from thinc.api import Config


def made_by(config: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """What trainings of a config are made with: its text, the overrides, and digests of the two
    corpora, of values that JSON has.

    Raises ValueError for a config that cannot be read.
    """
    text = config.read_text(encoding="utf8")
    blocks = Config().from_str(text, overrides=dict(overrides), interpolate=True)
    corpora = {
        f"{name} corpus": _digest(blocks, blocks.get("training", {}).get(f"{name}_corpus"))
        for name in ("train", "dev")
    }
    found = {"config": text, "override": dict(overrides), **corpora}
    return dict(json.loads(json.dumps(found, default=str)))


def require_same(folder: Path, known: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raise ValueError, with what is another, if a folder was made with something else."""
    changed = [name for name, value in asked.items() if known.get(name) != value]
    if changed:
        raise ValueError(f"{folder} is of another {', another '.join(changed)}. Name a new folder.")


def _digest(blocks: Config, name: str | None) -> str | None:
    """Of the files of a corpus, if the config names it and its reader has a path."""
    if name is None:
        return None
    path = Path(dot_to_object(blocks, name).get("path") or "")
    files = [path] if path.is_file() else sorted(path.rglob("*.spacy")) if path.name else []
    if not files:
        return None
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
