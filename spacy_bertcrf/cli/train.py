"""`python -m spacy bertcrf train`: `spacy train` with checkpoints."""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.devices import use_device
from spacy_bertcrf.cli.forgotten_teacher import forget_teacher
from spacy_bertcrf.cli.processes import joined_processes, start_processes
from spacy_bertcrf.cli.rehearsal import REHEARSAL, with_rehearsal

if TYPE_CHECKING:
    from spacy_bertcrf.training.checkpoints.checkpoints import Checkpoints

CHECKPOINTS = "checkpoints"


@bertcrf_app.command(
    "train", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def train_cli(
    ctx: typer.Context,
    config: Annotated[Path, typer.Argument(help="Training config, or - for standard input")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "--output-path", "-o", help="Folder for model-best and model-last"
        ),
    ] = None,
    code: Annotated[
        Path | None,
        typer.Option("--code", "-c", help="Python file with registered functions, to be imported"),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-V", help="Say more")] = False,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest checkpoint, if there is one")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Remove the checkpoints of an earlier training")
    ] = False,
    checkpoint_frequency: Annotated[
        int, typer.Option(help="Steps from one checkpoint to the next", min=1)
    ] = 200,
    keep: Annotated[int, typer.Option(help="How many checkpoints are kept", min=1)] = 2,
    nproc: Annotated[
        int | None, typer.Option(help="Processes on this machine, one a GPU", min=1)
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for a process that does not answer", min=1)
    ] = 600.0,
    compress_gradients: Annotated[
        bool,
        typer.Option("--compress-gradients", help="Several processes: send gradients in bfloat16"),
    ] = False,
    rehearse: Annotated[
        Path | None,
        typer.Option(help="Pipeline to go on from, whose knowledge is kept on the --raw texts"),
    ] = None,
    raw: Annotated[
        list[str] | None,
        typer.Option(help="Raw texts: .txt (a text a line), .spacy, also .gz; or globs; repeat it"),
    ] = None,
    rehearsal_weight: Annotated[
        float, typer.Option(help="Of what the pipeline to go on from believes", min=0)
    ] = 1.0,
) -> None:
    """Train a pipeline as `spacy train` does, so that it can be stopped and resumed.

    Same config and overrides (--training.max_steps 100), same numbers, same model-best and
    model-last. Beside them, in OUTPUT/checkpoints, is all that --resume needs to go on after a
    crash as if nothing had been. Ctrl-C and SIGTERM write a checkpoint and end the training.

    With --rehearse OLD and --raw texts, the training goes on from the pipeline OLD, with its
    component instead of the config's, and new labels are added; what OLD believes of the raw
    texts, and of labels that the new annotation says nothing of, is learned beside it. Saved
    pipelines do without OLD.

    With --nproc, several processes share the work of each batch, with the result of one. On
    several machines, run on each:
    torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-endpoint HOST:29500
    -m spacy_bertcrf.cli train …
    """
    from spacy.cli._util import (
        import_code,
        parse_config_overrides,
        show_validation_error,
    )
    from spacy.training.initialize import init_nlp
    from spacy.util import load_config, logger

    from spacy_bertcrf.models.bridge.gpus import MissingGPUError, check_gpus
    from spacy_bertcrf.models.resumable import NotResumableError, setting_up
    from spacy_bertcrf.training.checkpoints.checkpoints import Checkpoints
    from spacy_bertcrf.training.config_check import check_config
    from spacy_bertcrf.training.distributed import started_as_rank
    from spacy_bertcrf.training.interruption import TrainingInterrupted
    from spacy_bertcrf.training.loop import train
    from spacy_bertcrf.training.saved_pipelines import MODEL_BEST, MODEL_LAST

    if not started_as_rank():
        try:
            check_gpus(gpu_id, nproc or 1)
        except MissingGPUError as error:
            msg.fail("Nothing was trained", str(error), exits=1)
    if compress_gradients and nproc is None and not started_as_rank():
        msg.fail("--compress-gradients is for several processes: give --nproc, too.", exits=1)
    if nproc is not None and not started_as_rank():
        if str(config) == "-":
            msg.fail("Several processes cannot read one standard input: give a file.", exits=1)
        start_processes(nproc, sys.argv[sys.argv.index("train") :])
    if verbose:
        logger.setLevel(logging.DEBUG)
    overrides = parse_config_overrides(ctx.args)
    import_code(code)
    if str(config) != "-" and not config.exists():
        msg.fail("Config file not found", config, exits=1)
    checkpoints = None
    if output is None:
        msg.info("No output directory provided")
    else:
        checkpoints = Checkpoints(output / CHECKPOINTS, checkpoint_frequency, keep)
    with show_validation_error(config):
        loaded = load_config(config, overrides=overrides, interpolate=False)
        own = replaced = loaded.interpolate()
    try:
        if (rehearse is None) != (not raw):
            raise ValueError("--rehearse OLD_PIPELINE and --raw TEXTS need one another.")
        if rehearse is not None:
            if output is None:
                raise ValueError("--rehearse needs an --output, where texts and beliefs are kept.")
            loaded = with_rehearsal(replaced.copy(), rehearse, raw or [], output, rehearsal_weight)
            replaced = loaded
        # Before the pipeline is built, which drops what it does not know.
        check_config(replaced)
        is_resuming = goes_on(checkpoints, resume=resume, overwrite=overwrite)
    except ValueError as error:
        msg.fail("Nothing was trained", str(error), exits=1)
    try:
        with joined_processes(timeout, gpu_id, compress_gradients) as (ranks, gpu):
            if output is not None:
                output.mkdir(parents=True, exist_ok=True)
                msg.info(f"Saving to output directory: {output}")
            use_device(gpu, silent=not ranks.is_first)
            msg.divider("Initializing pipeline")
            # The loggers are made here for the first time, and may find the log that they go on
            # with.
            with show_validation_error(config, hint_fill=False), setting_up(is_resuming):
                nlp = init_nlp(loaded, use_gpu=gpu)
            msg.good("Initialized pipeline")
            msg.divider("Training pipeline")
            train(
                nlp,
                output,
                ranks=ranks,
                use_gpu=gpu,
                checkpoints=checkpoints,
                resume=resume,
                stdout=sys.stdout,
                stderr=sys.stderr,
            )
            if rehearse is not None and output is not None and ranks.is_first:
                for saved in (MODEL_BEST, MODEL_LAST):
                    forget_teacher(output / saved, own, REHEARSAL)
    except TrainingInterrupted as stopped:
        msg.warn(str(stopped), "Go on with the same command and --resume.")
        raise typer.Exit(128 + stopped.signal_number) from stopped
    except KeyboardInterrupt as stopped:
        msg.warn("The training was stopped at once, without a last checkpoint.")
        raise typer.Exit(130) from stopped
    except MissingGPUError as error:
        msg.no_print = False
        msg.fail("Nothing was trained", str(error), exits=1)
    except NotResumableError as error:
        msg.fail("The training cannot be resumed", str(error), exits=1)
    except OSError as error:
        msg.fail("The training ended early", str(error), exits=1)


def goes_on(checkpoints: "Checkpoints | None", *, resume: bool, overwrite: bool) -> bool:
    """Whether a training goes on from a checkpoint.

    Raises ValueError if options contradict one another or what is on disk.
    """
    if resume and overwrite:
        raise ValueError("--resume goes on with the checkpoints and --overwrite removes them.")
    if checkpoints is None:
        if resume:
            raise ValueError("--resume needs the --output of the training that is resumed.")
        return False
    found, existing = checkpoints.newest_whole(), checkpoints.paths()
    if existing and not resume and not overwrite:
        raise ValueError(
            f"{found or existing[0]} is a checkpoint of an earlier training. Go on with it by "
            "--resume, or remove it by --overwrite."
        )
    if resume and found is None and existing:
        raise ValueError(
            f"No checkpoint in {checkpoints.folder} is whole: files have been changed since they "
            "were written. Put them back, or begin anew by --overwrite."
        )
    if resume and found is None:
        msg.info(f"No checkpoint in {checkpoints.folder}: the training begins with its first step")
    return resume and found is not None
