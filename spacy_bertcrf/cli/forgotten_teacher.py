"""Saved pipelines without what only their training needed."""

from pathlib import Path
from typing import Any


def forget_teacher(pipeline: Path, before: Any, strategy: str) -> None:
    """Take a teacher, raw texts and weights to begin with out of the config of a saved pipeline,
    so that a later training does not look for them.

    before: the config without them. strategy: the name of the teacher's.
    """
    from spacy.util import load_config

    path = pipeline / "config.cfg"
    if not path.is_file():
        return
    saved = load_config(path)
    for component in saved["components"].values():
        (component.get("strategies") or {}).pop(strategy, None)
    saved["corpora"] = before["corpora"]
    saved["initialize"]["before_init"] = before["initialize"].get("before_init")
    draft = path.with_suffix(".tmp")
    saved.to_disk(draft)
    draft.replace(path)
