"""What is the same in every config that is made for a corpus."""

BASE_CONFIG = """
[paths]
train = null
dev = null
transformer = null

[system]
seed = 0
gpu_allocator = null

[nlp]
lang = null
pipeline = ["bertcrf"]
batch_size = 1000

[components]

[components.bertcrf]
factory = "bertcrf"

[components.bertcrf.model]
@architectures = "spacy-bertcrf.CRFTagger.v1"

[components.bertcrf.model.tok2vec]
@architectures = "spacy-bertcrf.BertEncoder.v1"
name = ${paths.transformer}

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = ${paths.train}

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${paths.dev}

[training]
train_corpus = "corpora.train"
dev_corpus = "corpora.dev"
seed = ${system.seed}
gpu_allocator = ${system.gpu_allocator}
dropout = 0.1
patience = 0

[training.batcher]
@batchers = "spacy-bertcrf.batch_by_pieces.v1"
tokenizer = ${paths.transformer}

[training.logger]
@loggers = "spacy.ConsoleLogger.v1"
progress_bar = true

[training.optimizer]
@optimizers = "spacy-bertcrf.AdamW.v1"

[training.optimizer.groups]

# Of the projection to the tags, and of the sequence layer if there is one.
[training.optimizer.groups.sequence_layer]
pattern = "sequence_tagger.*"
learn_rate_scale = 5.0

[training.optimizer.groups.crf]
pattern = "crf.*"
learn_rate_scale = 20.0

[training.optimizer.learn_rate]
@schedules = "spacy-bertcrf.warmup_decay.v1"
warmup = 0.1
decay = "linear"
total_steps = null

[training.score_weights]
ents_f = 1.0
ents_p = 0.0
ents_r = 0.0
ents_per_type = null

[initialize]

[initialize.after_init]
@callbacks = "spacy-bertcrf.evaluate_often.v1"
evaluations = 10
"""
