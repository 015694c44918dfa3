"""The names of numbered tags, where a data set says them: in its features, or in a file beside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import srsly

from spacy_bertcrf.corpora.dataset_configs import Described, choose_config, configs_of
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


def names_beside(path: Path, key: str, rows: Sequence[Mapping[str, Any]] = ()) -> Names | None:
    """Look for the names of a feature in the files beside a data file, or in the folder above: a
    description of the data set, or a list of labels with one for outside among them.

    path: the data file.
    key: the feature.
    rows: rows of the file, which tell of which config it is.

    Raises ValueError if names are in several configs alone, and nothing tells which is the file's.
    """
    unclear: ValueError | None = None
    for folder in dict.fromkeys([path.parent, path.parent.parent]):
        for file in _candidates(folder):
            try:
                found = _names_of_file(file, key, path, rows)
            except ValueError as err:
                unclear = unclear or ValueError(
                    f"{path}: {key!r} holds numbers, and {file} has {err}"
                )
                continue
            if found is not None:
                return found
    if unclear is not None:
        raise unclear
    return None


def is_description(path: Path) -> bool:
    """Whether a file says what the columns of the data beside it are, and holds none itself."""
    return path.name in _INFOS and bool(configs_of(_read(path)))


def _candidates(folder: Path) -> Iterator[Path]:
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return
    known = [path for path in files if path.name in _INFOS or path.name == "README.md"]
    maps = [path for path in files if _MAPS.fullmatch(path.name.lower())]
    yield from (path for path in [*known, *maps] if path.stat().st_size < _LARGEST)


def _names_of_file(
    file: Path, key: str, path: Path, rows: Sequence[Mapping[str, Any]]
) -> Names | None:
    description = _read(file)
    described = [
        Described(config, names, _columns(config.features))
        for config in configs_of(description)
        if (names := class_names(config.features).get(key)) and any(map(is_outside, names))
    ]
    if described:
        columns = set(chain.from_iterable(rows))
        highest = max((n for row in rows for n in _numbers(row.get(key))), default=-1)
        chosen = choose_config(described, path, file.parent, columns, highest)
        config = f", config {chosen.config.name}" if len(described) > 1 else ""
        return Names(chosen.names, f"from {file}{config}")
    is_info = file.name in _INFOS or file.name == "README.md"
    listed = None if is_info else _of_map(description)
    return Names(listed, f"from {file}") if listed and any(map(is_outside, listed)) else None


def _read(file: Path) -> Any:
    """What a description says; of a text with a label a line, a list of these; None of others."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.name == "README.md":
            match = _FRONT_MATTER.match(text)
            return match and srsly.yaml_loads(match[1])
        if file.suffix == ".txt":
            words = [line.strip() for line in text.splitlines() if line.strip()]
            return None if any(len(word.split()) > 1 for word in words) else words
        return json.loads(text)
    except (OSError, ValueError):
        return None


def _columns(features: Any) -> frozenset[str]:
    if isinstance(features, dict):
        return frozenset(features)
    named = (of.get("name") for of in features if isinstance(of, dict))
    return frozenset(str(name) for name in named)


def _numbers(value: Any) -> Iterator[int]:
    if isinstance(value, list):
        for one in value:
            yield from _numbers(one)
    elif (number := whole_number(value)) is not None:
        yield number


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
