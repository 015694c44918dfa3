"""The pipelines that benchmarks compare, on one BERT, with untrained layers above it."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.util import load_config, load_model_from_config
from turns import Setting

from spacy_bertcrf.corpora.reading import read_corpus

ROOT = Path(__file__).parents[1]
FILES = {"cluener": "cluener/dev.json", "conll2003": "conll2003/dev.txt"}
LANGUAGES = {"cluener": "zh", "conll2003": "en"}
CONFIGS = {"cluener": "bert_bilstm_crf", "conll2003": "bert_bilstm_crf_en"}
PACKAGES = ("spacy-bertcrf", "spacy", "spacy-transformers", "torch", "transformers", "flair")


def read_dev(corpus: str, n_texts: int) -> list[Doc]:
    """The first documents of a development set, in their order."""
    file = Path(os.environ["SPACY_BERTCRF_REAL"]) / "data" / FILES[corpus]
    return read_corpus(file).docs[:n_texts]


def our_pipeline(
    corpus: str, bert: str, docs: list[Doc], mixed_precision: bool = False
) -> Language:
    """BERT, a BiLSTM and the CRF, as in the shipped config."""
    path = ROOT / "configs" / f"{CONFIGS[corpus]}.cfg"
    overrides = {
        "paths.transformer": bert,
        "components.bertcrf.model.tok2vec.mixed_precision": mixed_precision,
    }
    config = load_config(path, overrides=overrides, interpolate=True)
    return _initialized(load_model_from_config(config, auto_fill=True), docs)


def spacy_pipeline(corpus: str, bert: str, docs: list[Doc]) -> Language:
    """spaCy's `transformer` and `ner`, as `spacy init config --gpu` writes them."""
    nlp = spacy.blank(LANGUAGES[corpus])
    listener = add_transformer(nlp, bert)
    ner = {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "hidden_width": 64,
        "maxout_pieces": 2,
        "use_upper": False,
        "nO": None,
        "tok2vec": listener,
    }
    nlp.add_pipe("ner", config={"model": ner})
    return _initialized(nlp, docs)


def add_transformer(nlp: Language, bert: str) -> dict:
    """spacy-transformers' component, as `spacy init config --gpu` writes it, and what listens to it
    as another component's tok2vec."""
    transformer = {
        "@architectures": "spacy-transformers.TransformerModel.v3",
        "name": bert,
        "tokenizer_config": {"use_fast": True},
        "get_spans": {
            "@span_getters": "spacy-transformers.strided_spans.v1",
            "window": 128,
            "stride": 96,
        },
    }
    nlp.add_pipe("transformer", config={"model": transformer})
    return {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "grad_factor": 1.0,
        "pooling": {"@layers": "reduce_mean.v1"},
    }


def examples_for(nlp: Language, docs: list[Doc]) -> list[Example]:
    """The documents as the pipeline's own tokenizer sees them, with their gold entities."""
    gold = DocBin(docs=docs).get_docs(nlp.vocab)
    return [Example(nlp.make_doc(doc.text), doc) for doc in gold]


def flair_tagger(bert: str, docs: list[Doc]):
    """flair's SequenceTagger with a BiLSTM and a CRF on the same BERT, fine-tuned.

    Raises ImportError if flair is not installed.
    """
    import flair
    from flair.data import Dictionary
    from flair.embeddings import TransformerWordEmbeddings
    from flair.models import SequenceTagger

    flair.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tags = Dictionary(add_unk=False)
    tags.span_labels = True  # else each label would be a tag
    for label in sorted({ent.label_ for doc in docs for ent in doc.ents}):
        tags.add_item(label)
    embeddings = TransformerWordEmbeddings(bert, layers="-1", fine_tune=True)
    return SequenceTagger(
        embeddings,
        tags,
        "ner",
        hidden_size=128,
        rnn_layers=1,
        use_rnn=True,
        use_crf=True,
        reproject_embeddings=False,
        dropout=0.1,
        word_dropout=0.0,
        locked_dropout=0.0,
    )


def flair_sentences(docs: list[Doc]) -> list:
    """The documents' tokens and entities as flair has them."""
    from flair.data import Sentence

    sentences = []
    for doc in docs:
        sentence = Sentence([token.text for token in doc])
        for ent in doc.ents:
            sentence[ent.start : ent.end].add_label("ner", ent.label_)
        sentences.append(sentence)
    return sentences


def describe_machine(setting: Setting) -> str:
    """Where and with what a figure was made."""
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"no {package}")
    name = torch.cuda.get_device_name() if setting.gpu_id >= 0 else platform.machine()
    return f"{Path(setting.bert).name}, {name}, {setting.threads} threads, {', '.join(versions)}"


def _initialized(nlp: Language, docs: list[Doc]) -> Language:
    nlp.initialize(lambda: examples_for(nlp, docs))
    return nlp
