"""`python -m spacy bertcrf init-config`: a training config made for a corpus."""

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.progress import working

if TYPE_CHECKING:
    from spacy_bertcrf.training.recipes.choices import Choice

TEXTS_TO_GUESS_BY = 1000


@bertcrf_app.command("init-config")
def init_config_cli(
    train: Annotated[
        Path,
        typer.Argument(
            metavar="TRAIN.spacy",
            help="The training corpus: a .spacy file or a folder of them",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Argument(metavar="CONFIG.cfg", help="The config to write", show_default=False)
    ],
    transformer: Annotated[
        str,
        typer.Option(
            "--transformer",
            "-t",
            help="A BERT on the Hugging Face hub, or its folder",
            show_default=False,
        ),
    ],
    dev: Annotated[
        Path | None,
        typer.Option(help="The development corpus  [default: dev.spacy beside TRAIN.spacy]"),
    ] = None,
    lang: Annotated[
        str | None, typer.Option(help="Language code  [default: zh or en, by the texts]")
    ] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="The training will run on a GPU")] = False,
    force: Annotated[
        bool, typer.Option("--force", "-F", help="Replace a config that is there")
    ] = False,
) -> None:
    """Write a training config for a corpus, with the reason for each choice.

    Batches, number of steps, evaluations, learning rate and precision follow from the corpus, the
    BERT and the machine.
    """
    from spacy_bertcrf.training.recipes.recipe import make_recipe

    try:
        if output.exists() and not force:
            raise ValueError(f"{output} is there already. Use --force to replace it.")
        beside = train.with_name("dev.spacy")
        if dev is None and train.is_file() and beside.is_file() and beside != train:
            dev = beside
        with working("Looking at the corpus"):
            recipe = make_recipe(train, dev, transformer, _language(train, lang), gpu=gpu)
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(recipe.text, encoding="utf-8")
    except (ValueError, OSError) as err:
        msg.fail("No config was written", str(err), exits=1)
    for remark in recipe.remarks:
        msg.text(remark)
    for choice in recipe.choices:
        msg.text(f"\n{choice.key} = {json.dumps(choice.value)}")
        if choice.reason:
            msg.text(f"  {choice.reason}")
    msg.good(f"Wrote {output}. To train: python -m spacy train {output} --output training")


def _language(train: Path, lang: str | None) -> "Choice":
    from spacy import blank
    from spacy.training import Corpus
    from spacy.training.corpus import walk_corpus

    from spacy_bertcrf.corpora.language import guess_language
    from spacy_bertcrf.training.recipes.choices import Choice
    from spacy_bertcrf.training.recipes.recipe import check_corpus

    if lang is not None:
        return Choice("nlp.lang", lang, "As was said by --lang.")
    check_corpus(train)
    docs = Corpus(train).read_docbin(blank("xx").vocab, walk_corpus(train, ".spacy"))
    found = guess_language(token.text for doc in islice(docs, TEXTS_TO_GUESS_BY) for token in doc)
    seen = "are mostly" if found == "zh" else "are mostly not"
    reason = f"The tokens {seen} of Chinese characters; for another language, give --lang."
    if found == "zh":
        reason += " Its tokenizer makes each character a token, and so fits entities of any kind."
    return Choice("nlp.lang", found, reason)
