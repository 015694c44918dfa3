"""Components whose weights take their steps together, such as a shared one and its listeners."""

import weakref
from collections.abc import Mapping
from typing import Any

from spacy.language import Language
from spacy.pipeline import Tok2Vec
from spacy.ty import ListenedToComponent
from thinc.api import Model

from spacy_bertcrf.models.bridge.in_place_update import update_in_place
from spacy_bertcrf.pipeline.accumulation import scale_gradients
from spacy_bertcrf.pipeline.learning import Learning
from spacy_bertcrf.pipeline.training_checks import check_training


def update_upstream_in_place(nlp: Language) -> None:
    """Let the weights of all components that others listen to be updated where they are, and
    together with those of the listening components."""
    for name, pipe in nlp.components:
        if isinstance(pipe, ListenedToComponent):
            _check_widths(pipe)
            update_together(nlp, name)


def update_together(nlp: Language, name: str) -> None:
    """Let the weights of a component be updated where they are, and all at once, together with
    those of the components that listen to it."""
    pipe: Any = nlp.get_pipe(name)
    update_in_place(pipe.model, _WithListeners(nlp, name))


def _check_widths(upstream: Any) -> None:
    """Raise ValueError if a Tok2VecListener expects other vectors than the component gives."""
    width = upstream.model.maybe_get_dim("nO")
    if not isinstance(upstream, Tok2Vec) or width is None:
        return
    for component, listeners in upstream.listener_map.items():
        for listener in listeners:
            if listener.get_dim("nO") != width:
                raise ValueError(
                    f"'{component}' listens for vectors {listener.get_dim('nO')} wide, and those "
                    f"of '{upstream.name}' are {width} wide. Set width = {width} in its "
                    "spacy.Tok2VecListener.v1."
                )


class _WithListeners:
    """The models, by component, of a component and of those that listen to it, if any, when all
    their gradients are complete.

    A copy, which is in no pipeline, has none.
    """

    def __init__(self, nlp: Language | None = None, name: str = ""):
        self._nlp = None if nlp is None else weakref.ref(nlp)
        self._name = name

    def __call__(self) -> Mapping[str, Model]:
        nlp = None if self._nlp is None else self._nlp()
        if nlp is None or self._name not in nlp.component_names:
            return {}
        check_training()
        pipes: dict[str, Any] = dict(nlp.components)
        upstream = pipes[self._name]
        listening = getattr(upstream, "listening_components", ())
        listeners = [name for name in listening if name in pipes]
        for name in listeners:
            learning = getattr(pipes[name], "learning", None)
            factor = learning.complete_gradients() if isinstance(learning, Learning) else 1.0
            # With several listeners, it is not known which gradients came from which.
            if factor != 1.0 and len(listeners) == 1:
                scale_gradients(upstream.model, factor)
        return {name: pipes[name].model for name in (self._name, *listeners)}

    def __reduce__(self) -> tuple[type["_WithListeners"], tuple[()]]:
        return _WithListeners, ()
