"""A Hugging Face model with its head for masked-language modelling, as training starts from it."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from spacy_bertcrf.models.bert.pretrained import load_tokenizer, max_positions


class BaseModel(NamedTuple):
    """What is trained on.

    model: of transformers, with a head for masked-language modelling, in float32.
    tokenizer: its fast tokenizer.
    new_weights: the names of the head's weights that its files do not have: they are random.
    """

    model: Any
    tokenizer: Any
    new_weights: list[str]

    @property
    def max_length(self) -> int | None:
        """The most wordpieces in a sequence, special tokens counted; None if there is no limit."""
        return max_positions(self.model.base_model, self.tokenizer)


def load_base(name: str) -> BaseModel:
    """Load a model to go on training it.

    name: on the Hugging Face hub, or of a folder.

    Raises ValueError if there is no such model, its kind has no head for masked-language
    modelling, weights below the head are missing, or model and tokenizer do not fit.
    """
    from transformers import AutoConfig, AutoModelForMaskedLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # it says of every base without a head what is said below
    try:
        config = AutoConfig.from_pretrained(name)
        if type(config) not in MODEL_FOR_MASKED_LM_MAPPING or config.is_encoder_decoder:
            raise ValueError(
                f"a {config.model_type} has no head for masked-language modelling in transformers"
            )
        model, found = AutoModelForMaskedLM.from_pretrained(
            name, config=config, torch_dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Base '{name}' cannot be trained: {error}. Give the folder of a BERT-like model or "
            "its name on the hub."
        ) from error
    finally:
        logging.set_verbosity(verbosity)
    missing = sorted(found["missing_keys"])
    below = [key for key in missing if key.startswith(f"{model.base_model_prefix}.")]
    if below:
        raise ValueError(f"The files of base '{name}' do not have the weights {', '.join(below)}.")
    tokenizer = load_tokenizer(name, {})
    check_tokenizer(tokenizer, name)
    n_rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > n_rows:
        raise ValueError(
            f"The tokenizer of '{name}' has {len(tokenizer):,} wordpieces, its model "
            f"{n_rows:,} rows of embeddings."
        )
    return BaseModel(model, tokenizer, missing)


def check_tokenizer(tokenizer: Any, name: str) -> None:
    """Raise ValueError unless a tokenizer is fast, has a mask, and numbers its pieces without a
    gap (as a vocab.txt with a line that is there twice does not)."""
    if not tokenizer.is_fast:
        raise ValueError(
            f"The tokenizer of '{name}' is a slow one, which does not say where in the text its "
            "wordpieces are."
        )
    if tokenizer.mask_token_id is None:
        raise ValueError(f"The tokenizer of '{name}' has no mask token.")
    ids = tokenizer.get_vocab()
    if sorted(ids.values()) != list(range(len(ids))):
        raise ValueError(f"The vocabulary of '{name}' {_gap(Path(name) / 'vocab.txt')}.")


def ordinary_ids(tokenizer: Any) -> np.ndarray:
    """(n,) int64, the wordpieces that occur in texts: neither special nor unused ones."""
    special = set(tokenizer.all_special_ids)
    kept = (
        number
        for piece, number in tokenizer.get_vocab().items()
        if number not in special and not piece.startswith("[unused")
    )
    return np.asarray(sorted(kept), dtype=np.int64)


def _gap(vocabulary: Path) -> str:
    lines: dict[str, int] = {}
    if vocabulary.is_file():
        for number, line in enumerate(vocabulary.read_text("utf-8").split("\n"), start=1):
            if line in lines:
                return f"has '{line}' twice, in {vocabulary}:{lines[line]} and :{number}"
            lines[line] = number
    return "does not number its wordpieces without a gap"
