"""Docs annotated batch by batch, where one that fails costs no other. It runs without torch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

from spacy.tokens import Doc
from spacy.util import raise_error

ErrorHandler: TypeAlias = Callable[[str, Any, list[Doc], Exception], None]
"""As for `Language.set_error_handler`: (component's name, component, Docs, error)."""


class Annotates(Protocol):
    def predict(self, docs: Iterable[Doc]) -> Sequence[Any]: ...

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[Any]) -> None: ...

    def get_error_handler(self) -> ErrorHandler: ...


def check_prediction(max_batch_tokens: int, threshold: float | None) -> None:
    """Raise ValueError for a batch of no tokens, and a threshold that is no probability."""
    if max_batch_tokens < 1:
        raise ValueError(f"max_batch_tokens is {max_batch_tokens}; it must be at least 1.")
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}; it must be from 0 to 1, or None.")


def annotated(component: Annotates, name: str, docs: list[Doc]) -> Iterator[Doc]:
    """The Docs of a batch, annotated. Where predicting it fails and an error handler is set, they
    are predicted one by one, and the handler is given those alone that fail."""
    handle_error = component.get_error_handler()
    try:
        predictions = component.predict(docs)
    except Exception as error:
        if len(docs) == 1 or handle_error is raise_error:
            handle_error(name, component, docs, error)
            return
        for doc in docs:
            yield from annotated(component, name, [doc])
        return
    for doc, prediction in zip(docs, predictions, strict=True):
        try:
            component.set_annotations([doc], [prediction])
        except Exception as error:
            handle_error(name, component, [doc], error)
        else:
            yield doc
