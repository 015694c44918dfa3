"""A whole training config as text, with a comment at each setting that was chosen."""

from collections.abc import Iterable, Mapping
from textwrap import wrap
from typing import Any

from spacy.language import Language
from spacy.util import CONFIG_SECTION_ORDER, load_config_from_str, load_model_from_config
from thinc.api import Config

from spacy_bertcrf.training.recipes.choices import Choice

WIDTH = 98  # of a comment, without its "# "


def write_config(base: str, choices: Iterable[Choice], about: Iterable[str]) -> str:
    """A config that `spacy train` takes, with all settings that have a default.

    base: a config that may lack these.
    choices: settings that replace those of the base, or are added.
    about: paragraphs that stand above all.

    Raises ValueError for a setting that spaCy or a factory refuses.
    """
    chosen = list(choices)
    config = load_config_from_str(base)
    for choice in chosen:
        _put(config, choice.key, choice.value)
    nlp: Language = load_model_from_config(config, auto_fill=True)
    return "\n".join([*_header(about), "", *_commented(nlp.config, chosen), ""])


def _put(config: Config, key: str, value: Any) -> None:
    *sections, name = key.split(".")
    block: dict[str, Any] = config
    for section in sections:
        block = block.setdefault(section, {})
    block[name] = dict(value) if isinstance(value, Mapping) else value


def _header(about: Iterable[str]) -> list[str]:
    return [line for paragraph in about for line in [*_comment(paragraph), "#"]][:-1]


def _commented(config: Config, choices: Iterable[Choice]) -> list[str]:
    reasons = {choice.key: choice.reason for choice in choices}
    blocks: dict[str, list[str]] = {}
    for line in config.to_str().strip().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
            blocks[section] = [*_comment(reasons.pop(section, "")), line]
        elif line:
            key = f"{section}.{line.split(' = ')[0]}"
            blocks[section] += [*_comment(reasons.pop(key, "")), line]
    assert not reasons, f"no such settings in the config: {', '.join(reasons)}"
    return [line for name in _in_order(list(blocks)) for line in [*blocks[name], ""]][:-1]


def _in_order(sections: list[str]) -> list[str]:
    """Each section with those inside of it behind it."""
    names = [*CONFIG_SECTION_ORDER, *sections]

    def place(section: str) -> list[int]:
        parts = section.split(".")
        return [names.index(".".join(parts[: n + 1])) for n in range(len(parts))]

    return sorted(sections, key=place)


def _comment(reason: str) -> list[str]:
    return [f"# {line}" for line in wrap(reason, WIDTH)]
