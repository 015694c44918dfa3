"""All that a training needs to go on where it stopped, as one state."""

from collections.abc import Mapping
from pathlib import Path

from spacy_bertcrf.models.resumable import NotResumableError, Resumable, State
from spacy_bertcrf.training.checkpoints.checkpoints import Checkpoints
from spacy_bertcrf.training.checkpoints.random_state import (
    random_state,
    set_random_state,
)
from spacy_bertcrf.training.checkpoints.run_identity import differences
from spacy_bertcrf.training.ranks import Ranks


class TrainingState:
    """The states of all parts, and of the random numbers of each process.

    identity: of the run, as `run_identity` gives it.
    parts: by name, in the order in which they are restored.
    """

    def __init__(self, identity: State, parts: Mapping[str, Resumable], ranks: Ranks):
        self._identity = identity
        self._parts = parts
        self._ranks = ranks

    def write(self, checkpoints: Checkpoints, n_steps: int) -> None:
        """Write a checkpoint; called by all processes, the first of which writes it."""
        random_states = self._ranks.gather(random_state())
        if random_states is not None:
            state = {
                "identity": self._identity,
                "finished": False,
                "parts": {name: part.training_state() for name, part in self._parts.items()},
                "random": random_states,
            }
            checkpoints.write(n_steps, state)
        self._ranks.barrier()

    def finish(self, checkpoints: Checkpoints, n_steps: int) -> None:
        """Write that no step will follow; called by all processes, as `write`."""
        if self._ranks.is_first:
            checkpoints.write(n_steps, {"identity": self._identity, "finished": True})
        self._ranks.barrier()

    def restore(self, state: State) -> None:
        """Set all parts, and then the random numbers."""
        for name, part in self._parts.items():
            part.restore_training_state(state["parts"][name])
        set_random_state(state["random"][self._ranks.rank])


def require_same_run(identity: State, state: State, path: Path) -> None:
    """Raise NotResumableError, with all that differs, if a checkpoint is of another training.

    identity: of this run.
    state: what was read from the path.
    """
    found = differences(state["identity"], identity)
    if found:
        raise NotResumableError(
            f"{path} is a checkpoint of another training, which cannot be resumed: "
            f"{'; '.join(found)}. Put that back, or begin anew with --overwrite."
        )
