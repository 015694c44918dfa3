"""From token vectors to emissions: a sequence encoder, dropout and a projection."""

from collections.abc import Callable

from torch import Tensor, nn

from spacy_bertcrf.layers.padding import pad, unpad


class SequenceTagger(nn.Module):
    """Scores every tag for every token.

    encoder: a module that maps padded vectors (batch, max_len, input_width) and a mask
        (batch, max_len) to (batch, max_len, encoder.output_width), such as `BiLSTM` or `TCN`;
        None puts the projection on the token vectors themselves. One that has a method
        `read_packed`, as `BiLSTM` does, is given vectors without padding on a GPU, and in
        evaluation mode.
    input_width: width of the token vectors.
    num_tags: number of tags.
    dropout: share of the values dropped before the projection.
    """

    def __init__(
        self, encoder: nn.Module | None, input_width: int, num_tags: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        width = input_width if encoder is None else encoder.output_width
        assert isinstance(width, int)
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(width, num_tags)

    def forward(self, vectors: Tensor, lengths: Tensor, samples: int = 1) -> Tensor:
        """vectors: (n_tokens, input_width), sequence after sequence.
        lengths: (batch,) int64 on the CPU, tokens of each sequence; zeros are legal.
        samples: how many dropouts the emissions are computed under.

        Returns the emissions (samples · n_tokens, num_tags), all tokens for each dropout. Raises
        ValueError if the lengths do not add up to n_tokens.
        """
        if self.encoder is not None:
            vectors = self._encoded(self.encoder, vectors, lengths)
        emissions: Tensor = self.projection(self.dropout(vectors.repeat(samples, 1)))
        return emissions

    def _encoded(self, encoder: nn.Module, vectors: Tensor, lengths: Tensor) -> Tensor:
        read_packed: Callable[[Tensor, Tensor], Tensor] | None
        read_packed = getattr(encoder, "read_packed", None)
        # In training on a CPU, dropout would draw other numbers than it has drawn so far.
        is_packed = not self.training or vectors.device.type != "cpu"
        if read_packed is not None and is_packed and len(vectors):
            return read_packed(vectors, lengths)
        padded, mask = pad(vectors, lengths)
        return unpad(encoder(padded, mask), lengths)
