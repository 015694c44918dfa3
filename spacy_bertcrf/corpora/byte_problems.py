"""Tells what the bytes of a text file show: another encoding, and what no text has."""

from spacy_bertcrf.corpora.problems import ProblemLog
from spacy_bertcrf.corpora.sources import Source

ENCODING = "Encoding"
INNER_MARK = "byte-order mark inside the file"
NUL = "NUL character"


def tell_bytes(source: Source, problems: ProblemLog) -> None:
    """Note the encoding that nobody named, and each line with a byte-order mark or a NUL in it.

    source: a file that is a text. Raises ValueError if its bytes are in another encoding.
    problems: log to add to.
    """
    for line in source.inner_marks():
        problems.add(INNER_MARK, line, "left out; two files were joined here")
    for line in source.nul_lines():
        problems.add(NUL, line, "kept; no text has any, and the file may be damaged here")
    if source.other_encoding is not None:
        what = f"{source.other_encoding}, for the bytes are no UTF-8 (--encoding to change)"
        problems.note(ENCODING, what)
