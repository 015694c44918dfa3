"""The shared components that a model may listen to."""

import weakref
from collections.abc import Mapping
from typing import Any

from spacy.language import Language
from spacy.ty import ListenedToComponent
from thinc.api import Model

from ..models.in_place_update import update_in_place
from .accumulation import scale_gradients
from .step_count import StepCount


def update_upstream_in_place(nlp: Language) -> None:
    """Let the weights of all components that others listen to be updated where they are, and
    together with those of the listening components."""
    for name, pipe in nlp.components:
        if isinstance(pipe, ListenedToComponent):
            update_in_place(pipe.model, _WithListeners(nlp, name))


class _WithListeners:
    """The models, by component, of a shared component and of those that listen to it, when all
    their gradients are complete.

    A copy, which is in no pipeline, has none.
    """

    def __init__(self, nlp: Language | None = None, name: str = ""):
        self._nlp = None if nlp is None else weakref.ref(nlp)
        self._name = name
        self._step_count = StepCount(nlp)

    def __call__(self) -> Mapping[str, Model]:
        nlp = None if self._nlp is None else self._nlp()
        if nlp is None or self._name not in nlp.component_names:
            return {}
        pipes: dict[str, Any] = dict(nlp.components)
        upstream = pipes[self._name]
        listeners = [name for name in upstream.listening_components if name in pipes]
        for name in listeners:
            complete = getattr(pipes[name], "complete_gradients", None)
            factor = 1.0 if complete is None else complete()
            # With several listeners, it is not known which gradients came from which.
            if factor != 1.0 and len(listeners) == 1:
                scale_gradients(upstream.model, factor)
        return {name: pipes[name].model for name in (self._name, *listeners)}

    def count_steps(self) -> int | None:
        """How many steps the training of the pipeline will take."""
        return self._step_count()

    def __reduce__(self) -> tuple[type["_WithListeners"], tuple[()]]:
        return _WithListeners, ()
