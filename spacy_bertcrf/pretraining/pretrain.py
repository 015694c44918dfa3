"""Continued pretraining: from raw texts and a base to a model folder."""

import json
import math
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from spacy_bertcrf.layers.onednn_linear import multiply_by_onednn
from spacy_bertcrf.models.bert.wordpieces import WordpieceTokenizer
from spacy_bertcrf.pretraining.base_model import BaseModel, ordinary_ids
from spacy_bertcrf.pretraining.checkpoints import checkpoints_of, remove_checkpoints
from spacy_bertcrf.pretraining.masking import Masking
from spacy_bertcrf.pretraining.model_folder import check_output, save_model
from spacy_bertcrf.pretraining.sequences import MaskedSequences, Packer, Sequence, masked
from spacy_bertcrf.pretraining.settings import Settings
from spacy_bertcrf.pretraining.texts import Texts, is_held_out
from spacy_bertcrf.pretraining.trainer import Losses, check_accelerate, train
from spacy_bertcrf.pretraining.words import WordedPieces

MAX_HELD_OUT = 256
# Not of the training: what is held out is masked alike in all of them, and they can be compared.
HELD_OUT_SEED = 0
HEAD_SHARE = 0.1


@dataclass(frozen=True)
class Reading:
    """How texts are read.

    masking: a kind of `Masking`.
    masked_share: of the wordpieces.
    max_length: of a sequence, special tokens counted; less if the model reads less.
    held_out_share: of the texts, how many are not trained on; of them at most `MAX_HELD_OUT`
        sequences measure the loss.
    seed: of order and masks.
    """

    masking: str = "words"
    masked_share: float = 0.15
    max_length: int = 512
    held_out_share: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.held_out_share < 1:
            raise ValueError(
                f"The share of held-out texts is {self.held_out_share}; it is from 0 to below 1."
            )


class Pretrained(NamedTuple):
    """What `pretrain` did.

    losses: before, after and in between.
    steps: updates of the weights.
    n_sequences: in one reading of the training texts; None if they were not counted.
    n_held_out: sequences that measured the loss.
    """

    losses: Losses
    steps: int
    n_sequences: int | None
    n_held_out: int


def pretrain(
    base: BaseModel,
    texts: Texts,
    output: Path,
    reading: Reading,
    settings: Settings,
    *,
    resume: bool = False,
) -> Pretrained:
    """Train a model to predict masked words (Devlin et al. 2019) and write it.

    Checkpoints lie in `checkpoints_of(output)` until it is written.

    base: the model, which is changed.
    texts: read once for each epoch; once more to count them, if `settings` gives no steps.
    output: the folder to write, whole or not at all.
    reading, settings: of texts and training.
    resume: go on from the last checkpoint.

    Raises ValueError for bad texts or settings, ImportError without an extra that is needed.
    """
    check_output(output)
    check_accelerate()
    multiply_by_onednn(base.model)
    packer, masking = _packer(base, reading), _masking(base, reading)
    rng = np.random.default_rng(HELD_OUT_SEED)
    share = reading.held_out_share
    apart = (text for text in texts if share and is_held_out(text, share))
    held_out = [masked(sequence, masking, rng) for sequence in islice(packer(apart), MAX_HELD_OUT)]

    def sequences() -> Iterator[Sequence]:
        return packer(text for text in texts if not is_held_out(text, share))

    n_sequences = None
    if settings.steps is None:
        n_sequences = sum(1 for _ in sequences())
        n_updates = n_sequences / (settings.batch_size * settings.accumulate * _n_devices(settings))
        settings = replace(settings, steps=math.ceil(settings.epochs * n_updates))
    if not settings.steps:
        raise ValueError("There is nothing to train: no text, or no step.")
    if settings.head_steps is None:
        head_steps = int(HEAD_SHARE * settings.steps) if base.new_weights else 0
        settings = replace(settings, head_steps=head_steps)

    checkpoints = checkpoints_of(output)
    run = {**vars(reading), "texts": [str(path) for path in texts.paths]}
    run |= {"contents of texts": texts.checksums(), "base": _checksum(base)}
    stream = MaskedSequences(sequences, masking, reading.seed)
    losses = train(base, stream, held_out, settings, checkpoints, resume=resume, run=run)
    if losses.is_main:
        save_model(output, base.model, base.tokenizer)
        remove_checkpoints(checkpoints)
    assert settings.steps is not None
    return Pretrained(losses, settings.steps, n_sequences, len(held_out))


def _packer(base: BaseModel, reading: Reading) -> Packer:
    max_length = min(reading.max_length, base.max_length or reading.max_length)
    special = WordpieceTokenizer(base.tokenizer, "token")
    pieces = WordedPieces(base.tokenizer, segments_chinese=reading.masking != "pieces")
    return Packer(pieces, special.prefix, special.suffix, max_length)


def _checksum(base: BaseModel) -> int:
    """Of what the training begins with: the vocabulary, and the weights that are not drawn anew."""
    checksum = zlib.crc32(json.dumps(base.tokenizer.get_vocab(), sort_keys=True).encode())
    for name, weights in base.model.state_dict().items():
        if name not in base.new_weights:
            checksum = zlib.crc32(weights.cpu().numpy().tobytes(), checksum)
    return checksum


def _masking(base: BaseModel, reading: Reading) -> Masking:
    tokenizer: Any = base.tokenizer
    return Masking(
        reading.masking, reading.masked_share, tokenizer.mask_token_id, ordinary_ids(tokenizer)
    )


def _n_devices(settings: Settings) -> int:
    if "WORLD_SIZE" in os.environ:  # as torchrun says it
        return int(os.environ["WORLD_SIZE"])
    return 1 if settings.cpu else max(1, torch.cuda.device_count())
