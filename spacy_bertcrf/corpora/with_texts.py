"""A training corpus with raw texts behind it."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Example


def with_texts(
    corpus: Callable[[Language], Iterable[Example]], texts: Path
) -> Callable[[Language], Iterator[Example]]:
    """A reader that gives the examples of another one, and after these raw texts: Docs of whose
    tokens nothing is known. Alone they teach nothing; a strategy such as
    `spacy-bertcrf.Distillation.v1` learns from them.

    corpus: another reader's block, such as `[corpora.train.corpus]`.
    texts: a `.spacy` file. What is annotated there is not looked at.

    Reading raises ValueError if the file does not exist.
    """

    def read(nlp: Language) -> Iterator[Example]:
        yield from corpus(nlp)
        if not Path(texts).is_file():
            raise ValueError(f"{texts}: there is no such file of raw texts.")
        for doc in DocBin().from_disk(texts).get_docs(nlp.vocab):
            words = [token.text for token in doc]
            spaces = [bool(token.whitespace_) for token in doc]
            first, second = (type(doc)(nlp.vocab, words, spaces) for _ in range(2))
            yield Example(first, second)

    return read
