"""What a training config depends on beside the corpus: the BERT and the machine."""

from typing import NamedTuple

import torch

from spacy_bertcrf.models.bert.model_folder import check_weights


class BertSize(NamedTuple):
    """n_layers, width: of a Hugging Face encoder."""

    n_layers: int
    width: int


def bert_size(name: str) -> BertSize:
    """The size of a BERT.

    name: on the Hugging Face hub, or of a folder.

    Raises ValueError if there is no such model, or its folder is not whole.
    """
    from transformers import AutoConfig

    try:
        check_weights(name)
        config = AutoConfig.from_pretrained(name, trust_remote_code=False)
        return BertSize(int(config.num_hidden_layers), int(config.hidden_size))
    except (OSError, ValueError, AttributeError) as error:
        raise ValueError(
            f"BERT '{name}' cannot be looked at: {str(error).strip().rstrip('.')}. Give the folder "
            "of a Hugging Face model or its name on the hub."
        ) from error


def computes_in_bfloat16() -> bool:
    """Whether this CPU multiplies matrices in bfloat16 itself, which others are slower with."""
    # Not public, and not in every torch that we take.
    tests = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in BFLOAT16_INSTRUCTIONS)
    return any(test is not None and test() for test in tests)


BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_tile")
