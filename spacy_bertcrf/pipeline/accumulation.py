"""Gradients of several batches as those of one."""

from thinc.api import Model, PyTorchShim


class GradientAccumulation:
    """Makes the gradients that are added up over batches those of one batch of all their Docs.

    of_means: the losses are means; then it is the mean over all, not the sum of the means.
    """

    def __init__(self, of_means: bool) -> None:
        self._of_means = of_means
        self._sizes: list[float] = []

    def begin_batch(self, size: float) -> float:
        """What the gradients of the next batch are to be multiplied by.

        size: of the batch, in what the mean is taken over.
        """
        if not self._of_means:
            return 1.0
        self._sizes.append(size)
        return size / self._sizes[0]

    def finish(self, model: Model) -> float:
        """Divide the gradients of the model by the whole size, before an optimizer step.

        Returns what they were multiplied by.
        """
        sizes, self._sizes = self._sizes, []
        if len(sizes) < 2:
            return 1.0
        factor = sizes[0] / sum(sizes)
        scale_gradients(model, factor)
        return factor


def scale_gradients(model: Model, factor: float) -> None:
    """Multiply all gradients of a model."""
    for node in model.walk():
        for name in node.param_names:
            if node.has_grad(name):
                node.set_grad(name, node.get_grad(name) * factor)
        for shim in node.shims:
            if isinstance(shim, PyTorchShim):
                for parameter in shim._model.parameters():
                    if parameter.grad is not None:
                        parameter.grad.mul_(factor)
