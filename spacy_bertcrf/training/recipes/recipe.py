"""A training config for a corpus, with what was seen of the corpus and the reasons."""

from pathlib import Path
from typing import NamedTuple

import spacy
from spacy.training import Corpus

from spacy_bertcrf.models.bert.pretrained import load_tokenizer
from spacy_bertcrf.models.bert.wordpieces import WordpieceTokenizer
from spacy_bertcrf.training.recipes.base_config import BASE_CONFIG
from spacy_bertcrf.training.recipes.choices import Choice, Machine, choose
from spacy_bertcrf.training.recipes.config_text import write_config
from spacy_bertcrf.training.recipes.corpus_survey import CorpusSurvey, survey_corpus
from spacy_bertcrf.training.recipes.machine import bert_size, computes_in_bfloat16
from spacy_bertcrf.training.recipes.remarks import remarks

WAITING = "No development corpus was given: give one by --paths.dev when you train."


class Recipe(NamedTuple):
    """text: of the config. remarks: on the corpora, a paragraph each. choices: settings that
    depend on these, the BERT and the machine."""

    text: str
    remarks: list[str]
    choices: list[Choice]


def make_recipe(
    train: Path, dev: Path | None, transformer: str, lang: Choice, *, gpu: bool
) -> Recipe:
    """Look through the corpora and make a config for them.

    train, dev: .spacy files, or folders of them.
    transformer: a BERT on the Hugging Face hub, or its folder.
    lang: the choice of `nlp.lang`.
    gpu: whether the training will run on a GPU.

    Raises ValueError if there is no such corpus, language or BERT, and for a training corpus
    without a text or without an entity.
    """
    size = bert_size(transformer)
    tokenizer = WordpieceTokenizer(load_tokenizer(transformer, {}), "token")
    surveyed = _survey(train, lang.value, tokenizer)
    choices = [
        Choice("paths.train", str(train), "What the config was made for."),
        Choice("paths.dev", None if dev is None else str(dev), WAITING if dev is None else ""),
        Choice("paths.transformer", transformer, "Its tokenizer measures the batches too."),
        lang,
        *choose(surveyed, size, Machine(gpu, computes_in_bfloat16())),
    ]
    judged = None if dev is None else _survey(dev, lang.value, tokenizer)
    said = list(remarks(surveyed, judged))
    return Recipe(write_config(BASE_CONFIG, choices, said), said, choices)


def check_corpus(path: Path) -> None:
    """Raise ValueError unless it is a .spacy file or a folder with some."""
    if path.suffix == ".spacy" and path.is_file():
        return
    if not path.is_dir() or not any(path.rglob("*.spacy")):
        what = "is no .spacy file, and has none inside" if path.exists() else "is not there"
        raise ValueError(
            f"The corpus {path} {what}. Make one, of any format, by "
            "`python -m spacy bertcrf convert`."
        )


def _survey(path: Path, lang: str, tokenizer: WordpieceTokenizer) -> CorpusSurvey:
    check_corpus(path)
    try:
        nlp = spacy.blank(lang)
    except ImportError as error:
        raise ValueError(f"spaCy cannot make a tokenizer for '{lang}': {error}") from error
    n_special = len(tokenizer.prefix) + len(tokenizer.suffix)
    return survey_corpus(Corpus(path)(nlp), lambda docs: tokenizer(docs).doc_lengths + n_special)
