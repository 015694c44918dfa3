"""`python -m spacy bertcrf extend-vocab`: words that get a wordpiece of their own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.progress import working
from spacy_bertcrf.corpora.lines import read_lines

WORDS_SHOWN = 5


@bertcrf_app.command("extend-vocab")
def extend_vocab_cli(
    model: Annotated[str, typer.Argument(help="A model on the Hugging Face hub or its folder")],
    words: Annotated[Path, typer.Option(help="UTF-8 file with a word a line")],
    output: Annotated[Path, typer.Option(help="Folder to write the model to")],
    text: Annotated[
        list[str] | None,
        typer.Option(
            help="Files or globs of raw text to count wordpieces in  [default: the words]"
        ),
    ] = None,
) -> None:
    """Give words a wordpiece of their own, whose vector is the mean of their present ones'.

    They take the rows of [unusedN] first. In a pipeline whose tokens are single characters, a word
    of several is seen with alignment = "text" alone, and its tokens share one vector.
    """
    from spacy_bertcrf.pretraining.texts import Texts, find_files
    from spacy_bertcrf.pretraining.vocabulary_extension import WordInFile, extend_vocabulary

    try:
        read = [WordInFile(word, place) for word, place in _read_words(words)]
        if not read:
            raise ValueError(f"{words} holds no word.")
        texts = Texts(find_files(text)) if text else None
        with working("Extending the vocabulary"):
            done = extend_vocabulary(model, read, output, texts=texts)
    except (ValueError, OSError) as err:
        msg.fail("No model was written", str(err), exits=1)
    n_appended = len(done.added) - done.n_unused
    msg.text(f"New wordpieces: {len(done.added):,}")
    msg.text(f"  in rows of [unusedN]: {done.n_unused:,}")
    msg.text(f"  in other rows: {n_appended:,}")
    if done.known:
        msg.text(f"Wordpieces already: {len(done.known):,} ({_some(done.known)})")
    if done.repeated:
        places = _some([f"{word.word}, {word.place}" for word in done.repeated], "; ")
        msg.text(f"Given twice: {len(done.repeated):,} ({places})")
    where = "the text" if text else "the words"
    msg.text(
        f"Wordpieces for 100 characters of {where}: {done.before:.1f} before, {done.after:.1f} now"
    )
    msg.good(f"Wrote the model to {output}")


def _read_words(path: Path) -> Iterator[tuple[str, str]]:
    """Each word with its `file:line`. Raises ValueError for what is no list of words."""
    for number, line in enumerate(read_lines(path), start=1):
        place = f"{path}:{number}"
        if any(ord(char) < 32 and char != "\t" for char in line):
            raise ValueError(f"{place}: a control character; this is no list of words.")
        if word := line.strip():
            yield word, place


def _some(words: list[str], separator: str = ", ") -> str:
    more = "" if len(words) <= WORDS_SHOWN else f"{separator}…"
    return separator.join(words[:WORDS_SHOWN]) + more
