"""What goes over the network in a step."""

import torch

from spacy_bertcrf.training.distributed.gradient_exchange import GradientExchange


class TwinGroup:
    """A group in which another process has the same gradients as this one."""

    device = torch.device("cpu")

    def begin_sum(self, tensor, purpose):
        tensor.mul_(2)
        return lambda: None


def test_embeddings_that_no_text_uses_are_not_sent():
    """With a large vocabulary they would be most of what goes over the network. Of those that are
    used all is summed up, however small: else the processes would part."""
    table, matrix = torch.zeros(3000, 8), torch.randn(8, 8)
    table[[5, 17]] = torch.randn(2, 8)
    table[2048, 3] = 1e-30
    table[2999] = torch.nan
    expected = [2 * table, 2 * matrix]
    exchange = GradientExchange(TwinGroup())
    exchange.sum_up([table, matrix])
    torch.testing.assert_close([table, matrix], expected, rtol=0, atol=0, equal_nan=True)
    assert exchange.bytes_sent == 4 * (3000 + 4 * 8 + 8 * 8)
