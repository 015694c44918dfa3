"""`python -m spacy bertcrf learning-curve`: would more annotation help, and how much?"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.separate_training import train_separately

if TYPE_CHECKING:
    from spacy.tokens import Doc

SCORES = "scores.json"


@bertcrf_app.command(
    "learning-curve", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def learning_curve_cli(
    ctx: typer.Context,
    config: Annotated[Path, typer.Argument(help="Training config")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for corpora and scores")],
    sizes: Annotated[
        str, typer.Option(help="Shares or numbers of training documents, with commas")
    ] = "10%,25%,50%,100%",
    seeds: Annotated[str, typer.Option(help="Seeds of order and training, with commas")] = "0",
    score: Annotated[str, typer.Option(help="Which score to draw")] = "ents_f",
    plot: Annotated[Path | None, typer.Option(help="Draw to this .svg, .png or .pdf")] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Train on more and more of a corpus, and say what twice as much of it may give.

    The documents are shuffled once a seed, and each part is in the next one. The dev corpus stays
    as it is. What was trained already is not trained again: the same command goes on where it was
    stopped. Settings of the config can be overridden, as in `spacy train`. The fit is a power law
    (Cortes et al. 1993); with one seed, or three sizes, take it for no more than a hint.
    """
    from spacy.cli._util import parse_config_overrides, show_validation_error
    from spacy.util import load_config

    from spacy_bertcrf.corpora.subsets import subset_sizes
    from spacy_bertcrf.evaluation.figure_file import check_plot, write_whole
    from spacy_bertcrf.evaluation.learning_curve import plot_learning_curve
    from spacy_bertcrf.training.made_by import made_by

    if not config.exists():
        msg.fail("Config file not found", config, exits=1)
    settings = list(ctx.args)
    overrides = parse_config_overrides(list(ctx.args))
    with show_validation_error(config):
        loaded = load_config(config, overrides=overrides, interpolate=True)
    try:
        if plot is not None:
            check_plot(plot)
        train, docs = _training_docs(loaded)
        asked = made_by(config, overrides)
        wanted = subset_sizes(sizes.split(","), len(docs))
        chosen = [int(seed) for seed in seeds.split(",")]
        scores: dict[int, list[float]] = {n: [] for n in wanted}
        for seed in chosen:
            for n in wanted:
                folder = output / f"{n}-{seed}"
                found = _known_scores(folder, asked)
                if found is None:
                    _train(config, settings, train, docs, n, seed, folder, gpu_id)
                    found = _keep_scores(folder, asked)
                if score not in found:
                    raise ValueError(
                        f"The training has no score '{score}', only {', '.join(found)}."
                    )
                scores[n].append(found[score])
                msg.text(f"{n:,} documents, seed {seed}: {score} {found[score]:.2%}")
        if plot is not None:
            write_whole(plot, plot_learning_curve(scores, score, plot.suffix[1:].lower()))
    except (ValueError, ImportError, OSError) as error:
        msg.fail("There is no learning curve", str(error), exits=1)
    _print(scores, score)
    if plot is not None:
        msg.good(f"Wrote the figure to {plot}")


def _training_docs(config: Mapping[str, Any]) -> "tuple[str, list[Doc]]":
    """The name of the training corpus' block in the config, and its documents."""
    import spacy
    from spacy.tokens import DocBin

    name = config["training"]["train_corpus"]
    block: Any = config
    for part in name.split("."):
        block = block[part]
    path = Path(str(block.get("path") or ""))
    if not path.is_file() or path.suffix != ".spacy":
        raise ValueError(f"[{name}] path is {path}: a learning curve needs one .spacy file.")
    docs = list(DocBin().from_disk(path).get_docs(spacy.blank(config["nlp"]["lang"]).vocab))
    if len(docs) < 2:
        raise ValueError(f"{path} has {len(docs)} documents: there are no parts of it.")
    return name, docs


def _known_scores(folder: Path, made_by: Mapping[str, Any]) -> dict[str, float] | None:
    """The scores of a training that is done, or None. Raises ValueError if it is of something
    else."""
    from spacy_bertcrf.training.made_by import require_same

    done = folder / SCORES
    if not done.exists():
        return None
    known = json.loads(done.read_text(encoding="utf8"))
    require_same(folder, known["made_by"], made_by)
    return dict(known["scores"])


def _train(
    config: Path,
    overrides: Sequence[str],
    train: str,
    docs: "Sequence[Doc]",
    n: int,
    seed: int,
    folder: Path,
    gpu_id: int,
) -> None:
    """Train on n of the documents."""
    from spacy.tokens import DocBin

    from spacy_bertcrf.corpora.subsets import shuffled

    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "train.spacy"
    DocBin(docs=shuffled(docs, seed)[:n], store_user_data=True).to_disk(part)
    settings = [*overrides, f"--{train}.path", str(part), "--system.seed", str(seed)]
    train_separately(config, settings, folder, gpu_id, f"{n:,} documents")


def _keep_scores(folder: Path, made_by: Mapping[str, Any]) -> dict[str, float]:
    from spacy_bertcrf.evaluation.figure_file import write_whole

    meta = json.loads((folder / "model-best" / "meta.json").read_text(encoding="utf8"))
    found = meta["performance"]
    scores = {name: value for name, value in found.items() if isinstance(value, int | float)}
    content = json.dumps({"made_by": made_by, "scores": scores})
    write_whole(folder / SCORES, content.encode("utf8"))
    return scores


def _print(scores: Mapping[int, Sequence[float]], score: str) -> None:
    from statistics import mean, stdev

    from spacy_bertcrf.evaluation.learning_curve import LEAST_SIZES, fit_power_law

    rows = [
        (f"{n:,}", f"{mean(found):.2%}", f"{stdev(found):.2%}" if len(found) > 1 else "")
        for n, found in scores.items()
    ]
    header = ("documents", score, "deviation")
    msg.table(rows, header=header, aligns=("r", "r", "r"), divider=True)
    law = fit_power_law(scores)
    if len(scores) < LEAST_SIZES:
        msg.info(f"What more would give takes {LEAST_SIZES} --sizes.")
        return
    if law is None:
        msg.info("The scores do not grow by a power law: nothing is said of a larger corpus.")
        return
    largest = max(scores)
    now, later = float(law.score(largest)), float(law.score(2 * largest))
    msg.info(
        f"By the power law, {2 * largest:,} documents would give {later:.1%}, "
        f"{100 * (later - now):.1f} points more; the most that ever more could is "
        f"{1 - law.rest:.1%}."
    )
