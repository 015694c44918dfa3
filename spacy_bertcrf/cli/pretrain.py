"""`python -m spacy bertcrf pretrain`: a BERT that has read one's own texts."""

import math
import os
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from wasabi import Printer

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.progress import working

if TYPE_CHECKING:
    from spacy_bertcrf.pretraining.pretrain import Pretrained
    from spacy_bertcrf.pretraining.texts import Texts

MASKINGS = ("words", "ngrams", "pieces")
PROBLEMS_SHOWN = 5

MaskingKind = Enum("MaskingKind", {name: name for name in MASKINGS})  # type: ignore[misc]


@bertcrf_app.command("pretrain")
def pretrain_cli(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT...",
            help="UTF-8 files, a text a line, and .spacy files, both also as .gz; or globs",
        ),
    ],
    output: Annotated[Path, typer.Option(help="Folder to write the model to")],
    base: Annotated[
        str | None, typer.Option(help="A model on the Hugging Face hub or its folder, to go on")
    ] = None,
    new: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Start anew, with a vocabulary from TEXT: tiny, mini, small, medium or base",
        ),
    ] = None,
    layers: Annotated[int | None, typer.Option(help="With --new, in place of SIZE's")] = None,
    width: Annotated[int | None, typer.Option(help="With --new, in place of SIZE's")] = None,
    heads: Annotated[
        int | None, typer.Option(help="With --new: attention heads  [default: a 64th of the width]")
    ] = None,
    vocab_size: Annotated[int, typer.Option(help="With --new: most wordpieces")] = 8000,
    min_frequency: Annotated[
        int, typer.Option(help="With --new: least occurrences of a character or wordpiece")
    ] = 1,
    epochs: Annotated[float, typer.Option(help="How often TEXT is read; 0 to train nothing")] = 1.0,
    steps: Annotated[
        int | None, typer.Option(help="Updates of the weights, in place of --epochs")
    ] = None,
    head_steps: Annotated[
        int | None,
        typer.Option(
            help="Steps in which only the head is trained  [default: a tenth, for a base without "
            "one]"
        ),
    ] = None,
    masking: Annotated[
        MaskingKind,
        typer.Option(
            help="What is masked as a whole: words (Chinese: jieba's), one to four words in a "
            "row, or wordpieces"
        ),
    ] = MaskingKind["words"],
    masked_share: Annotated[float, typer.Option(help="Share of masked wordpieces")] = 0.15,
    max_length: Annotated[int, typer.Option(help="Most wordpieces in a sequence")] = 512,
    held_out: Annotated[
        float, typer.Option(help="Share of the texts that measures the loss")
    ] = 0.01,
    batch_size: Annotated[int, typer.Option(help="Sequences at once on each device")] = 8,
    accumulate: Annotated[int, typer.Option(help="Batches for one update")] = 1,
    learn_rate: Annotated[float, typer.Option(help="Highest learning rate")] = 1e-4,
    warmup: Annotated[float, typer.Option(help="Share of the steps in which it rises")] = 0.06,
    bf16: Annotated[bool, typer.Option("--bf16", help="Compute in bfloat16")] = False,
    gradient_checkpointing: Annotated[
        bool, typer.Option("--gradient-checkpointing", help="Less memory, more time")
    ] = False,
    eval_every: Annotated[
        int, typer.Option(help="Steps between measurements of the held-out loss; 0: at the ends")
    ] = 0,
    save_every: Annotated[int, typer.Option(help="Steps between checkpoints; 0: none")] = 0,
    log_every: Annotated[int, typer.Option(help="Steps between losses in log and plot")] = 10,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint of the same command")
    ] = False,
    cpu: Annotated[bool, typer.Option("--cpu", help="Leave a GPU unused")] = False,
    seed: Annotated[int, typer.Option(help="Of weights, order, masks and dropout")] = 0,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the losses to this .svg, .png or .pdf")
    ] = None,
) -> None:
    """Train a BERT on raw text to predict masked words, from a model or from scratch.

    With several GPUs: torchrun --nproc-per-node N -m spacy bertcrf pretrain …
    """
    # Of several processes that train together one speaks.
    msg = Printer(no_print=os.environ.get("RANK", "0") != "0")
    from spacy_bertcrf.pretraining.model_folder import check_output, save_model
    from spacy_bertcrf.pretraining.texts import Texts, find_files

    try:
        if (base is None) == (new is None):
            raise ValueError("Give either --base, a model to go on with, or --new, a size.")
        if plot is not None:
            from spacy_bertcrf.evaluation.figure_file import check_plot

            check_plot(plot)
        check_output(output)
        texts = Texts(find_files(inputs))
        trains = bool(epochs if steps is None else steps)
        if base is not None and not trains:
            raise ValueError("Without a step the base stays as it is; nothing is trained.")
        if new is not None:
            with working("Making a vocabulary", is_shown=not msg.no_print):
                model, tokenizer = _new(
                    texts, new, layers, width, heads, max_length, vocab_size, min_frequency, seed
                )
        if not trains:
            save_model(output, model, tokenizer)
            _print_problems(msg, texts.problems)
            msg.good(
                f"Wrote a BERT with {model.num_parameters():,} random weights to {output}",
                f"{len(tokenizer):,} wordpieces",
            )
            return
        from spacy_bertcrf.pretraining.base_model import BaseModel, load_base
        from spacy_bertcrf.pretraining.pretrain import Reading, pretrain
        from spacy_bertcrf.pretraining.settings import Settings

        start = BaseModel(model, tokenizer, []) if base is None else load_base(base)
        if start.new_weights:
            msg.warn(
                f"{base} has no head for masked words; its head starts with random weights",
                f"Missing: {', '.join(start.new_weights)}. The loss before training says nothing.",
            )
        reading = Reading(masking.value, masked_share, max_length, held_out, seed)
        settings = Settings(
            steps=steps,
            epochs=epochs,
            head_steps=head_steps,
            batch_size=batch_size,
            accumulate=accumulate,
            learn_rate=learn_rate,
            warmup=warmup,
            bf16=bf16,
            gradient_checkpointing=gradient_checkpointing,
            eval_every=eval_every,
            save_every=save_every,
            log_every=log_every,
            cpu=cpu,
            seed=seed,
        )
        done = pretrain(start, texts, output, reading, settings, resume=resume)
        if plot is not None and done.losses.is_main:
            _plot(plot, done.losses.log)
    except (ValueError, ImportError, OSError) as err:
        msg.fail("No model was written", str(err))
        raise typer.Exit(1) from err
    _print_problems(msg, texts.problems)
    _print_losses(msg, done)
    msg.good(f"Wrote the model to {output}")


def _new(
    texts: "Texts",
    name: str,
    layers: int | None,
    width: int | None,
    heads: int | None,
    max_length: int,
    vocab_size: int,
    min_frequency: int,
    seed: int,
) -> tuple[Any, Any]:
    from spacy_bertcrf.pretraining.new_bert import SIZES, new_bert

    if name not in SIZES:
        raise ValueError(f"There is no size '{name}'; there are {', '.join(SIZES)}.")
    given = {"layers": layers, "width": width, "heads": heads, "max_length": max_length}
    size = SIZES[name]._replace(**{key: n for key, n in given.items() if n is not None})
    return new_bert(texts, size, vocab_size=vocab_size, min_frequency=min_frequency, seed=seed)


def _plot(path: Path, log: Sequence[dict[str, Any]]) -> None:
    from spacy_bertcrf.evaluation.figure_file import write_whole
    from spacy_bertcrf.evaluation.pretraining_curve import plot_pretraining

    write_whole(path, plot_pretraining(log, path.suffix[1:].lower()))


def _print_problems(msg: Printer, problems: Sequence[str]) -> None:
    for problem in problems[:PROBLEMS_SHOWN]:
        msg.warn(problem)
    if len(problems) > PROBLEMS_SHOWN:
        msg.warn(f"… and {len(problems) - PROBLEMS_SHOWN:,} more")


def _print_losses(msg: Printer, done: "Pretrained") -> None:
    sequences = "" if done.n_sequences is None else f" on {done.n_sequences:,} sequences"
    msg.text(f"Trained {done.steps:,} steps{sequences}")
    before, after = done.losses.before, done.losses.after
    if before is None or after is None:
        msg.warn("No text was held out: there is no loss to report", "Give a larger --held-out.")
        return
    rows = [
        [name, f"{loss:.4f}", f"{math.exp(min(loss, 100)):,.2f}"]
        for name, loss in (("before", before), ("after", after))
    ]
    msg.text(f"Masked words of {done.n_held_out:,} held-out sequences:")
    msg.table(rows, header=("", "loss", "perplexity"), aligns=("l", "r", "r"), divider=True)
