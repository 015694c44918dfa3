"""`python -m spacy bertcrf distill`: a small model taught by large ones."""

import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from spacy_bertcrf.training.strategies.teachers import Teachers

MADE_BY, TEXTS_ARE = "distill.json", "texts.json"
TOKENS_AT_ONCE = 4096  # that a teacher reads before they are kept
TEXTS_COMPARED = 100  # whose tokens have to be those that the teachers make
SPEED_TEXTS = 1000
SPEED_ROUNDS = 3


@bertcrf_app.command(
    "distill", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def distill_cli(
    ctx: typer.Context,
    teachers: Annotated[list[str], typer.Argument(help="Pipelines to learn from")],
    texts: Annotated[
        list[str],
        typer.Option(help="Raw texts: .txt (a text a line), .spacy, also .gz; or globs; repeat it"),
    ],
    student: Annotated[Path, typer.Option(help="Training config of the small pipeline")],
    train: Annotated[Path, typer.Option(help="Annotated texts, .spacy")],
    dev: Annotated[Path, typer.Option(help="Annotated texts to judge by, .spacy")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for all of it")],
    limit: Annotated[int | None, typer.Option(help="Raw texts at most", min=1)] = None,
    weight: Annotated[float, typer.Option(help="Of what the teacher says", min=0)] = 1.0,
    likelihood: Annotated[float, typer.Option(help="Of what the annotation says", min=0)] = 1.0,
    temperature: Annotated[float, typer.Option(help="Of both distributions", min=0.05)] = 1.0,
    annotated: Annotated[
        bool, typer.Option(help="Ask the teacher for the annotated texts too")
    ] = True,
    baseline: Annotated[
        bool, typer.Option(help="Train the student without a teacher too, to compare")
    ] = True,
    code: Annotated[
        Path | None,
        typer.Option("--code", "-c", help="Python file with registered functions, to be imported"),
    ] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Train a small pipeline on what large ones believe of raw and of annotated texts.

    What the teachers (several are taken as their mean) believe of each text is asked once and kept
    in OUTPUT/beliefs.sqlite, from which any student can learn again. The pipelines are in
    OUTPUT/student and OUTPUT/undistilled. After a kill, the same command goes on where it was.
    Settings of the student's config can be overridden, as in `spacy train`; the number of epochs
    counts the raw texts too. At the end, F1 on dev and words per second of all.
    """
    from spacy.cli._util import import_code, parse_config_overrides, show_validation_error
    from spacy.training.initialize import init_nlp
    from spacy.util import load_config

    from spacy_bertcrf.cli.devices import use_device
    from spacy_bertcrf.cli.forgotten_teacher import forget_teacher
    from spacy_bertcrf.cli.raw_texts import add_texts, say_what_was_taken, take_texts, texts_of
    from spacy_bertcrf.training.strategies.teachers import Teachers

    if not student.exists():
        msg.fail("Config file not found", student, exits=1)
    # Options that typer does not know come with the arguments, of which there may be many.
    paths = list(takewhile(lambda part: not part.startswith("--"), teachers))
    overrides = parse_config_overrides([*teachers[len(paths) :], *ctx.args])
    overrides |= {"paths.train": str(train), "paths.dev": str(dev)}
    import_code(code)
    use_device(gpu_id, silent=False)
    kept_in = output / "beliefs.sqlite"
    try:
        with show_validation_error(student):
            config = load_config(student, overrides=overrides, interpolate=True)
        _check_that_none_is_a_file(paths)
        asked = Teachers(paths, temperature, kept_in)
        made_by = {
            "config": json.loads(json.dumps(config)),
            "teachers": asked.fingerprint,
            "texts": list(texts),
            "settings": [limit, weight, likelihood, temperature, annotated],
        }
        _remember(output / MADE_BY, made_by)
        msg.divider("Texts")
        nlp = init_nlp(config.copy(), use_gpu=gpu_id)
        name = _component_of(nlp)
        of_train, of_dev = (
            texts_of(nlp, config, config["training"][key]) for key in ("train_corpus", "dev_corpus")
        )
        found, raw = output / "texts.new.spacy", output / "texts.spacy"
        taken = take_texts(texts, nlp, of_train, of_dev, found, limit)
        try:
            _remember(output / TEXTS_ARE, hashlib.sha256(found.read_bytes()).hexdigest())
            found.replace(raw)
        finally:
            found.unlink(missing_ok=True)
        say_what_was_taken(taken)
        config_of_student = config.copy()
        add_texts(config_of_student, raw)
        strategies = config_of_student["components"][name].setdefault("strategies", {})
        strategies["distillation"] = {
            "@misc": "spacy-bertcrf.Distillation.v1",
            "teacher": paths,
            "weight": weight,
            "likelihood": likelihood,
            "temperature": temperature,
            "annotated": annotated,
            "kept_in": str(kept_in),
        }
        msg.divider("What the teacher believes")
        _ask(asked, nlp, name, config_of_student if annotated else None, raw)
        del asked
        msg.divider("The student")
        _train(config_of_student, output / "student", gpu_id, code)
        for saved in ("model-best", "model-last"):
            forget_teacher(output / "student" / saved, config, "distillation")
        if baseline:
            msg.divider("The student without a teacher")
            _train(config, output / "undistilled", gpu_id, code)
        msg.divider("What it was worth")
        judged = [(path, path) for path in paths]
        for made in ("student", "undistilled") if baseline else ("student",):
            judged.append((made, str(output / made / "model-best")))
        _print([(title, *_judged(path, dev)) for title, path in judged])
    except (ValueError, OSError) as error:
        msg.fail("Nothing was distilled", str(error), exits=1)


def _check_that_none_is_a_file(teachers: Sequence[str]) -> None:
    """Raises ValueError if one is."""
    for path in teachers:
        if Path(path).is_file():
            raise ValueError(
                f"{path} is a file, and a teacher is a pipeline. If a shell has put files in the "
                "place of --texts *.txt.gz, quote it; or repeat --texts for each file."
            )


def _remember(path: Path, made_by: Any) -> None:
    """Raises ValueError if what is in the folder was begun with something else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and json.loads(path.read_text(encoding="utf8")) != made_by:
        raise ValueError(
            f"{path.parent} was begun with another config, another teacher, other texts or other "
            "settings. Take a new --output; beliefs.sqlite can be copied there."
        )
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(made_by), encoding="utf8")
    draft.replace(path)


def _component_of(nlp: "Language") -> str:
    from spacy_bertcrf.pipeline.recognizer import Recognizer

    names = [name for name, pipe in nlp.pipeline if isinstance(pipe, Recognizer)]
    if len(names) != 1:
        raise ValueError(
            f"The student's config has {len(names)} components of the kinds bertcrf and "
            "bertcrf_spans; it must have one."
        )
    return names[0]


def _ask(teachers: "Teachers", nlp: "Language", name: str, config: Any, raw: Path) -> None:
    """Have the teachers read all texts that they have not read yet.

    config: of whose training corpus the annotated texts are asked for too.
    """
    from spacy.tokens import DocBin
    from spacy.util import resolve_dot_names

    from spacy_bertcrf.cli.progress import counting
    from spacy_bertcrf.models.distillation.beliefs import tags_of

    pipe: Any = nlp.get_pipe(name)
    learner = tags_of(pipe.model)
    docs: list[Doc]
    if config is None:
        docs = list(DocBin().from_disk(raw).get_docs(nlp.vocab))
    else:
        (reader,) = resolve_dot_names(config, [config["training"]["train_corpus"]])
        docs = [example.predicted for example in reader(nlp)]
    is_kept = teachers.has(docs, learner)
    missing = [doc for doc, kept in zip(docs, is_kept, strict=True) if not kept and len(doc)]
    msg.info(f"{len(missing):,} of {len(docs):,} texts are still to be read")
    missing.sort(key=len)
    with counting("Asking the teacher") as bar:
        for doc in missing[:: 1 + len(missing) // TEXTS_COMPARED]:
            for member in teachers.members:
                member.check_tokens(nlp.make_doc(doc.text))
        while missing:
            n = max(1, TOKENS_AT_ONCE // len(missing[-1]))
            part, missing = missing[-n:], missing[:-n]
            teachers.beliefs(part, learner)
            bar.update(len(part))


def _train(config: Any, folder: Path, gpu_id: int, code: Path | None) -> None:
    """Train, or go on training, in a process of its own: nothing of one is left for the next."""
    import multiprocessing
    import sys

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.cfg"
    config.to_disk(path)
    arguments = ["train", str(path), "--output", str(folder), "--gpu-id", str(gpu_id), "--resume"]
    if code is not None:
        arguments += ["--code", str(code)]
    sys.stdout.flush()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(arguments,))
    process.start()
    process.join()
    if process.exitcode:
        raise ValueError(f"The training in {folder} has ended early; the same command goes on.")


def _run(arguments: list[str]) -> None:
    from spacy_bertcrf.annotation.engine_local import end_with_parent

    # Else the same command, when it goes on after a kill, would train beside it.
    end_with_parent()
    bertcrf_app(arguments, prog_name="python -m spacy bertcrf")


def _judged(pipeline: str, dev: Path) -> tuple[float, float]:
    """F1 and words per second."""
    from spacy.training import Corpus

    from spacy_bertcrf.training.strategies.teachers import Teacher

    # A teacher may have other recognisers beside the one that was learned from.
    judged = Teacher(pipeline)
    nlp, pipe = judged.nlp, judged.component
    examples = list(Corpus(dev)(nlp))
    scores = nlp.evaluate(examples)
    found = scores.get(f"{pipe.gold.score}_f")
    texts = [example.reference.text for example in examples[:SPEED_TEXTS]]
    n_words = sum(len(nlp.make_doc(text)) for text in texts)
    seconds = min(_seconds(lambda: list(nlp.pipe(texts))) for _ in range(SPEED_ROUNDS))
    return found or 0.0, n_words / seconds


def _seconds(work: Callable[[], object]) -> float:
    from time import perf_counter

    begin = perf_counter()
    work()
    return perf_counter() - begin


def _print(rows: Sequence[tuple[str, float, float]]) -> None:
    msg.table(
        [(title, f"{f:.2%}", f"{speed:,.0f}") for title, f, speed in rows],
        header=("", "F1 on dev", "words/s"),
        aligns=("l", "r", "r"),
        divider=True,
    )
