"""What an annotator decides, and the file that keeps it."""

import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from filelock import FileLock, Timeout

from spacy_bertcrf.annotation.results import json_line
from spacy_bertcrf.annotation.whole_file import whole_file
from spacy_bertcrf.corpora.formats.taught import NAME, OPEN, STATUSES


class Mark(NamedTuple):
    """A labelled span of a text, in characters, end exclusive."""

    start: int
    end: int
    label: str


class Decision(NamedTuple):
    """What is known of a text.

    status: "accepted": it has these entities and no others; "open" or "skipped": the entities are
        what was said of it, and of the rest nothing is known.
    rejected: spans that are known to be no such entities.
    """

    id: str
    text: str
    status: str
    entities: tuple[Mark, ...] = ()
    rejected: tuple[Mark, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """A line of the file."""
        return {
            "format": NAME,
            "id": self.id,
            "text": self.text,
            "status": self.status,
            "entities": self._spans(self.entities),
            "rejected": self._spans(self.rejected),
            "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }

    def _spans(self, marks: Iterable[Mark]) -> list[dict[str, Any]]:
        return [{**mark._asdict(), "text": self.text[mark.start : mark.end]} for mark in marks]


def check(decision: Decision, labels: Iterable[str]) -> None:
    """Raise ValueError for a decision that is none: a span outside of the text or of blanks, a
    label that is not among these, entities that overlap, one that is also rejected."""
    known = set(labels)
    if decision.status not in STATUSES:
        raise ValueError(f"The status is {decision.status!r}, not one of {', '.join(STATUSES)}.")
    for mark in (*decision.entities, *decision.rejected):
        if not 0 <= mark.start < mark.end <= len(decision.text):
            raise ValueError(f"{tuple(mark)} lies outside of the text.")
        surface = decision.text[mark.start : mark.end]
        if surface != surface.strip():
            raise ValueError(f"{tuple(mark)} begins or ends with a space.")
        if mark.label not in known:
            raise ValueError(f"There is no label '{mark.label}', only {', '.join(sorted(known))}.")
    end = 0
    for mark in sorted(decision.entities):
        if mark.start < end:
            raise ValueError(f"{tuple(mark)} overlaps another entity.")
        end = mark.end
    both = set(decision.entities) & set(decision.rejected)
    if both:
        raise ValueError(f"{tuple(min(both))} is both an entity and none.")


class DecisionFile:
    """A file of JSON lines, each on the disk before `append` returns.

    path: made if it is not there. No other process may write to it meanwhile.

    last: what is known of each text that is in it, by the text.
    begun: what was known of it when it was last open.
    tabs: which tab had which text when the service ended, by the text's key; in a file beside it.
    cut_off: what was taken off the end of the file, a line that a crash had left unfinished.

    Raises ValueError if the file holds something else, which is left as it is, or another process
    writes to it.
    """

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(f"{path}.lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ValueError(f"Another service writes to {path}. Give another file.") from None
        try:
            is_new = not path.exists()
            self._file: BinaryIO = path.open("ab+", buffering=0)
            if is_new:
                _sync_folder(path.parent)
            self.last: dict[str, Decision] = {}
            self.begun: dict[str, Decision] = {}
            self.cut_off = self._read()
            self.tabs = self._known_tabs()
        except BaseException:
            self._lock.release()
            raise

    def append(self, decision: Decision) -> None:
        """Write a line. Raises OSError if that fails, and nothing is known of it then."""
        line = json_line(decision.as_json())
        size = os.fstat(self._file.fileno()).st_size
        try:
            written = self._file.write(line)
            if written != len(line):
                raise OSError(f"{self.path}: only {written} of {len(line)} bytes could be written")
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(size)
            raise
        self._note(decision)

    def note_tabs(self, tabs: Mapping[str, str]) -> None:
        """Keep who has which text, for the next service."""
        self.tabs = dict(tabs)
        with whole_file(self._tabs_path) as file:
            file.write(json.dumps(self.tabs).encode())

    def close(self) -> None:
        """Let others write to the file."""
        self._file.close()
        self._lock.release()

    @property
    def _tabs_path(self) -> Path:
        return Path(f"{self.path}.tabs")

    def _known_tabs(self) -> dict[str, str]:
        try:
            found = json.loads(self._tabs_path.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}  # without it a tab that is open is given another text, and no more
        return found if isinstance(found, dict) else {}

    def _read(self) -> str | None:
        """Note what the file says. Returns what was taken off its end."""
        self._file.seek(0)
        *lines, end = self._file.read().split(b"\n")
        for number, line in enumerate(lines, start=1):
            if line.strip():
                self._note(self._decided(number, line))
        if not end:
            return None
        if _is_torn(end):
            self._file.truncate(os.fstat(self._file.fileno()).st_size - len(end))
            return end.decode("utf-8", "replace")
        self._note(self._decided(len(lines) + 1, end))
        self._file.write(b"\n")  # which an editor has left out
        return None

    def _decided(self, number: int, line: bytes) -> Decision:
        try:
            value = json.loads(line)
            if value["format"] != NAME:
                raise ValueError(f"it is of {value['format']!r}")
            return _decision(value)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self.path}, line {number} is no decision of an annotator ({error!r}). Give "
                "a file that this command has written, or a new one."
            ) from error

    def _note(self, decision: Decision) -> None:
        self.last[decision.text] = decision
        if decision.status == OPEN:
            self.begun[decision.text] = decision


def _is_torn(line: bytes) -> bool:
    """Whether a line is the beginning of a decision, or the zeros that a loss of power leaves."""
    begin = json_line({"format": NAME})[: -len(b"}\n")]
    if not line.strip(b"\0"):
        return True
    try:
        json.loads(line)
    except ValueError:
        return line.startswith(begin[: len(line)])
    return False


def _decision(value: Mapping[str, Any]) -> Decision:
    entities, rejected = (
        tuple(Mark(span["start"], span["end"], span["label"]) for span in value[key])
        for key in ("entities", "rejected")
    )
    return Decision(value["id"], value["text"], value["status"], entities, rejected)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
