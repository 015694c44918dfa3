"""A MkDocs hook: adds the pages that are read from elsewhere, so that nothing is written twice.

README.md and its like become pages with their links turned; the reference is made from the entry
points in setup.cfg (each registered name by its docstring) and from the command line's own help.
"""

import json
import re
from collections.abc import Iterator
from configparser import ConfigParser
from functools import cache
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import click
import spacy
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from spacy.language import Language

from spacy_bertcrf.cli import bertcrf_app

ROOT = Path(__file__).parents[2]

REGISTRIES = {
    "spacy_factories": "Components",
    "spacy_architectures": "Architectures",
    "thinc_layers": "Sequence layers",
    "spacy_misc": "Strategies and averages",
    "thinc_optimizers": "Optimizers",
    "thinc_schedules": "Schedules",
    "spacy_bertcrf_formats": "Corpus formats",
}
"""Headings; a registry that is not among these is named as spaCy does."""

# Where the files of the root are shown on the site.
MIRRORED = {
    "README.md": "index.md",
    "README.zh.md": "zh/index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
PACKAGES = ("spacy_bertcrf.layers", "spacy_bertcrf.tagging")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Append the reference to the navigation."""
    assert config.nav is not None
    config.nav.append({"Reference": [{title: path} for path, title, _ in reference_pages()]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the made pages, and what they show."""
    for path, _, text in reference_pages():
        files.append(File.generated(config, path, content=text))
    for name, path in MIRRORED.items():
        text = turned_links((ROOT / name).read_text("utf8"), path)
        files.append(File.generated(config, path, content=text))
    for picture in sorted([*(ROOT / "assets").glob("*.svg"), *(ROOT / "assets").glob("*.png")]):
        path = f"assets/{picture.name}"
        files.append(File.generated(config, path, abs_src_path=str(picture)))
    return files


def turned_links(text: str, path: str) -> str:
    """A file of the root as the page `path`: its links lead to the pages of the site."""
    up = "../" * path.count("/")

    def turn(link: re.Match) -> str:
        target = link[1].removeprefix("docs/")
        return f"]({up}{MIRRORED.get(target, target)}"

    return re.sub(r"\]\((?!https?:|#)([^)#\s]+)", turn, text)


@cache
def reference_pages() -> list[tuple[str, str, str]]:
    """Path, title and Markdown of each page of the reference."""
    return list(_reference_pages())


def _reference_pages() -> Iterator[tuple[str, str, str]]:
    setup = ConfigParser()
    setup.optionxform = str  # names keep their capitals
    setup.read(ROOT / "setup.cfg", encoding="utf8")
    entry_points = setup["options.entry_points"]
    for group in entry_points:
        if group != "spacy_cli":
            registry = group.partition("_")[2]
            title = REGISTRIES.get(group, registry.replace("_", " ").capitalize())
            yield (
                f"reference/{registry}.md",
                title,
                _registry_page(title, registry, entry_points[group]),
            )
    yield "reference/commands.md", "Commands", _commands_page()
    for package in PACKAGES:
        name = package.rpartition(".")[2]
        yield f"reference/python-{name}.md", f"Python: {name}", _package_page(package)


def _registry_page(title: str, registry: str, registered: str) -> str:
    parts = [f"# {title}"]
    lines = [line for line in registered.splitlines() if line]
    if title == REGISTRIES["spacy_bertcrf_formats"]:
        parts += [_formats_table(dict(_entry(line) for line in lines))]
    for line in lines:
        name, place = _entry(line)
        shown = [_use(title, registry, name, place), f"::: {place.replace(':', '.')}"]
        parts += [f"## `{name}` {{#{name}}}", *shown]
        if title == "Components":
            parts += [_component(name)]
    return "\n\n".join(parts)


def _entry(line: str) -> tuple[str, str]:
    """The name and the place of an entry point."""
    name, _, place = (part.strip() for part in line.partition("="))
    return name, place


def _formats_table(places: dict[str, str]) -> str:
    """What is read and written, from the formats themselves."""
    head = "All are read by `convert`; those that are written, by `export`."
    rows = ["| format | | written | options of `convert` |", "|---|---|---|---|"]
    for name, place in sorted(places.items()):
        made = _imported(place)()
        written = "" if made.writer is None else "a folder" if made.writes_folder else "yes"
        if made.writes_scores:
            written += ", with probabilities"
        options = ", ".join(f"`--{option.replace('_', '-')}`" for option in sorted(made.options))
        rows.append(f"| [`{name}`](#{name}) | {_cell(made.description)} | {written} | {options} |")
    return "\n\n".join([head, "\n".join(rows)])


def _use(title: str, registry: str, name: str, place: str) -> str:
    """How a registered name is given: as a block of a config, or to `convert`."""
    if title == REGISTRIES["spacy_bertcrf_formats"]:
        return f"`convert --format {name}`: {_imported(place)().description}"
    return _block(
        f'factory = "{name}"' if title == "Components" else f'@{registry} = "{name}"', place
    )


def _block(key: str, place: str) -> str:
    """What a config may say of a registered function, with its defaults."""
    parameters = signature(_imported(place)).parameters.values()
    defaults = {parameter.name: parameter.default for parameter in parameters}
    if key.startswith("factory"):
        defaults = Language.get_factory_meta(key.split('"')[1]).default_config
    lines = [f"{name} = {_as_json(value)}" for name, value in defaults.items()]
    return "\n".join(["```ini", key, *lines, "```"])


def _as_json(value: Any) -> str:
    return "…" if value is Parameter.empty else json.dumps(value, default=str)


def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _component(factory: str) -> str:
    """The public methods of the component that a factory returns."""
    made = type(spacy.blank("xx").create_pipe(factory))
    options = "    options:\n      members: null\n      inherited_members: true"
    options += '\n      filters: ["!^_"]\n      members_order: source'
    return f"### In Python\n\n::: {made.__module__}.{made.__qualname__}\n{options}"


def _package_page(package: str) -> str:
    module = import_module(package)
    parts = [f"# {package}", module.__doc__ or ""]
    for name in sorted(module.__all__, key=str.lower):
        shown = getattr(module, name)
        if hasattr(shown, "__qualname__"):
            parts += [f"## `{name}`", f"::: {shown.__module__}.{shown.__qualname__}"]
    return "\n\n".join(parts)


def _commands_page() -> str:
    group = typer.main.get_command(bertcrf_app)
    parts = ["# Commands", "Each is `python -m spacy bertcrf NAME`; `--help` prints the same."]
    for name, command in sorted(group.commands.items()):
        context = command.make_context(
            f"python -m spacy bertcrf {name}", [], resilient_parsing=True
        )
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        parts += [f"## `{name}` {{#{name}}}", command.help or "", f"```text\n{usage}\n```"]
        parts += [_table(command, context)]
    return "\n\n".join(parts)


def _table(command: click.Command, context: click.Context) -> str:
    records = (parameter.get_help_record(context) for parameter in command.params)
    rows = [(name, text) for name, text in filter(None, records) if not name.startswith("--help")]
    cells = (f"| `{name}` | {_cell(text)} |" for name, text in rows)
    return "\n".join(["| | |", "|---|---|", *cells])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
