"""The component that a command was told the name of."""

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from spacy.language import Language

Pipe = TypeVar("Pipe")


def named_component(nlp: "Language", name: str, kind: type[Pipe], factory: str) -> Pipe:
    """The component of a pipeline.

    kind: what it has to be; factory: how the user knows that.

    Raises ValueError if there is none of this name, or it is something else.
    """
    if name not in nlp.pipe_names:
        raise ValueError(
            f"The pipeline has no component '{name}' that is enabled, only: "
            f"{', '.join(nlp.pipe_names)}. Name it with --component."
        )
    pipe = nlp.get_pipe(name)
    if not isinstance(pipe, kind):
        raise ValueError(f"The component '{name}' is no {factory}. Name one with --component.")
    return pipe
