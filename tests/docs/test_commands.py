"""The blocks of README and the guides that are marked `<!-- run -->` do what they say."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MARKED = re.compile(r"<!-- run -->\n```(bash|python)\n(.*?)```", re.DOTALL)
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = {str(page.relative_to(ROOT)): MARKED.findall(page.read_text("utf8")) for page in PAGES}
MAKE = ["mkdir", "-p"]
# What a reader would have at hand.
GIVEN = {"text": "王小明在北京大学工作。", "texts": ["王小明在北京大学工作。"] * 3}


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page, blocks in BLOCKS.items() if blocks])
def test_marked_blocks_run(
    page: str,
    readers_folder: Path,
    run_command: Callable[[list[str]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reader would copy a command that has gone stale."""
    monkeypatch.chdir(readers_folder)
    names = dict(GIVEN)
    for language, block in BLOCKS[page]:
        if language == "python":
            exec(compile(block, page, "exec"), names)
        else:
            for arguments in commands(block):
                if arguments[:2] == MAKE:
                    for folder in arguments[2:]:
                        Path(folder).mkdir(exist_ok=True, parents=True)
                else:
                    run_command(arguments)


def commands(block: str) -> list[list[str]]:
    """The arguments of each `python -m spacy …` of a block; folders that are made, whole."""
    lines = block.replace("\\\n", " ").splitlines()
    typed = [words for line in lines if (words := shlex.split(line, comments=True))]
    assert all(words[:3] == ["python", "-m", "spacy"] or words[:2] == MAKE for words in typed), (
        block
    )
    return [words if words[:2] == MAKE else words[3:] for words in typed]


def test_every_mark_has_a_block_that_can_be_run() -> None:
    """A mark over a block of another kind would be passed over in silence."""
    for page in PAGES:
        n_marks = page.read_text("utf8").count("<!-- run -->\n")
        assert n_marks == len(BLOCKS[str(page.relative_to(ROOT))]), page
