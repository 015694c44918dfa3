"""The raw texts that a command trains with beside annotated ones."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from wasabi import msg

if TYPE_CHECKING:
    from spacy.language import Language


class RawTexts(NamedTuple):
    """What was taken of some files.

    path: the `.spacy` file with them. n_taken: how many there are.
    n_dev, n_train, n_repeated: how many were left out, for they are in the dev corpus, in the
        training corpus, or a second time in the files.
    """

    path: Path
    n_taken: int
    n_dev: int
    n_train: int
    n_repeated: int


def take_texts(
    names: Sequence[str],
    nlp: "Language",
    train: Iterable[str],
    dev: Iterable[str],
    path: Path,
    limit: int | None,
) -> RawTexts:
    """Write the texts of some files, tokenized, to a `.spacy` file, each once.

    train, dev: texts that are left out; but for white space they are the same.
    limit: how many are taken at most.

    Raises ValueError if a file cannot be read, and if no text is left.
    """
    from spacy.tokens import DocBin

    from spacy_bertcrf.cli.progress import counted
    from spacy_bertcrf.pretraining.texts import Texts, find_files

    known = {_bare(text): "train" for text in train} | {_bare(text): "dev" for text in dev}
    counts = dict.fromkeys(("dev", "train", "raw"), 0)
    docs = DocBin()
    texts = Texts(find_files(list(names)))
    for text in counted(texts, "Reading raw texts"):
        bare = _bare(text)
        where = known.setdefault(bare, "taken")
        if where == "taken":
            docs.add(nlp.make_doc(text.strip()))
            known[bare] = "raw"
            if len(docs) == limit:
                break
        else:
            counts[where] += 1
    for problem in texts.problems:
        msg.warn(problem)
    if not len(docs):
        raise ValueError(f"{', '.join(names)}: no text is left that is not in train or dev.")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")  # several processes may write it
    docs.to_disk(draft)
    draft.replace(path)
    return RawTexts(path, len(docs), counts["dev"], counts["train"], counts["raw"])


def texts_of(nlp: "Language", config: Any, corpus: str) -> list[str]:
    """The texts of a corpus of a config, by its name, as in `[training] dev_corpus`."""
    from spacy.util import resolve_dot_names

    (reader,) = resolve_dot_names(config, [corpus])
    return [example.reference.text for example in reader(nlp)]


def say_what_was_taken(taken: RawTexts) -> None:
    """Print how many texts there are, and why others were left out."""
    msg.info(
        f"{taken.n_taken:,} raw texts; left out: {taken.n_dev:,} that are in dev, "
        f"{taken.n_train:,} that are in train, {taken.n_repeated:,} repeated ones"
    )


def add_texts(config: Any, path: Path) -> None:
    """Let the training corpus of a config have raw texts behind it."""
    *outer, last = config["training"]["train_corpus"].split(".")
    block: Any = config
    for part in outer:
        block = block[part]
    block[last] = {
        "@readers": "spacy-bertcrf.with_texts.v1",
        "corpus": block[last],
        "texts": str(path),
    }


def _bare(text: str) -> str:
    return "".join(text.split())
