"""The loss on the development corpus, taken while it is evaluated."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from spacy.language import Language
from spacy.scorer import Scorer
from spacy.training import Example
from spacy.training.batchers import minibatch_by_padded_size
from thinc.api import Model, PyTorchShim

BATCH_TOKENS = 8192  # with padding


@runtime_checkable
class Lossy(Protocol):
    """A component whose loss can be taken without an update, such as bertcrf."""

    name: str
    model: Model
    loss_reduction: str

    def get_loss(self, examples: Iterable[Example], scores: Any) -> tuple[float, Any]:
        """The loss of a batch, reduced as `loss_reduction` says, and its gradient.

        scores: what the model predicts.
        """

    def knows_labels_of(self, example: Example) -> bool:
        """Whether it has the labels of all that the example has to learn."""


class LossScorer(Scorer):
    """Scores as spaCy's does, and takes the losses of components on the very Docs that are scored.

    These have been through the whole pipeline, a shared transformer included, and the weights
    are those that are evaluated, averages included.

    names: of the components; those that are no `Lossy` are left out.
    """

    def __init__(self, nlp: Language, names: Iterable[str]):
        super().__init__(nlp=nlp)
        pipes: list[object] = [nlp.get_pipe(name) for name in names]
        self._components = [pipe for pipe in pipes if isinstance(pipe, Lossy)]
        self.losses: dict[str, float] = {}

    def score(self, examples: Iterable[Example], *, per_component: bool = False) -> dict[str, Any]:
        """The scores, as spaCy's; `losses` has those of the components afterwards."""
        examples = list(examples)
        for component in self._components:
            loss = mean_loss(component, examples)
            if loss is not None:
                self.losses[component.name] = loss
        return super().score(examples, per_component=per_component)


def mean_loss(component: Lossy, examples: Iterable[Example]) -> float | None:
    """The mean loss of a Doc, or of a token where the component's reduction is "token_mean".

    No dropout, no gradients. Empty Docs are left out, and so are those with gold entities whose
    labels the component does not know: no tag sequence could give them.

    examples: their predicted Docs have been through the components before this one.

    Returns None if no Doc is left.
    """
    total, n_units = summed_loss(component, examples)
    return total / n_units if n_units else None


def summed_loss(component: Lossy, examples: Iterable[Example]) -> tuple[float, int]:
    """What `mean_loss` divides: the sum of the losses, and the number of Docs or tokens."""
    known = [
        example
        for example in examples
        if len(example.predicted) and component.knows_labels_of(example)
    ]
    total, n_units = 0.0, 0
    with _gradients_apart(component.model):
        for batch in minibatch_by_padded_size(known, BATCH_TOKENS):
            scores = component.model.predict([example.predicted for example in batch])
            loss, _ = component.get_loss(batch, scores)
            n = sum(map(len, batch)) if component.loss_reduction == "token_mean" else len(batch)
            total += loss if component.loss_reduction == "sum" else loss * n
            n_units += n
    return total, n_units


@contextmanager
def _gradients_apart(model: Model) -> Iterator[None]:
    """Have the gradients as they were after a with block: a loss comes with its gradient, and
    the next step would take it for training's."""
    parameters = [
        parameter
        for node in model.walk()
        for shim in node.shims
        if isinstance(shim, PyTorchShim)
        for parameter in shim._model.parameters()
    ]
    gradients = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
