"""What a format is: recognised, read, and where it can, written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from spacy_bertcrf.corpora.counting import OffsetRule
from spacy_bertcrf.corpora.options import Options
from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.records import Record
from spacy_bertcrf.corpora.sources import Source
from spacy_bertcrf.corpora.writing import AnnotatedText

AGAINST = 0
OTHERWISE = 1
POSSIBLE = 2
LIKELY = 3
CERTAIN = 4

Writer = Callable[[Iterable[AnnotatedText], Path, Options, ProblemLog], None]


class Evidence(NamedTuple):
    """What a file shows for a format, or against it.

    what: a sentence's part that is printed: "every line has 'text' and 'label' triples".
    strength: CERTAIN where no other format looks so; LIKELY where it is most probably this one;
        POSSIBLE where anything of its kind could look so; OTHERWISE where it is this one if it is
        no other; AGAINST where it is not this one, which `--explain` shows.
    settings: what was deduced and is printed, by its name: {"tag scheme": "BIO"}.
    is_close: whether a file is nearly of this format: where none fits, the error says so.
    """

    what: str
    strength: int
    settings: Mapping[str, Any] = {}
    is_close: bool = False


class Format:
    """A format of annotated corpora. Subclasses say what is theirs and have no state.

    name: the name for `--format`.
    description: one line for the command line's help.
    lang: the language of such files, or None to guess it.
    options: the names of the options that it uses; another that is given is an error.
    offsets: how its offsets count, where it has texts with offsets; else None.
    pooled: whether its files are judged together when offsets are in question, for each is small.
    binary: whether it reads folders and files that are no texts.
    writes_folder: whether its writer writes a folder of files.
    writes_scores: whether its writer writes the probabilities of entities.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    lang: ClassVar[str | None] = None
    options: ClassVar[frozenset[str]] = frozenset()
    offsets: ClassVar[OffsetRule | None] = None
    pooled: ClassVar[bool] = False
    binary: ClassVar[bool] = False
    writes_folder: ClassVar[bool] = False
    writes_scores: ClassVar[bool] = False

    def recognise(self, source: Source, options: Options) -> Evidence | None:
        """Say what speaks for this format, or against it; None if nothing of it is seen.

        Looks at the beginning of the file, and raises nothing.
        """
        raise NotImplementedError

    def read(self, source: Source, options: Options, problems: ProblemLog) -> Iterable[Record]:
        """Read the records of a file, in its order; note in `problems` what cannot be read.

        Raises ValueError if the file as a whole cannot be read so, with what to do.
        """
        raise NotImplementedError

    def main_file(self, path: Path) -> Path | None:
        """The file to read in place of one that is read along with it, or itself if it is that one:
        of brat's x.txt, x.ann; or the folder that it describes. None for a file that is by itself.
        """
        return None

    @property
    def writer(self) -> Writer | None:
        """A function that writes texts to a file or folder, with the options, and a log for what
        the format cannot hold; None where the format is not written."""
        return None

    def files(self, folder: Path) -> Sequence[Path] | None:
        """The files of a folder that are a corpus in this format, or the folder itself; None if it
        shows no sign of it. Each other file is looked at by itself."""
        return None

    def is_beside(self, path: Path) -> bool:
        """Whether a file in the folder of such a corpus is known to hold no texts: settings, what a
        program keeps for itself."""
        return False
