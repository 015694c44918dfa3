"""Which layer each parameter of an encoder belongs to, in all families."""

import pytest
import torch
from transformers import (
    AlbertConfig,
    AutoModel,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    MPNetConfig,
    RobertaConfig,
    XLNetConfig,
)

from spacy_bertcrf.layers import WordpieceEncoder
from spacy_bertcrf.models.bridge.encoder_layers import encoder_layers

SIZES = {
    **{"hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2},
    **{"intermediate_size": 16, "max_position_embeddings": 16, "vocab_size": 12},
    **{"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
}
CONFIGS = {
    "bert": BertConfig(**SIZES),
    "electra": ElectraConfig(**SIZES, embedding_size=4),
    "distilbert": DistilBertConfig(dim=8, n_layers=3, n_heads=2, hidden_dim=16, vocab_size=12),
    "mpnet": MPNetConfig(**SIZES),
    "roberta": RobertaConfig(**SIZES),
    "deberta": DebertaV2Config(**SIZES, relative_attention=True, pos_att_type=["c2p"]),
    "modernbert": ModernBertConfig(**SIZES, cls_token_id=1, sep_token_id=2),
    "xlnet": XLNetConfig(vocab_size=12, d_model=8, n_layer=3, n_head=2, d_inner=16),
}


@pytest.mark.slow
@pytest.mark.parametrize("family", CONFIGS)
def test_every_parameter_has_the_height_of_its_layer(family):
    """Else layer-wise rates and unfreezing would work for BERT alone."""
    bert = AutoModel.from_config(CONFIGS[family])
    found = encoder_layers(bert)
    assert found.depth == 3
    assert found.heights.keys() == dict(bert.named_parameters()).keys()
    for name, height in found.heights.items():
        number = next((int(part) for part in name.split(".") if part.isdigit()), None)
        if number is not None:
            assert height == number + 1, name
        else:
            assert height == (3 if "final" in name or "pooler" in name else 0), name
    assert set(found.distances().values()) == {0, 1, 2, 3}


def test_shared_layers_are_one():
    """ALBERT's embeddings can still have a rate of their own."""
    found = encoder_layers(AutoModel.from_config(AlbertConfig(**SIZES, embedding_size=4)))
    assert found.depth == 1
    assert {name for name, height in found.heights.items() if height == 0} == {
        name for name in found.heights if "embedding" in name
    }


def test_the_encoder_is_found_inside_a_module():
    bert = AutoModel.from_config(CONFIGS["bert"])
    found = encoder_layers(WordpieceEncoder(bert, n_layers=2))
    assert found.heights["bert.encoder.layer.2.output.dense.bias"] == 3
    assert "mix_logits" not in found.heights


def test_other_modules_have_no_layers():
    assert encoder_layers(torch.nn.LSTM(2, 2)) is None
