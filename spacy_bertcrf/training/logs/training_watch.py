"""What goes through a pipeline while spaCy's training loop runs.

The loop tells a logger the losses, the step and the words at evaluations only. Between them a
logger that wants to know looks here.
"""

from collections import defaultdict
from collections.abc import Iterable
from time import perf_counter
from typing import Any

from spacy.language import Language
from spacy.training import Example

from spacy_bertcrf.models.resumable import State
from spacy_bertcrf.training.logs.dev_loss import LossScorer, Lossy


def watch_training(nlp: Language, dev_loss: bool) -> "TrainingWatch":
    """Watch `nlp.update` and `nlp.evaluate` until `release`. All who watch a pipeline share a
    watch, so that nothing is measured twice.

    dev_loss: take the losses of the trained components at each evaluation too.
    """
    watch = watch_of(nlp) or TrainingWatch(nlp)
    watch.n_watchers += 1
    watch.takes_dev_loss |= dev_loss
    return watch


def watch_of(nlp: Language) -> "TrainingWatch | None":
    """The watch of a pipeline that is watched."""
    owner = getattr(nlp.update, "__self__", None)
    return owner if isinstance(owner, TrainingWatch) else None


class TrainingWatch:
    """Counts what a pipeline is updated with. It changes nothing of it.

    losses: by key, the sums of all updates so far.
    words: the tokens of all updates so far.
    dev_losses: of the last evaluation, by component, as `dev_loss.mean_loss` gives them.
    """

    def __init__(self, nlp: Language):
        self.losses: dict[str, float] = defaultdict(float)
        self.words = 0
        self.dev_losses: dict[str, float] = {}
        self.n_watchers = 0
        self.takes_dev_loss = False
        self._nlp = nlp
        self._trained = nlp.pipe_names
        self._seconds = 0.0
        self._since: float | None = None
        self._update, self._evaluate = nlp.update, nlp.evaluate
        vars(nlp).update(update=self.update, evaluate=self.evaluate)

    @property
    def seconds(self) -> float:
        """The time of training, without that of evaluating and saving."""
        running = 0.0 if self._since is None else perf_counter() - self._since
        return self._seconds + running

    def update(self, examples: Iterable[Example], *args: Any, **settings: Any) -> dict[str, float]:
        """`nlp.update`, watched."""
        if self._since is None:
            self._since = perf_counter()
        examples = list(examples)
        before = {key: float(loss) for key, loss in (settings.get("losses") or {}).items()}
        losses = self._update(examples, *args, **settings)
        for key, loss in losses.items():
            self.losses[key] += float(loss) - before.get(key, 0.0)
        self.words += sum(map(len, examples))
        return losses

    def evaluate(self, examples: Iterable[Example], **settings: Any) -> dict[str, Any]:
        """`nlp.evaluate`, watched. The clock stands still until the next update."""
        self.stop_clock()
        # The training loop's evaluation has no settings.
        if settings or not self.takes_dev_loss:
            return self._evaluate(examples, **settings)
        scorer = LossScorer(self._nlp, self._trained)
        scores = self._evaluate(examples, scorer=scorer)
        self.dev_losses = scorer.losses
        return scores

    def stop_clock(self) -> None:
        """Let the clock stand still until the next update."""
        self._seconds, self._since = self.seconds, None

    @property
    def lossy(self) -> list[str]:
        """The components whose losses are taken at evaluations."""
        if not self.takes_dev_loss:
            return []
        return [name for name in self._trained if isinstance(self._nlp.get_pipe(name), Lossy)]

    def add(self, losses: dict[str, float], words: int) -> None:
        """Count what other processes learned from."""
        for key, loss in losses.items():
            self.losses[key] += loss
        self.words += words

    def training_state(self) -> State:
        """The counts."""
        return {"losses": dict(self.losses), "words": self.words, "seconds": self.seconds}

    def restore_training_state(self, state: State) -> None:
        """Count on from there."""
        self.losses = defaultdict(float, state["losses"])
        self.words = state["words"]
        self._seconds, self._since = state["seconds"], None

    def release(self) -> None:
        """Leave the pipeline as it was, when the last who watches it says so."""
        self.n_watchers -= 1
        if self.n_watchers == 0:
            del vars(self._nlp)["update"], vars(self._nlp)["evaluate"]
