"""Which text is given to whom."""

import hashlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from spacy_bertcrf.annotation.rows import Row
from spacy_bertcrf.corpora.formats.taught import ACCEPTED, OPEN, SKIPPED
from spacy_bertcrf.teaching.decisions import Decision, DecisionFile, Mark, check

# A tab that has shown no sign of life for so long is taken for closed.
LEASE_SECONDS = 600.0


class TakenError(Exception):
    """The text has been given to another tab."""


class UnknownTextError(Exception):
    """The queue has no such text."""


class Given(NamedTuple):
    """A text for a tab. key: its name in the queue. known: what was said of it before."""

    key: str
    row: Row
    known: Decision


class Counts(NamedTuple):
    """How many texts have been accepted, skipped, and not yet either."""

    accepted: int
    skipped: int
    left: int


class TeachingQueue:
    """Texts in an order, each given to one tab at a time, and what the tabs decide.

    rows: with texts that differ.
    file: what was decided before is not asked for again, and what was begun comes first.
    labels: those of the entities; what the file has beside them is known too.

    It may be called from several threads.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        file: DecisionFile,
        labels: Iterable[str],
        clock: Callable[[], float] = time.monotonic,
    ):
        said = [mark for one in file.last.values() for mark in (*one.entities, *one.rejected)]
        self.labels = tuple(dict.fromkeys([*labels, *(mark.label for mark in said)]))
        self._file = file
        self._clock = clock
        self._lock = threading.Lock()
        self._rows = {key_of(row): row for row in rows}
        # By the text's key. Tabs have lived through the restart of a service, or are closed.
        self._tabs = {key: (tab, clock()) for key, tab in file.tabs.items() if key in self._rows}
        begun = [key for key, row in self._rows.items() if self._is_begun(row)]
        self._waiting = deque(dict.fromkeys([*begun, *self._rows]))
        self._n = Counter(self._status(row) for row in self._rows.values())

    def next(self, tab: str) -> Given | None:
        """The text that a tab has, or else the next one; None if there is none."""
        with self._lock:
            while self._waiting and self._is_done(self._waiting[0]):
                self._waiting.popleft()
            own = [key for key, (holder, _) in self._tabs.items() if holder == tab]
            for key in chain(own, self._waiting):
                if not self._is_done(key) and self._may_have(tab, key):
                    return self._give(tab, key)
            return None

    def decide(
        self,
        tab: str,
        key: str,
        status: str,
        entities: Iterable[Mark],
        rejected: Iterable[Mark],
    ) -> Counts:
        """Keep what a tab says of a text; it is on the disk when this returns.

        Raises TakenError if another tab has it, UnknownTextError, ValueError for what is no
        decision, and OSError if it cannot be written.
        """
        with self._lock:
            row = self._row(key)
            decision = Decision(row.id, row.text or "", status, tuple(entities), tuple(rejected))
            if decision == self._file.last.get(decision.text) and self._is_done(key):
                return self._counts()  # its answer was lost, and it comes again
            if not self._may_have(tab, key) or (self._is_done(key) and key not in self._tabs):
                raise TakenError
            check(decision, self.labels)
            self._append(row, decision)
            if status == OPEN:
                self._hold(tab, key)
            else:
                self._tabs.pop(key, None)
            return self._counts()

    def reopen(self, tab: str, key: str) -> Given:
        """Take back that a text was accepted or skipped; what the tab has meanwhile comes next.

        Of the text is known then what was said of it before: suggestions that were accepted with it
        are suggestions again.

        Raises TakenError if another tab has it, and UnknownTextError.
        """
        with self._lock:
            row = self._row(key)
            if not self._may_have(tab, key):
                raise TakenError
            before = self._file.last.get(row.text or "")
            if before is not None and before.status != OPEN:
                nothing = before._replace(entities=(), rejected=())
                said = (
                    before
                    if before.status == SKIPPED
                    else self._file.begun.get(before.text, nothing)
                )
                self._append(row, said._replace(status=OPEN))
            self._waiting.appendleft(key)  # for another tab, should this one be closed
            for own in [own for own, (holder, _) in self._tabs.items() if holder == tab]:
                del self._tabs[own]
                if own != key:
                    self._waiting.appendleft(own)
            return self._give(tab, key)

    def is_alive(self, tab: str) -> None:
        """Note that a tab is still open."""
        with self._lock:
            for key, (holder, _) in list(self._tabs.items()):
                if holder == tab:
                    self._tabs[key] = tab, self._clock()

    def counts(self) -> Counts:
        """Of the texts of the queue."""
        with self._lock:
            return self._counts()

    def undecided(self) -> list[Row]:
        """The texts that are neither accepted nor skipped, nor given to anybody."""
        with self._lock:
            return [
                row
                for key, row in self._rows.items()
                if not self._is_done(key) and key not in self._tabs
            ]

    def add_labels(self, labels: Iterable[str]) -> None:
        """Let these labels be known too."""
        with self._lock:
            self.labels = tuple(dict.fromkeys((*self.labels, *labels)))

    def put_in_order(self, rows: Iterable[Row], labels: Iterable[str] = ()) -> None:
        """Let these texts come in this order, and after them what else is left.

        labels: to be known beside those that are.
        """
        self.add_labels(labels)
        with self._lock:
            first = [key_of(row) for row in rows]
            begun = [key for key in self._waiting if self._is_begun(self._rows[key])]
            keys = dict.fromkeys([*begun, *first, *self._waiting])
            self._waiting = deque(key for key in keys if key in self._rows)

    def _row(self, key: str) -> Row:
        if key not in self._rows:
            raise UnknownTextError
        return self._rows[key]

    def _hold(self, tab: str, key: str) -> None:
        self._tabs[key] = tab, self._clock()
        holders = {key: holder for key, (holder, _) in self._tabs.items()}
        if holders != self._file.tabs:
            self._file.note_tabs(holders)

    def _give(self, tab: str, key: str) -> Given:
        self._hold(tab, key)
        row = self._rows[key]
        known = self._file.last.get(row.text or "", Decision(row.id, row.text or "", OPEN))
        return Given(key, row, known)

    def _may_have(self, tab: str, key: str) -> bool:
        holder, since = self._tabs.get(key, (tab, 0.0))
        return holder == tab or self._clock() - since > LEASE_SECONDS

    def _status(self, row: Row) -> str | None:
        decision = self._file.last.get(row.text or "")
        return None if decision is None else decision.status

    def _is_begun(self, row: Row) -> bool:
        return self._status(row) == OPEN

    def _is_done(self, key: str) -> bool:
        return self._status(self._rows[key]) in (ACCEPTED, SKIPPED)

    def _append(self, row: Row, decision: Decision) -> None:
        before = self._status(row)
        self._file.append(decision)
        self._n[before] -= 1
        self._n[decision.status] += 1

    def _counts(self) -> Counts:
        n_accepted, n_skipped = self._n[ACCEPTED], self._n[SKIPPED]
        return Counts(n_accepted, n_skipped, len(self._rows) - n_accepted - n_skipped)


def key_of(row: Row) -> str:
    """The name of a text in the queue, which stays the same when a service is started again."""
    return hashlib.sha256((row.text or "").encode("utf-8")).hexdigest()[:24]
