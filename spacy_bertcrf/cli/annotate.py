"""`python -m spacy bertcrf annotate`: an archive, annotated whatever dies on the way."""

import os
import signal
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from enum import Enum
from io import UnsupportedOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer
from typer.core import TyperCommand
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.text_files import (
    KINDS,
    Delimiter,
    IdField,
    Keep,
    Quotes,
    TextField,
    WholeFiles,
    warn_of_left_out,
)

if TYPE_CHECKING:
    from spacy_bertcrf.annotation.job import Done, Job
    from spacy_bertcrf.annotation.run import Run
    from spacy_bertcrf.annotation.settings import Settings
    from spacy_bertcrf.annotation.shards import Archive, Shard

Kind = Enum("Kind", {name: name for name in ("jsonl", "text")})  # type: ignore[misc]
Format = Enum("Format", {name: name for name in ("jsonl", "parquet")})  # type: ignore[misc]


class AddressIsOptional(TyperCommand):
    """A command whose `--ray` may do without an address, at the end or before another option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        following = [*args, "-"][1:]
        given = [
            "--ray=" if arg == "--ray" and after.startswith("-") else arg
            for arg, after in zip(args, following, strict=True)
        ]
        return super().parse_args(ctx, given)


@bertcrf_app.command("annotate", cls=AddressIsOptional)
def annotate_cli(
    pipeline: Annotated[str, typer.Argument(help="A trained pipeline: its folder or package")],
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="IN... OUT | -",
            help=f"{KINDS}; at last, the folder to write to. Or only -: from standard input to "
            "standard output",
        ),
    ],
    text_field: TextField = "text",
    id_field: IdField = None,
    keep: Keep = None,
    save_texts: Annotated[bool, typer.Option("--save-texts", help="Write the texts too")] = False,
    format: Annotated[Format, typer.Option(help="Of what is written")] = Format["jsonl"],
    stdin: Annotated[Kind, typer.Option(help="With -: what a line is")] = Kind["jsonl"],
    whole_files: WholeFiles = False,
    delimiter: Delimiter = None,
    quotes: Quotes = True,
    shard_size: Annotated[
        int, typer.Option(help="Most texts in a file that is written: what a crash can cost", min=1)
    ] = 10_000,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Texts that are annotated together  [default: the pipeline's]", min=1),
    ] = None,
    nproc: Annotated[
        int | None,
        typer.Option(help="Processes on this machine, which may die  [default: this one]", min=1),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="[ADDRESS]",
            help="Annotate on Ray: a cluster's address, auto for that of this machine, local for a "
            "new one on it; without an address what there is of RAY_ADDRESS, auto, local",
        ),
    ] = None,
    min_nproc: Annotated[
        int, typer.Option(help="With --ray: actors at least, and --nproc at most", min=1)
    ] = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Remove what an earlier annotation wrote to OUT")
    ] = False,
    code: Annotated[
        Path | None,
        typer.Option("--code", "-c", help="Python file with components of your own"),
    ] = None,
    gpu_id: Annotated[
        int,
        typer.Option("--gpu-id", "-g", help="GPU, with --nproc that of the first; -1 for the CPU"),
    ] = -1,
) -> None:
    """Annotate texts with their entities, a row a text: id, entities, and what else is asked for.

    The same command goes on where it was stopped, by whatever. A text that the pipeline cannot
    annotate is written to OUT/errors.jsonl; what was done, to OUT/manifest.json.
    """
    from spacy_bertcrf.annotation.job import Job
    from spacy_bertcrf.annotation.results import parquet_schema
    from spacy_bertcrf.annotation.run import opened
    from spacy_bertcrf.annotation.settings import Settings
    from spacy_bertcrf.models.bridge.gpus import check_gpus

    try:
        if len(paths) < 2 and paths != ["-"]:
            raise ValueError("Give the inputs, and at last the folder to write to.")
        if ray is None:
            check_gpus(gpu_id, nproc or 1)
        settings = Settings(
            text_field=text_field,
            id_field=id_field,
            keep=tuple(keep or ()),
            save_texts=save_texts,
            format=format.value,
            shard_size=shard_size,
            whole_files=whole_files,
            delimiter=delimiter,
            quotes=quotes,
        )
        if paths == ["-"]:
            _pipe(pipeline, code, gpu_id, settings, stdin.value, batch_size)
            return
        output = Path(paths[-1])
        archive = _archive(paths[:-1], output, settings)
        job = Job(
            pipeline,
            code,
            output,
            settings,
            archive.sources,
            len(archive.shards),
            schema=parquet_schema(archive.sources, settings) if format.value == "parquet" else None,
            batch_size=batch_size,
            gpu_id=gpu_id,
        )
        with _stopped_by_sigterm(), opened(job, archive, overwrite=overwrite) as run:
            if not run.is_complete:
                remaining = run.remaining()
                _follow(run, remaining, _engine(job, remaining, nproc, ray, min_nproc))
            _print(run)
    except typer.Exit:  # which is a RuntimeError too
        raise
    except (ValueError, ImportError, OSError, RuntimeError) as error:
        if paths == ["-"]:  # what is written are the results
            typer.echo(f"The annotation has ended early: {error}", err=True)
            raise typer.Exit(1) from error
        msg.fail("The annotation has ended early", str(error), exits=1)
    except KeyboardInterrupt:
        if paths == ["-"]:
            typer.echo("The annotation was stopped", err=True)
        else:
            msg.warn("The annotation was stopped", "The same command goes on with it.")
        raise typer.Exit(130) from None


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM, as batch systems and containers send it, stop the command as Ctrl-C does: else
    the text that was being read would be blamed for it."""
    if threading.current_thread() is not threading.main_thread():
        # Only there Python allows signals to be handled.
        yield
        return
    usual = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual or signal.SIG_DFL)


def _pipe(
    pipeline: str,
    code: Path | None,
    gpu_id: int,
    settings: "Settings",
    kind: str,
    batch_size: int | None,
) -> None:
    from spacy_bertcrf.annotation.annotator import Annotator
    from spacy_bertcrf.annotation.job import load_pipeline
    from spacy_bertcrf.annotation.stream import BATCH_SIZE, annotate_stream

    size = batch_size or BATCH_SIZE
    try:
        annotator = Annotator(load_pipeline(pipeline, code, gpu_id), size)
        n_failed = annotate_stream(
            annotator, _stdin(), sys.stdout.buffer, settings, kind=kind, batch_size=size
        )
    except BrokenPipeError:
        # Who reads has seen enough; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except (ValueError, OSError) as error:
        typer.echo(f"The annotation has ended early: {error}", err=True)
        raise typer.Exit(1) from error
    if n_failed:
        typer.echo(f"{n_failed:,} texts could not be annotated", err=True)


def _stdin() -> BinaryIO:
    """Standard input, but not Python's own reader of it, whose lock Python wants at its end, and a
    thread that waits for a line still has."""
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except UnsupportedOperation:  # it is no file
        return sys.stdin.buffer


def _archive(names: list[str], output: Path, settings: "Settings") -> "Archive":
    from spacy_bertcrf.annotation.inputs import find_inputs
    from spacy_bertcrf.annotation.shards import cut

    files, left_out = find_inputs(names, output)
    warn_of_left_out(left_out)
    archive = cut(files, settings)
    msg.info(f"{archive.n_texts:,} texts in {len(files):,} files")
    return archive


def _follow(run: "Run", remaining: "list[Shard]", engine: "Generator[Done, None, None]") -> None:
    from tqdm import tqdm

    n_done = sum(record.texts for record in run.done.values())
    n_texts = n_done + sum(shard.n_texts for shard in remaining)
    try:
        with (
            closing(engine),
            tqdm(total=n_texts, initial=n_done, unit=" texts", smoothing=0.1) as bar,
        ):
            for record in engine:
                run.add(record)
                bar.update(record.texts)
    finally:
        run.end()


def _engine(
    job: "Job", shards: "list[Shard]", nproc: int | None, ray: str | None, min_nproc: int
) -> "Generator[Done, None, None]":
    from spacy_bertcrf.annotation.engine_local import annotate_here, annotate_in_processes

    if ray is not None:
        from spacy_bertcrf.annotation.engine_ray import annotate_on_ray

        return annotate_on_ray(job, shards, ray, min_nproc, nproc)
    if nproc is not None:
        return annotate_in_processes(job, shards, nproc)
    return annotate_here(job, shards)


def _print(run: "Run") -> None:
    manifest, output = run.manifest, run.output
    msg.good(
        f"{output} is complete: {manifest['texts']:,} texts, {manifest['entities']:,} entities"
    )
    if manifest["failed"]:
        msg.warn(f"{manifest['failed']:,} of them could not be annotated", f"{output}/errors.jsonl")
