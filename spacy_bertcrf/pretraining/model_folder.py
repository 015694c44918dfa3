"""Folders with a Hugging Face model and its tokenizer, written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def check_output(output: Path) -> None:
    """Raise ValueError if something would be lost there that is no model."""
    if output.exists() and not output.is_dir():
        raise ValueError(f"Output {output} is a file; give the name of a folder.")
    if output.is_dir() and any(output.iterdir()) and not (output / "config.json").is_file():
        raise ValueError(
            f"Output folder {output} holds files and is no Hugging Face model, so it is not "
            "replaced; give an empty or new folder."
        )


def save_model(output: Path, model: Any, tokenizer: Any) -> None:
    """Write config, weights (safetensors) and tokenizer; a model that is there is replaced.

    Raises ValueError as `check_output`, OSError if it cannot be written.
    """
    check_output(output)
    with written_whole(output) as folder:
        model.save_pretrained(folder)
        save_tokenizer(folder, tokenizer)


def save_tokenizer(folder: Path, tokenizer: Any) -> None:
    """Write a tokenizer's files; of a fast WordPiece the vocab.txt too, which other programs read
    and transformers 5 does not write."""
    tokenizer.save_pretrained(folder)
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    path = folder / "vocab.txt"
    if not path.exists() and type(getattr(backend, "model", None)).__name__ == "WordPiece":
        ids = backend.get_vocab(with_added_tokens=False)
        path.write_text(
            "".join(f"{piece}\n" for piece in sorted(ids, key=ids.get)), "utf-8", newline="\n"
        )


@contextmanager
def written_whole(output: Path) -> Iterator[Path]:
    """A new folder beside `output`, which takes its place unless an error is raised."""
    # A link is followed: moving a folder onto it would replace the link itself.
    target = Path(os.path.realpath(output))
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
        draft, replaced = Path(temporary) / "model", Path(temporary) / "replaced"
        draft.mkdir()
        yield draft
        if target.exists():
            target.rename(replaced)
        try:
            draft.rename(target)
        except OSError:
            if replaced.exists():
                replaced.rename(target)
            raise
