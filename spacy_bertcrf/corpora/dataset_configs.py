"""Which of several configs of a Hugging Face data set a file is of: their classes may have other
names, or another order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

_SPLIT = re.compile(r"[-_.]?(?:train|dev|valid|validation|eval|test)[-_.]?", re.IGNORECASE)
_SHOWN = 10


class Config(NamedTuple):
    """A config of a data set.

    name: its name; None where there is one alone, without a name.
    features: what a description says of its columns.
    files: the patterns of its data files, where a README has them.
    """

    name: str | None
    features: Any
    files: Sequence[str] = ()


class Described(NamedTuple):
    """A config with the names of the classes of a feature.

    columns: the names of all its features.
    """

    config: Config
    names: Sequence[str]
    columns: frozenset[str]


def configs_of(description: Any) -> list[Config]:
    """The configs in a description, as a README's front matter, `dataset_info.json` or
    `dataset_infos.json` have them."""
    found = list(_configs(description, None))
    listed = description.get("configs") if isinstance(description, dict) else None
    files = {
        str(one.get("config_name")): list(_patterns(one.get("data_files")))
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict)
    }
    return [config._replace(files=files.get(str(config.name), ())) for config in found]


def choose_config(
    described: Sequence[Described], path: Path, folder: Path, columns: set[str], highest: int
) -> Described:
    """Of configs in which a feature's classes have other names, the one that a file is of: by the
    patterns of its files, by the name of the file or its folder, else by the features.

    described: the configs that have the feature.
    path: the data file.
    folder: where the description is.
    columns: the columns of the file.
    highest: the highest number of a class in it.

    Raises ValueError if nothing tells.
    """
    names = {path.parent.name, path.stem, path.name.partition(".")[0]}
    names |= {_SPLIT.sub("", name) for name in names}
    known = {name.casefold() for name in names if name}
    inside = path.relative_to(folder).as_posix()
    ways: list[Callable[[Described], bool]] = [
        lambda one: any(fnmatchcase(inside, pattern) for pattern in one.config.files),
        lambda one: str(one.config.name).casefold() in known,
        lambda one: one.columns == columns and highest < len(one.names),
        lambda one: highest < len(one.names),
        lambda one: True,
    ]
    for fits in ways:
        found = list(filter(fits, described))
        if found and all(list(one.names) == list(found[0].names) for one in found):
            return found[0]
    shown = ", ".join(str(one.config.name) for one in described[:_SHOWN])
    more = f" and {len(described) - _SHOWN} more" if len(described) > _SHOWN else ""
    raise ValueError(
        f"{len(described)} configs, in which the tags have other names ({shown}{more}); nothing "
        "says which of them the data is of. Give the names of the right one, that of 0 first: "
        "--labels O,B-PER,I-PER,… or a file with one a line; or put the data in a folder that is "
        "named as its config."
    )


def _configs(value: Any, name: str | None) -> Iterator[Config]:
    if isinstance(value, list):
        for part in value:
            yield from _configs(part, name)
    elif isinstance(value, dict) and "features" in value:
        yield Config(value.get("config_name", name), value["features"])
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _configs(part, str(key))


def _patterns(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value.removeprefix("./")
    elif isinstance(value, list):
        for part in value:
            yield from _patterns(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            if key != "split":
                yield from _patterns(part)
