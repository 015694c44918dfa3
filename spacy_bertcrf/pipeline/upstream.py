"""The shared components that a model may listen to."""

from spacy.language import Language
from spacy.ty import ListenedToComponent

from ..models.in_place_update import update_in_place


def update_upstream_in_place(nlp: Language) -> None:
    """Let the weights of all components that others listen to be updated where they are."""
    for _, pipe in nlp.components:
        if isinstance(pipe, ListenedToComponent):
            update_in_place(pipe.model)
