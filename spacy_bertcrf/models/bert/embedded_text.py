"""The token vectors of a text as a function of the vectors of its wordpieces."""

import inspect
from typing import Any

import numpy as np
import torch
from spacy.tokens import Doc

from spacy_bertcrf.models.bert.bert_encoder import planned_windows, reading_of
from spacy_bertcrf.models.bert.bert_shim import bert_shim
from spacy_bertcrf.models.bert.windows import Windows
from spacy_bertcrf.models.types import Tok2Vec

MARGIN = 32  # wordpieces on each side of a span that are read from the windows they belong to
TOLERANCE = 1e-3  # of the difference between vectors of ids and of embeddings, rounding alone


class NotByEmbeddings(ValueError):
    """For an encoder that reads something else than the embeddings of wordpieces."""


class EmbeddedText:
    """The part of a Doc around some of its tokens, as a BertEncoder reads it.

    It is the Doc as a whole if that fits into one window, else the windows that the tokens and
    their next neighbours are read in. The weights are those of the encoder, and are left as they
    are; it computes in their precision, whatever the encoder's own.

    model: a BertEncoder.
    start, end: the tokens, end exclusive.

    tokens: the range of tokens that get vectors; it holds those that were asked for.
    embeddings: (1, n_pieces, embedding_width), the vectors of the part's wordpieces, without
        special tokens.
    baseline: the same of a text of nothing but [MASK], or, where the tokenizer has none, [PAD].

    Raises NotByEmbeddings if the encoder does not read wordpieces by their embeddings alone.
    """

    def __init__(self, model: Tok2Vec, doc: Doc, start: int, end: int):
        shim = bert_shim(model)
        self._encoder = shim.module
        self._device = shim.device
        tokenizer = shim.tokenizer
        reading = reading_of(model)
        pieces, windows = planned_windows(model, [doc], reading)
        self._piece_starts, self._piece_ends = pieces.starts, pieces.ends
        self._windows = _around(windows, pieces.starts[start:end], pieces.ends[start:end])
        self._first_piece = int(self._windows.begins[0])
        last_piece = int(self._windows.ends[-1])
        self.tokens = self._tokens_of(start, end)
        self._pooling = torch.from_numpy(self._weights(reading.pooling)).to(self._device)
        ids = pieces.ids[self._first_piece : last_piece]
        blank = tokenizer.tokenizer.mask_token_id
        blanks = np.full(len(ids), tokenizer.pad_id if blank is None else blank)
        self._prefix, self._suffix = map(self._embedded, (tokenizer.prefix, tokenizer.suffix))
        self.embeddings = self._embedded(ids)
        self.baseline = self._embedded(blanks)
        begin, end = self._windows.begins[0], self._windows.ends[0]
        self._check([*tokenizer.prefix, *pieces.ids[begin:end], *tokenizer.suffix])

    def vectors(self, embeddings: torch.Tensor) -> torch.Tensor:
        """embeddings: (n, n_pieces, embedding_width), in the place of the text's own.

        Returns (n, n_tokens, output_width), with gradient.
        """
        used = []
        for begin, end, used_begin, used_end in np.stack(self._windows, 1).tolist():
            of_window = self._read(embeddings, begin, end)
            first = self._prefix.shape[1] + used_begin - begin
            used.append(of_window[:, first : first + used_end - used_begin])
        pooled: torch.Tensor = self._pooling @ torch.cat(used, dim=1)
        is_pieceless = (self._pooling.sum(1, keepdim=True) == 0).to(pooled.dtype)
        return pooled + is_pieceless * self._encoder.pieceless

    def by_token(self, of_pieces: np.ndarray) -> tuple[int, np.ndarray]:
        """Values of the part's wordpieces, (n_pieces,), as those of tokens, with the same sum: the
        first token, and (n_tokens,) the values of it and those after it.

        What belongs to several tokens is shared; what belongs to none, as a space may, counts for
        the token before it.
        """
        last = self._first_piece + len(of_pieces)
        inside = np.flatnonzero(
            (self._piece_ends > self._first_piece) & (self._piece_starts < last)
        )
        first = int(inside[0])
        n_owners = np.zeros(len(of_pieces))
        ranges = []
        for token in range(first, int(inside[-1]) + 1):
            begin = max(int(self._piece_starts[token]) - self._first_piece, 0)
            end = max(int(self._piece_ends[token]) - self._first_piece, begin)
            n_owners[begin:end] += 1
            ranges.append((begin, end))
        values = np.zeros(len(ranges))
        for i, (begin, end) in enumerate(ranges):
            values[i] = (of_pieces[begin:end] / n_owners[begin:end]).sum()
        begins = [begin for begin, _ in ranges]
        for piece in np.flatnonzero(n_owners == 0):
            owner = max(int(np.searchsorted(begins, piece, side="right")) - 1, 0)
            values[owner] += of_pieces[piece]
        return first, values

    def _tokens_of(self, start: int, end: int) -> range:
        """The tokens around some, all of whose wordpieces have their vectors from the windows."""
        first, last = self._windows.used_begins[0], self._windows.used_ends[-1]
        is_inside = (self._piece_starts >= first) & (self._piece_ends <= last)
        while start > 0 and is_inside[start - 1]:
            start -= 1
        while end < len(is_inside) and is_inside[end]:
            end += 1
        return range(start, end)

    def _weights(self, pooling: str) -> np.ndarray:
        """(n_tokens, n_used_pieces) float32, the share of each wordpiece in a token's vector."""
        first, last = self._windows.used_begins[0], self._windows.used_ends[-1]
        weights = np.zeros((len(self.tokens), last - first), dtype=np.float32)
        for row, token in enumerate(self.tokens):
            begin, end = self._piece_starts[token] - first, self._piece_ends[token] - first
            if pooling == "first":
                end = min(end, begin + 1)
            elif pooling == "last":
                begin = max(begin, end - 1)
            if end > begin:
                weights[row, begin:end] = 1 / (end - begin)
        return weights

    def _read(self, embeddings: torch.Tensor, begin: int, end: int) -> torch.Tensor:
        """The vectors of one window, special tokens included."""
        n = len(embeddings)
        inside = embeddings[:, begin - self._first_piece : end - self._first_piece]
        around = [self._prefix.expand(n, -1, -1), inside, self._suffix.expand(n, -1, -1)]
        found: torch.Tensor = self._encoder.encode_embedded(torch.cat(around, dim=1))
        return found

    def _embedded(self, ids: Any) -> torch.Tensor:
        on_device = torch.tensor(np.asarray(ids, dtype=np.int64), device=self._device)
        with torch.no_grad():
            embedded: torch.Tensor = self._encoder.bert.get_input_embeddings()(on_device)
        return embedded[None]

    def _check(self, ids: list[int]) -> None:
        """Raise NotByEmbeddings if the first window has other vectors by its embeddings than by its
        ids."""
        bert = self._encoder.bert
        takes_them = "inputs_embeds" in inspect.signature(bert.forward).parameters
        if not takes_them or not self._is_same(torch.tensor([ids], device=self._device)):
            raise NotByEmbeddings(
                f"A {type(bert).__name__} does not read wordpieces by their embeddings alone, so "
                "that it is not known what its predictions rest on"
            )

    def _is_same(self, ids: torch.Tensor) -> bool:
        n_inside = int(self._windows.ends[0] - self._windows.begins[0])
        embedded = torch.cat([self._prefix, self.embeddings[:, :n_inside], self._suffix], dim=1)
        with torch.no_grad():
            expected = self._encoder.bert(input_ids=ids).last_hidden_state
            found = self._encoder.bert(inputs_embeds=embedded).last_hidden_state
        difference, size = torch.linalg.norm(found - expected), torch.linalg.norm(expected)
        return bool(difference <= TOLERANCE * size)


def _around(windows: Windows, starts: np.ndarray, ends: np.ndarray) -> Windows:
    """The windows that wordpieces of some tokens and their neighbours have their vectors from."""
    first, last = starts.min() - MARGIN, ends.max() + MARGIN
    chosen = (windows.used_ends > first) & (windows.used_begins < last)
    return Windows(*(part[chosen] for part in windows))
