"""The models of `nlp.add_pipe("bertcrf")` and `nlp.add_pipe("bertcrf_spans")`."""

from thinc.api import Config

DEFAULT_CONFIG = """
[model]
@architectures = "spacy-bertcrf.CRFTagger.v1"
freeze_tok2vec = false

[model.tok2vec]
@architectures = "spacy-bertcrf.BertEncoder.v1"
name = "bert-base-multilingual-cased"
alignment = "token"
pooling = "mean"
window = 512
overlap = 128
max_batch_pieces = 4096
n_layers = 1
frozen_embeddings = false
frozen_layers = 0
gradient_checkpointing = false
mixed_precision = false
save_dtype = "float32"
tokenizer_config = {}
transformer_config = {}

[model.encoder]
@layers = "spacy-bertcrf.BiLSTM.v1"
hidden_width = 256
depth = 1
dropout = 0.0
"""
DEFAULT_MODEL = Config().from_str(DEFAULT_CONFIG)["model"]
DEFAULT_SPAN_MODEL = {
    **DEFAULT_MODEL,
    "@architectures": "spacy-bertcrf.SpanTagger.v1",
    "encoder": {"@layers": "spacy-bertcrf.Identity.v1"},
    "head": {"@layers": "spacy-bertcrf.LabelCRFs.v1"},
}
