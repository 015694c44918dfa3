"""The steps of a training, with the numbers of `spacy train`."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

from spacy.language import Language
from spacy.training import Example
from spacy.training.loop import create_evaluation_callback, subdivide_batch

from spacy_bertcrf.models.resumable import Resumable, State
from spacy_bertcrf.training.checkpoints.model_state import trained_components
from spacy_bertcrf.training.ranks import Ranks


class Steps:
    """Takes one step after the other, and knows when it was the last.

    training: the [training] block, resolved.
    dev_corpus: gives the examples that are evaluated on.

    n_taken: how many steps were taken.
    """

    def __init__(self, nlp: Language, training: dict[str, Any], dev_corpus: Callable, ranks: Ranks):
        self._nlp = nlp
        self._training = training
        self._dev_corpus = dev_corpus
        self._ranks = ranks
        self._optimizer = training["optimizer"]
        self._evaluate = create_evaluation_callback(nlp, dev_corpus, training["score_weights"])
        self.n_taken = 0
        self._results: list[tuple[float, int]] = []
        self._are_over = False
        self._losses: dict[str, float] = {}
        self._words = 0
        self._seconds_before = 0.0
        self._start = perf_counter()

    def take(
        self, epoch: int, batch: list[Example], is_last_batch: Callable[[], bool] = lambda: False
    ) -> tuple[dict[str, Any], bool | None]:
        """Learn from a batch; evaluate if it is time, and after the last step in any case.

        is_last_batch: whether no other comes after this one.

        Returns spaCy's info for loggers, and whether the pipeline was evaluated as better than
        ever; None if it was not evaluated.
        """
        step = self.n_taken
        if self._training["before_update"]:
            self._training["before_update"](self._nlp, {"step": step, "epoch": epoch})
        self._update(batch)
        self.n_taken += 1
        self._words += sum(map(len, batch))
        score, other_scores, is_best = None, None, None
        losses = self._losses
        is_due = step % self._training["eval_frequency"] == 0
        if is_due:
            score, other_scores, is_best = self._evaluated()
        # spaCy's loop ends here too, and has not evaluated what comes now.
        self._are_over = self._is_at_end()
        if not is_due and (self._are_over or is_last_batch()):
            score, other_scores, is_best = self._evaluated()
        info = {
            "epoch": epoch,
            "step": step,
            "score": score,
            "other_scores": other_scores,
            "losses": losses,
            "checkpoints": self._results,
            "seconds": int(self._seconds()),
            "words": self._words,
        }
        return info, is_best

    def are_over(self) -> bool:
        """Whether the last step was the last of all."""
        return self._are_over

    def _evaluated(self) -> tuple[float, dict[str, Any], bool]:
        with self._nlp.use_params(self._optimizer.averages or {}):
            score, other_scores = self._ranks.evaluate(self._nlp, self._dev_corpus, self._evaluate)
        self._results.append((score, self.n_taken - 1))
        self._losses = {}
        return score, other_scores, score == max(self._results)[0]

    def _is_at_end(self) -> bool:
        step = self.n_taken - 1
        _, best_step = max((score, -step) for score, step in self._results)
        patience, max_steps = self._training["patience"], self._training["max_steps"]
        is_out_of_patience = patience and step + best_step >= patience
        return bool(is_out_of_patience or (max_steps and step >= max_steps))

    def training_state(self) -> State:
        """How far the training is, and the scores so far, with those that are saved with the
        pipeline."""
        callback = self._training["before_update"]
        return {
            "n_taken": self.n_taken,
            "results": self._results,
            "losses": {key: float(loss) for key, loss in self._losses.items()},
            "words": self._words,
            "seconds": self._seconds(),
            "performance": self._nlp.meta.get("performance", {}),
            "before_update": (
                callback.training_state() if isinstance(callback, Resumable) else None
            ),
        }

    def restore_training_state(self, state: State) -> None:
        """Go on with the next step."""
        self.n_taken = state["n_taken"]
        self._results = [(score, step) for score, step in state["results"]]
        self._losses = dict(state["losses"])
        self._words = state["words"]
        self._seconds_before, self._start = state["seconds"], perf_counter()
        self._nlp.meta["performance"] = state["performance"]
        callback = self._training["before_update"]
        if isinstance(callback, Resumable):
            callback.restore_training_state(state["before_update"])

    def _update(self, batch: list[Example]) -> None:
        training, frozen = self._training, self._training["frozen_components"]
        parts = list(subdivide_batch(batch, training["accumulate_gradient"]))
        for i, part in enumerate(parts, 1):
            self._ranks.update(
                self._nlp,
                part,
                is_last=i == len(parts),
                drop=training["dropout"],
                losses=self._losses,
                sgd=False,
                exclude=frozen,
                annotates=training["annotating_components"],
            )
        with self._ranks.step(self._nlp, frozen):
            for pipe in trained_components(self._nlp, frozen).values():
                pipe.finish_update(self._optimizer)
        self._optimizer.step_schedules()

    def _seconds(self) -> float:
        return self._seconds_before + perf_counter() - self._start
