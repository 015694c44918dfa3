"""The state of an optimizer for a checkpoint: thinc's own, or one that is `Resumable`."""

from collections.abc import Callable, Mapping
from typing import Any

from thinc.api import Optimizer

from spacy_bertcrf.models.bridge.trained_parameters import Key
from spacy_bertcrf.models.resumable import NotResumableError, Resumable, State

TABLES = ("mom1", "mom2", "averages", "nr_update", "last_seen", "n_averaged")
SETTINGS = ("learn_rate", "grad_clip", "b1", "b2", "eps", "L2")


class OptimizerState:
    """The state of an optimizer.

    names: gives names of parameters that are the same in every process, by the optimizer's keys.
    n_steps: gives the number of steps that were taken.

    Raises NotResumableError for an optimizer that is neither thinc's own nor a Resumable.
    """

    def __init__(
        self, optimizer: Any, names: Callable[[], Mapping[Key, str]], n_steps: Callable[[], int]
    ):
        if type(optimizer) is not Optimizer and not isinstance(optimizer, Resumable):
            raise NotResumableError(
                f"The optimizer is a {type(optimizer).__name__}, of which it is not known what a "
                "checkpoint has to hold. Give it the methods training_state and "
                "restore_training_state (spacy_bertcrf.models.resumable.Resumable), take "
                "another, or train by `spacy train`."
            )
        self._optimizer = optimizer
        self._names = names
        self._n_steps = n_steps

    def training_state(self) -> State:
        """By parameter, and the rest.

        Raises NotResumableError if the optimizer was given parameters of which nobody knows.
        """
        names = self._names()
        tables = {
            table: {_name(key, names): value for key, value in values.items()}
            for table in TABLES
            if (values := getattr(self._optimizer, table, None)) is not None
        }
        if isinstance(self._optimizer, Resumable):
            return {"tables": tables, "own": self._optimizer.training_state()}
        settings = {name: float(getattr(self._optimizer, name)) for name in SETTINGS}
        return {"tables": tables, "settings": settings, "radam": self._optimizer._radam_buffer}

    def restore_training_state(self, state: State) -> None:
        """Go on from there; called when all components, and the number of steps, are restored."""
        keys = {name: key for key, name in self._names().items()}
        for table, values in state["tables"].items():
            getattr(self._optimizer, table).update(
                {keys[name]: value for name, value in values.items()}
            )
        if isinstance(self._optimizer, Resumable):
            self._optimizer.restore_training_state(state["own"])
            return
        for _ in range(self._n_steps()):
            self._optimizer.step_schedules()
        for name, value in state["settings"].items():
            setattr(self._optimizer, name, value)
        self._optimizer._radam_buffer = state["radam"]


def _name(key: Key, names: Mapping[Key, str]) -> str:
    if key not in names:
        raise NotResumableError(
            f"The optimizer has stepped a parameter '{key[1]}' that belongs to no trained "
            "component, so no checkpoint can hold its state. A component or strategy that has "
            "parameters beside its model tells them by `optimizer_keys`."
        )
    return names[key]
