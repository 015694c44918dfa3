"""Adversarial training: learning each batch once more, with embeddings that are disturbed to
its disadvantage."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from spacy.training import Example
from torch import Tensor, nn

from spacy_bertcrf.models.bridge.torch_shim import TorchShim
from spacy_bertcrf.models.strategy import Learn, Strategy, trained_bert
from spacy_bertcrf.models.types import CRFTaggerModel

Gradients = list[tuple[nn.Parameter, Tensor]]


class FGM(Strategy):
    """The fast gradient method (Miyato et al. 2017, https://arxiv.org/abs/1605.07725), on the
    embeddings of the wordpieces as a whole.

    With E the embeddings and g the gradient of the batch's loss by them, the gradients of the
    loss at E + epsilon · g / ‖g‖₂ are added to those at E. Takes twice the time. Nothing is
    disturbed as long as gradual unfreezing has not reached the embeddings.

    epsilon: the length of the disturbance.

    Raises ValueError if it is not positive.
    """

    kind = "adversarial"

    def __init__(self, epsilon: float = 1.0):
        _require_positive(epsilon=epsilon)
        self.epsilon = epsilon

    def check(self, model: CRFTaggerModel) -> None:
        _require_embeddings(model, "FGM")

    def around(self, learn: Learn, model: CRFTaggerModel) -> Learn:
        embeddings = _embeddings(model, "FGM")
        if not embeddings.requires_grad:
            return learn

        def learn_twice(examples: list[Example]) -> dict[str, float]:
            # With gradients of other batches there, the direction would be theirs too.
            earlier, embeddings.grad = embeddings.grad, None
            losses = learn(examples)
            direction = None if embeddings.grad is None else _direction(embeddings.grad)
            # Before the last pass, after which gradients are on their way to other processes.
            _add([] if earlier is None else [(embeddings, earlier)])
            if direction is not None:
                with restored([embeddings]):
                    embeddings.data.add_(direction, alpha=self.epsilon)
                    learn(examples)
            return losses

        return learn_twice


class PGD(Strategy):
    """Projected gradient descent (Madry et al. 2018, https://arxiv.org/abs/1706.06083), on the
    embeddings of the wordpieces as a whole.

    From the embeddings E₀ = E, every step goes to Eₖ₊₁ = Π(Eₖ + alpha · gₖ / ‖gₖ‖₂), gₖ being the
    gradient of the batch's loss at Eₖ and Π the projection to what is at most epsilon away from
    E. The gradients of the loss at the last are added to those at E. Takes 1 + steps times the
    time.

    Raises ValueError if a setting is not positive.
    """

    kind = "adversarial"

    def __init__(self, epsilon: float = 1.0, alpha: float = 0.3, steps: int = 3):
        _require_positive(epsilon=epsilon, alpha=alpha, steps=steps)
        self.epsilon = epsilon
        self.alpha = alpha
        self.steps = steps

    def check(self, model: CRFTaggerModel) -> None:
        _require_embeddings(model, "PGD")

    def around(self, learn: Learn, model: CRFTaggerModel) -> Learn:
        embeddings = _embeddings(model, "PGD")
        if not embeddings.requires_grad:
            return learn

        def learn_repeatedly(examples: list[Example]) -> dict[str, float]:
            earlier = _taken(model)
            losses = learn(examples)
            gradient = embeddings.grad
            clean = _taken(model)
            if gradient is not None:
                with restored([embeddings]) as (original,):
                    for step in range(1, self.steps + 1):
                        embeddings.data.add_(_direction(gradient), alpha=self.alpha)
                        _project(embeddings.data, original, self.epsilon)
                        if step == self.steps:
                            # Afterwards, gradients are on their way to other processes.
                            _add(clean)
                            _add(earlier)
                        learn(examples)
                        if step < self.steps:
                            assert embeddings.grad is not None
                            gradient = embeddings.grad
                            _taken(model)
            else:
                _add(clean)
                _add(earlier)
            return losses

        return learn_repeatedly


@contextmanager
def restored(parameters: Iterable[nn.Parameter]) -> Iterator[list[Tensor]]:
    """Gives copies of some weights, and sets the weights back to them, bit for bit."""
    kept = [(parameter, parameter.data.clone()) for parameter in parameters]
    try:
        yield [weights for _, weights in kept]
    finally:
        for parameter, weights in kept:
            parameter.data.copy_(weights)


def _require_embeddings(model: CRFTaggerModel, strategy: str) -> None:
    if trained_bert(model, strategy).keeps_embeddings:
        raise ValueError(
            f"{strategy} disturbs the embeddings along their gradient, and frozen ones have none. "
            "Set frozen_embeddings = false."
        )


def _embeddings(model: CRFTaggerModel, strategy: str) -> nn.Parameter:
    bert = trained_bert(model, strategy).module.bert
    embeddings: nn.Parameter = bert.get_input_embeddings().weight
    return embeddings


def _direction(gradient: Tensor) -> Tensor:
    norm = gradient.norm()
    # Of a gradient that is all zeros, or has overflown, no direction is known.
    return torch.where((norm > 0) & norm.isfinite(), gradient / norm, 0.0)


def _project(weights: Tensor, center: Tensor, radius: float) -> None:
    difference = weights - center
    norm = difference.norm()
    if norm > radius:
        weights.copy_(center).add_(difference, alpha=float(radius / norm))


def _taken(model: CRFTaggerModel) -> Gradients:
    """Take all gradients of the torch modules out of the model."""
    taken: Gradients = []
    for node in model.walk():
        for shim in node.shims:
            if isinstance(shim, TorchShim):
                for parameter in shim.module.parameters():
                    if parameter.grad is not None:
                        taken.append((parameter, parameter.grad))
                        parameter.grad = None
    return taken


def _add(gradients: Gradients) -> None:
    for parameter, gradient in gradients:
        if parameter.grad is None:
            parameter.grad = gradient
        else:
            parameter.grad.add_(gradient)


def _require_positive(**settings: float) -> None:
    for name, value in settings.items():
        if not value > 0:
            raise ValueError(f"{name} is {value}; it must be positive.")
