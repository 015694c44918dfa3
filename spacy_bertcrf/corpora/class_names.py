"""The names of numbered tags, where a data set says them: in its features, or in a file beside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import srsly

from spacy_bertcrf.corpora.json_mentions import whole_number
from spacy_bertcrf.corpora.tagged_tokens import is_outside

_INFOS = ("dataset_info.json", "dataset_infos.json", "state.json")
_MAPS = re.compile(
    r"(id2|ner_|tag_|bio_)?(label|tag|classe)s?(2id|_map|_?names|_list|_to_id)?\.(json|txt)"
)
_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*$", re.DOTALL | re.MULTILINE)
_LARGEST = 1_000_000


class Names(NamedTuple):
    """names: the name of each number, from 0. origin: where they are from, to print."""

    names: Sequence[str]
    origin: str


def class_names(features: Any) -> dict[str, list[str]]:
    """The class names in the features of a Hugging Face data set, by the name of the feature.

    features: as `dataset_info.json`, the metadata of a Parquet file, the data set viewer or a
        README's front matter have them; anything else gives no names.
    """
    if isinstance(features, list):
        named = [(of.get("name"), of) for of in features if isinstance(of, dict)]
    elif isinstance(features, dict):
        named = list(features.items())
    else:
        return {}
    found = {str(name): _names_in(feature) for name, feature in named if name is not None}
    return {name: names for name, names in found.items() if names}


def names_beside(path: Path, key: str) -> Names | None:
    """Look for the names of a feature in the files beside a data file, or in the folder above: a
    description of the data set, or a list of labels with one for outside among them.

    path: the data file.
    key: the feature.
    """
    for folder in dict.fromkeys([path.parent, path.parent.parent]):
        for file in _candidates(folder):
            names = _names_of_file(file, key)
            if names and any(map(is_outside, names)):
                return Names(names, f"from {file}")
    return None


def _candidates(folder: Path) -> Iterator[Path]:
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return
    known = [path for path in files if path.name in _INFOS or path.name == "README.md"]
    maps = [path for path in files if _MAPS.fullmatch(path.name.lower())]
    yield from (path for path in [*known, *maps] if path.stat().st_size < _LARGEST)


def _names_of_file(path: Path, key: str) -> list[str] | None:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.name == "README.md":
            return _of_readme(text, key)
        if path.suffix == ".txt":
            lines = [line.strip() for line in text.splitlines()]
            words = [line for line in lines if line]
            return None if any(len(word.split()) > 1 for word in words) else _checked(words)
        found = json.loads(text)
    except (OSError, ValueError):
        return None
    return _of_infos(found, key) or (None if path.name in _INFOS else _of_map(found))


def _of_readme(text: str, key: str) -> list[str] | None:
    match = _FRONT_MATTER.match(text)
    if match is None:
        return None
    return _of_infos(srsly.yaml_loads(match[1]), key)


def _of_infos(value: Any, key: str) -> list[str] | None:
    """The names of a feature in a description, or in the first of several that has it."""
    if isinstance(value, dict):
        found = class_names(value.get("features")).get(key)
        parts: Any = value.values()
    else:
        found, parts = None, value if isinstance(value, list) else ()
    for part in parts:
        if found:
            break
        if isinstance(part, dict | list):
            found = _of_infos(part, key)
    return found


def _of_map(value: Any) -> list[str] | None:
    """A list of names, or an object from names to numbers or from numbers to names."""
    if isinstance(value, dict):
        return _by_number(value) or _by_number({number: name for name, number in _pairs(value)})
    return _checked(value) if isinstance(value, list) else None


def _pairs(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, number) for name, number in value.items() if isinstance(number, int | str)]


def _names_in(feature: Any) -> list[str] | None:
    if isinstance(feature, list):
        return next((names for part in feature if (names := _names_in(part))), None)
    if not isinstance(feature, dict):
        return None
    names = feature.get("names")
    if isinstance(names, list):
        return _checked(names)
    if isinstance(names, dict):
        return _by_number(names)
    return next((names for part in feature.values() if (names := _names_in(part))), None)


def _by_number(value: Mapping[Any, Any]) -> list[str] | None:
    numbers = {whole_number(number): name for number, name in value.items()}
    if not numbers or set(numbers) != set(range(len(numbers))):
        return None
    return _checked([numbers[number] for number in range(len(numbers))])


def _checked(names: Sequence[Any]) -> list[str] | None:
    good = bool(names) and all(isinstance(name, str) and name for name in names)
    return list(names) if good and len(set(names)) == len(names) else None
