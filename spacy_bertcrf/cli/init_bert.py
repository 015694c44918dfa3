"""`python -m spacy bertcrf init-bert`: a small BERT from scratch, for runs without a download."""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app


@bertcrf_app.command("init-bert")
def init_bert_cli(
    output: Annotated[Path, typer.Argument(help="Folder to write the model to")],
    inputs: Annotated[
        list[Path], typer.Argument(help="Corpus for the vocabulary: .spacy or UTF-8 text files")
    ],
    layers: Annotated[int, typer.Option(help="Transformer layers")] = 2,
    width: Annotated[int, typer.Option(help="Hidden width, a multiple of the heads")] = 128,
    heads: Annotated[int, typer.Option(help="Attention heads")] = 4,
    vocab_size: Annotated[int, typer.Option(help="Most wordpieces in the vocabulary")] = 8000,
    min_frequency: Annotated[
        int, typer.Option(help="Least occurrences of a character or wordpiece")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the random weights")] = 0,
    max_length: Annotated[int, typer.Option(help="Most wordpieces in a sequence")] = 512,
) -> None:
    """Make a small BERT with random weights and a vocabulary from a corpus, offline."""
    from spacy_bertcrf.models.init_bert import init_bert

    try:
        bert = init_bert(
            output,
            inputs,
            layers=layers,
            width=width,
            heads=heads,
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            seed=seed,
            max_length=max_length,
        )
    except (ValueError, OSError) as err:
        msg.fail("No BERT was written", str(err), exits=1)
    msg.good(
        f"Wrote a BERT with {bert.n_parameters:,} random weights to {bert.path}",
        f"{bert.n_wordpieces:,} wordpieces from {bert.n_texts:,} texts",
    )
