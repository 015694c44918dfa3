"""The version is that of setup.cfg wherever it is repeated."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("project.yml", r'^  version: "(.+)"$'),
        ("CITATION.cff", r"^version: (.+)$"),
        ("CHANGELOG.md", r"^## (\S+)"),
    ],
)
def test_one_version(file: str, pattern: str) -> None:
    """Someone who cites or reports a version would name another than the one that is installed."""
    assert first(pattern, file) == first(r"^version = (.+)$", "setup.cfg")


def first(pattern: str, file: str) -> str:
    found = re.search(pattern, (ROOT / file).read_text("utf8"), re.MULTILINE)
    assert found is not None, f"{file} names no version"
    return found[1]
