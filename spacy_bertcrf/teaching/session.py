"""A pipeline that is taught: its queue, and the trainings on what was said."""

from collections.abc import Callable, Sequence
from pathlib import Path

from spacy import load
from spacy.language import Language

from spacy_bertcrf.annotation.rows import Row
from spacy_bertcrf.teaching.decisions import DecisionFile
from spacy_bertcrf.teaching.ordering import Ordered, in_teaching_order
from spacy_bertcrf.teaching.queue import TeachingQueue
from spacy_bertcrf.teaching.ranking import DEFAULT
from spacy_bertcrf.teaching.retraining import Retraining

Swap = Callable[[Language], object]
"""Lets a service read texts with another pipeline."""


class Teaching:
    """What annotators and a service share.

    nlp: the pipeline to begin with; its texts are ordered here, before anybody else uses it.
    rows: the texts, with different ones each.
    file: the decisions.
    labels: those beside the pipeline's.
    by: how texts are ordered, a key of RANKINGS; None for the order that they have.
    tell: as in `in_teaching_order`.

    failed: rows that the pipeline cannot read, with the reasons. They come last, for an annotator
        can.

    Raises ValueError if texts are to be ordered and the pipeline has no `bertcrf`.
    """

    def __init__(
        self,
        nlp: Language,
        rows: Sequence[Row],
        file: DecisionFile,
        *,
        labels: Sequence[str] = (),
        by: str | None = DEFAULT,
        tell: Callable[[int], object] | None = None,
    ):
        self._by = by
        self._file = file
        self._swap: Swap | None = None
        self._is_closed = False
        self.retraining: Retraining | None = None
        self.queue = TeachingQueue(rows, file, [*labels_of(nlp), *labels])
        self.failed = self._order(nlp, tell).failed

    def train_with(self, config: Path, folder: Path, lang: str, gpu_id: int = -1) -> None:
        """Let trainings be started. Raises ValueError if the config is none."""
        self.retraining = Retraining(config, folder, self._file.path, lang, self._use, gpu_id)

    def read_by(self, swap: Swap) -> None:
        """Say what is to be called with a newly trained pipeline."""
        self._swap = swap

    def close(self) -> None:
        """End a training, and let others write to the file."""
        self._is_closed = True
        if self.retraining is not None:
            self.retraining.stop()
        self._file.close()

    def _use(self, folder: Path) -> None:
        """Order what is left by a new pipeline, and have texts read by it."""
        nlp = load(folder)
        self._order(nlp, self._go_on)
        if self._swap is not None:
            self._swap(nlp)

    def _go_on(self, _: int) -> None:
        if self._is_closed:  # who ends the service would wait until the last text is read
            raise ValueError("The service ends.")

    def _order(self, nlp: Language, tell: Callable[[int], object] | None = None) -> Ordered:
        rows = self.queue.undecided()
        ordered = Ordered(rows, [], [])
        if self._by is not None:
            ordered = in_teaching_order(nlp, rows, by=self._by, tell=tell)
        self.queue.put_in_order(ordered.rows, labels_of(nlp))
        return ordered


def labels_of(nlp: Language) -> list[str]:
    """The labels of what a pipeline's components write to doc.ents."""
    found: dict[str, None] = {}
    for name, labels in nlp.pipe_labels.items():
        if "doc.ents" in nlp.get_pipe_meta(name).assigns:
            found.update(dict.fromkeys(labels))
    return list(found)
