"""`spacy-bertcrf.begin_with.v1`: a training that goes on from a trained component."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from spacy.language import Language


def begin_with(path: Path, component: str) -> Callable[[Language], None]:
    """Give a component the weights and labels that it has in a saved pipeline, as
    `[initialize.before_init]`; it is then initialized for the labels that are new to it.

    path: the folder of the pipeline, where the component has the same settings.
    component: its name, in both.

    When the pipeline is initialized, raises ValueError if the folder has no such component.
    """

    def load(nlp: Language) -> None:
        folder = Path(path) / component
        if not folder.is_dir():
            raise ValueError(f"{path} has no component '{component}' to begin with.")
        pipe: Any = nlp.get_pipe(component)
        pipe.from_disk(folder, exclude=["vocab"])
        for label in pipe.labels:
            nlp.vocab.strings.add(label)

    return load
