"""Folders of Hugging Face's data sets: which files are the data, and of which split each is."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spacy_bertcrf.corpora.sources import files_in

TABLES = (".parquet", ".pq", ".arrow", ".feather")

_STATE = "state.json"
_SPLITS = "dataset_dict.json"
_INFO = "dataset_info.json"
_SHARD = re.compile(r"(?:(.+?)-)?\d{3,}(?:-of-\d{3,})?(?:-[0-9a-f]+)?")
_SPLIT = re.compile(r"(?:.*[-_.])?(train|dev|valid|validation|eval|test)", re.IGNORECASE)
# What lies beside the data and is none: descriptions, marks of Spark, what `map` has kept.
_BESIDE = re.compile(
    r"README.*|LICEN[CS]E.*|dataset_infos?\.json|state\.json|dataset_dict\.json|_.*|.*\.(py|lock)"
    r"|(cache|tmp).*\.arrow",
    re.IGNORECASE,
)


def data_files(folder: Path) -> Sequence[Path] | None:
    """The data of a folder that `save_to_disk` wrote, of one split or several; or all tables in a
    folder that holds no other files but descriptions. None if it is neither.

    Raises ValueError if a split or file is missing, or if rows were chosen by a list of indices.
    """
    if (folder / _SPLITS).is_file():
        splits = [folder / name for name in _read(folder / _SPLITS).get("splits", ())]
        gone = [split.name for split in splits if not (split / _STATE).is_file()]
        if gone:
            raise ValueError(f"{folder / _SPLITS} names {', '.join(gone)}, which is not there.")
        return [file for split in splits for file in _of_state(split)]
    if (folder / _STATE).is_file():
        return _of_state(folder)
    files = files_in(folder)
    tables = [path for path in files if path.suffix.lower() in TABLES and not is_beside(path)]
    return tables if tables and all(map(is_beside, set(files) - set(tables))) else None


def is_beside(path: Path) -> bool:
    """Whether a file beside data is none, by its name."""
    return _BESIDE.fullmatch(path.name) is not None


def folder_of(path: Path) -> Path | None:
    """The folder that a file describes which `save_to_disk` wrote beside the data; None if it is no
    such file."""
    described = {
        _STATE: True,
        _SPLITS: True,
        _INFO: (path.parent / _STATE).is_file(),
    }
    return path.parent if described.get(path.name) and path.is_file() else None


def split_of(path: Path) -> str | None:
    """The split of a data file, by its folder or name; None if neither says it."""
    folder = path.parent
    if (folder / _STATE).is_file():
        if (folder.parent / _SPLITS).is_file():
            return folder.name
        split = _read(folder / _STATE).get("_split")
        return split if isinstance(split, str) else None
    shard = _SHARD.fullmatch(path.stem)
    name = _SPLIT.fullmatch(path.stem if shard is None else shard[1] or folder.name)
    return name and name[0]


def _of_state(folder: Path) -> list[Path]:
    state = _read(folder / _STATE)
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise ValueError(
            f"{folder}: its rows are chosen by a list of indices, which is not read. Save it again "
            "with flatten_indices()."
        )
    files = [
        folder / str(of["filename"]) for of in state.get("_data_files", ()) if "filename" in of
    ]
    gone = [file.name for file in files if not file.is_file()]
    if gone or not files:
        raise ValueError(f"{folder / _STATE} names {', '.join(gone) or 'no file'}: not there.")
    return files


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from None
    return found if isinstance(found, dict) else {}
