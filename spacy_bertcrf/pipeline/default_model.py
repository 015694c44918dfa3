"""The model of `nlp.add_pipe("bertcrf")`."""

from thinc.api import Config

DEFAULT_CONFIG = """
[model]
@architectures = "spacy-bertcrf.CRFTagger.v1"
freeze_tok2vec = false

[model.tok2vec]
@architectures = "spacy-transformers.Tok2VecTransformer.v3"
name = "bert-base-multilingual-cased"
mixed_precision = false
grad_factor = 1.0
transformer_config = {}
grad_scaler_config = {}

[model.tok2vec.tokenizer_config]
use_fast = true
model_max_length = 512

[model.tok2vec.get_spans]
@span_getters = "spacy-bertcrf.strided_spans.v1"
window = 128
stride = 96
max_characters = 500

[model.tok2vec.pooling]
@layers = "reduce_mean.v1"

[model.encoder]
@layers = "spacy-bertcrf.BiLSTM.v1"
hidden_width = 256
depth = 1
dropout = 0.0
"""
DEFAULT_MODEL = Config().from_str(DEFAULT_CONFIG)["model"]
