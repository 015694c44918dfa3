"""`python -m spacy bertcrf review`: which annotations of a corpus are probably wrong."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.calibrate import read_examples
from spacy_bertcrf.cli.devices import use_device
from spacy_bertcrf.cli.progress import counted, working

if TYPE_CHECKING:
    from spacy.language import Language

    from spacy_bertcrf.cli.fold_trainings import Fold
    from spacy_bertcrf.evaluation.judged import JudgedText
    from spacy_bertcrf.evaluation.suspects import Suspects
    from spacy_bertcrf.pipeline.entity_recognizer import CRFEntityRecognizer


@bertcrf_app.command(
    "review", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def review_cli(
    ctx: typer.Context,
    corpus: Annotated[
        Path,
        typer.Argument(
            metavar="CORPUS",
            help="Annotated documents: a .spacy file or, with a pipeline for each fold, the folder "
            "that `convert --folds` writes",
        ),
    ],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for what is found")],
    config: Annotated[
        Path | None, typer.Option(help="Training config: a pipeline is trained for each fold")
    ] = None,
    folds: Annotated[int, typer.Option(help="With --config: how many folds", min=2)] = 3,
    seed: Annotated[int, typer.Option(help="With --config: seed of folds and trainings")] = 0,
    pipelines: Annotated[
        str | None,
        typer.Option(
            help="In place of --config, last: one pipeline that has seen nothing of the corpus, or "
            "one for each fold, in their order, trained on fold-1/train.spacy and so on",
            metavar="A [B C]",
        ),
    ] = None,
    component: Annotated[str, typer.Option(help="Name of the component")] = "bertcrf",
    limit: Annotated[int, typer.Option(help="Suggestions on the page", min=0)] = 1000,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Find the annotations of a corpus that are probably wrong, the most suspicious first: wrong
    labels, wrong borders, missing entities, and entities that should not be there.

    Each part of the corpus is read by a pipeline that has not learned from it. With --config these
    are trained, in OUT/fold-1 and so on, with settings of the config overridden as in `train`; the
    same command goes on where it was stopped. OUT/review.html shows the suggestions and takes
    decisions, which `apply-review` writes into the corpus; OUT/suggestions.jsonl has them for
    programs, and OUT/prodigy.jsonl and OUT/label-studio.json have the texts with what is suggested,
    to be corrected there.
    """
    from spacy_bertcrf.cli.review_files import write_review
    from spacy_bertcrf.evaluation.suspects import suspects

    try:
        if (config is None) == (pipelines is None):
            raise ValueError("Give either --config, to train, or --pipelines that are trained.")
        if output.exists() and not output.is_dir():
            raise ValueError(f"{output} is a file. Name a folder for what is found.")
        use_device(gpu_id)
        if config is not None:
            parts = _trained(corpus, output, config, folds, seed, ctx.args, gpu_id)
        else:
            assert pipelines is not None
            parts = _given(corpus, [pipelines, *ctx.args])
        texts, places = _weighed(parts, component)
        found = suspects(texts)
        write_review(output, corpus.stem, texts, found, places, limit)
    except (ValueError, ImportError, OSError) as err:
        msg.fail("Nothing was reviewed", str(err), exits=1)
    _print(texts, found)
    msg.good(f"Wrote {output / 'review.html'}")


def _trained(
    corpus: Path,
    output: Path,
    config: Path,
    n_folds: int,
    seed: int,
    args: Sequence[str],
    gpu_id: int,
) -> "list[Fold]":
    from spacy.cli._util import parse_config_overrides, show_validation_error
    from spacy.util import load_config

    from spacy_bertcrf.cli.fold_trainings import Setup, train_folds

    if not config.is_file():
        raise ValueError(f"There is no config {config}.")
    # spaCy takes the overrides out of the list as it reads them.
    overrides: dict[str, Any] = parse_config_overrides(list(args))
    with show_validation_error(config):
        blocks = load_config(config, overrides=overrides, interpolate=True)
    check_gold(corpus)
    setup = Setup(config, blocks, list(args), seed, gpu_id)
    return train_folds(corpus, output, n_folds, setup, told=msg.text)


def check_gold(path: Path) -> None:
    """Raise ValueError if a .spacy file is none, or has no entity: nothing is learned there."""
    from spacy_bertcrf.corpora.stored import read_stored

    docs = read_stored(path).docs
    if not any(len(doc) for doc in docs):
        raise ValueError(f"{path} has no document with a token, so there is nothing to review.")
    if not any(doc.ents for doc in docs):
        raise ValueError(f"{path} has no entity: nothing can be learned from it.")


def _given(corpus: Path, names: Sequence[str]) -> "list[Fold]":
    from spacy_bertcrf.cli.fold_trainings import Fold

    if unknown := [name for name in names if name.startswith("-")]:
        raise ValueError(f"{unknown[0]} is no option here: settings are for --config.")
    if len(names) == 1 and corpus.is_file():
        return [Fold(Path(names[0]), corpus)]
    parts = [corpus / f"fold-{i}" / "dev.spacy" for i in range(1, len(names) + 1)]
    missing = [part for part in parts if not part.is_file()]
    more = corpus / f"fold-{len(names) + 1}"
    if missing or more.exists():
        raise ValueError(
            f"{len(names)} pipelines are for a folder of {len(names)} folds, as `bertcrf convert "
            f"--folds {len(names)}` writes it: the first has not seen fold-1/dev.spacy, and so on. "
            + (f"There is no {missing[0]}." if missing else f"There is a {more} too.")
        )
    return [Fold(Path(name), part) for name, part in zip(names, parts, strict=True)]


def _weighed(
    parts: "Sequence[Fold]", component: str
) -> "tuple[list[JudgedText], list[tuple[Path, Sequence[int]]]]":
    """The texts of all parts, in the order of the corpus, and the parts with the places of their
    texts there."""
    from spacy import load

    from spacy_bertcrf.corpora.stored import read_stored
    from spacy_bertcrf.evaluation.judged import JudgedText
    from spacy_bertcrf.evaluation.likely import weigh

    placed: list[tuple[int, JudgedText]] = []
    places: list[tuple[Path, Sequence[int]]] = []
    for part in parts:
        with working(f"Loading {part.pipeline}"):
            nlp = load(part.pipeline)
        recognizer = _recognizer(nlp, component, part)
        read = partial(read_examples, nlp, part.part)
        _check_part(nlp, part, recognizer.labels)
        found = list(counted(weigh(nlp, component, read), f"Reading {part.part}"))
        docs = read_stored(part.part).docs
        numbers = part.numbers
        if numbers is None:
            numbers = range(len(placed), len(placed) + len(docs))
        # spaCy's reader passes over documents without tokens.
        are_read = [(number, len(doc) > 0) for number, doc in zip(numbers, docs, strict=True)]
        placed += zip([number for number, is_read in are_read if is_read], found, strict=True)
        placed += [(number, JudgedText("", (), ())) for number, is_read in are_read if not is_read]
        places.append((part.part, numbers))
    return [text for _, text in sorted(placed, key=lambda item: item[0])], places


def _recognizer(nlp: "Language", component: str, part: "Fold") -> "CRFEntityRecognizer":
    from spacy_bertcrf.cli.named_component import named_component
    from spacy_bertcrf.pipeline.entity_recognizer import CRFEntityRecognizer

    try:
        return named_component(nlp, component, CRFEntityRecognizer, "bertcrf")
    except ValueError as error:
        raise ValueError(f"{part.pipeline}: {error}") from error


def _check_part(nlp: "Language", part: "Fold", labels: Sequence[str]) -> None:
    references = [example.reference for example in read_examples(nlp, part.part)]
    if not any(len(reference) for reference in references):
        raise ValueError(
            f"{part.part} has no document with a token, so there is nothing to review."
        )
    if not any(reference.has_annotation("ENT_IOB") for reference in references):
        raise ValueError(f"No document of {part.part} is annotated: doc.ents was never set.")
    found = {ent.label_ for reference in references for ent in reference.ents}
    if found and found.isdisjoint(labels):
        raise ValueError(
            f"{part.part} has the labels {', '.join(sorted(found))}, and {part.pipeline} knows "
            f"none of them, only {', '.join(labels)}."
        )
    if unknown := sorted(found.difference(labels)):
        msg.warn(f"{part.pipeline} does not know the labels {', '.join(unknown)}")


def _print(texts: "Sequence[JudgedText]", found: "Suspects") -> None:
    from collections import Counter

    from spacy_bertcrf.evaluation.suspects import DOUBTS

    if not any(text.gold for text in texts):
        msg.warn("The corpus has no entity: all that is suggested are missing ones.")
    if found.n_unjudged:
        msg.warn(
            f"Nothing is said of {found.n_unjudged:,} gold entities: the pipeline does not know "
            "their label, or they do not fit its tokens"
        )
    counts = Counter(item.doubt for item in found.suggestions)
    rows = [(doubt, f"{counts[doubt]:,}") for doubt in DOUBTS.values()]
    msg.table([*rows, ("all", f"{len(found.suggestions):,}")], aligns=("l", "r"))
