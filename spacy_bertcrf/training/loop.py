"""The training loop: what `spacy train` does, with the same numbers, and checkpoints."""

import random
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training.loop import clean_output_dir
from spacy.util import registry, resolve_dot_names
from thinc.api import fix_random_seed, set_gpu_allocator
from wasabi import Printer

from spacy_bertcrf.models.current_training import Joining, training_of
from spacy_bertcrf.models.resumable import Resumable, SetUp, State, setting_up
from spacy_bertcrf.training.checkpoints.checkpoints import Checkpoints, read_checkpoint
from spacy_bertcrf.training.checkpoints.model_state import ComponentStates, trained_components
from spacy_bertcrf.training.checkpoints.optimizer_state import OptimizerState
from spacy_bertcrf.training.checkpoints.run_identity import run_identity
from spacy_bertcrf.training.checkpoints.training_state import TrainingState, require_same_run
from spacy_bertcrf.training.checkpoints.whole_folder import remove_leftovers
from spacy_bertcrf.training.config_check import check_config
from spacy_bertcrf.training.data_stream import DataStream
from spacy_bertcrf.training.interruption import Interruption, TrainingInterrupted, noticing
from spacy_bertcrf.training.ranks import ALONE, Ranks
from spacy_bertcrf.training.saved_pipelines import MODEL_BEST, MODEL_LAST, SavedPipelines
from spacy_bertcrf.training.steps import Steps

Say = Callable[[str, str], None]


def train(
    nlp: Language,
    output: Path | None = None,
    *,
    ranks: Ranks = ALONE,
    use_gpu: int = -1,
    checkpoints: Checkpoints | None = None,
    resume: bool = False,
    stdout: IO = sys.stdout,
    stderr: IO = sys.stderr,
) -> Path | None:
    """Train an initialized pipeline as its config says.

    output: folder for model-best and model-last; None to save nothing.
    ranks: the processes that train together.
    use_gpu: the GPU, which the caller has chosen already; -1 for none.
    checkpoints: where to keep them; None for none.
    resume: go on from the newest whole checkpoint, if there is one. Otherwise those that are
        there are removed.
    stdout, stderr: where the logger writes to.

    Returns the path of model-last. Raises ValueError if the config has a setting of [nlp],
    [initialize] or [training] that spaCy does not know, or a number that cannot be;
    NotResumableError if what is to be resumed is another training, and if something trains whose
    state is not known; OSError if a checkpoint or a pipeline cannot be written, which harms none
    that is there; TrainingInterrupted when a signal has asked to stop, and a checkpoint is written.
    """
    say = partial(_say, stdout) if ranks.is_first else _say_nothing
    say_aside = partial(_say, stderr) if ranks.is_first else _say_nothing
    last = None if output is None else output / MODEL_LAST
    config = nlp.config.interpolate()
    check_config(config)
    settings = config["training"]
    _set_seed(settings["seed"], ranks)
    if use_gpu >= 0 and settings["gpu_allocator"]:
        set_gpu_allocator(settings["gpu_allocator"])
    identity = {} if checkpoints is None else run_identity(nlp, ranks.size)
    checkpoint, state = _newest(checkpoints, resume, ranks)
    if checkpoint is not None:
        require_same_run(identity, state, checkpoint)
        if state["finished"]:
            say("info", f"The training of {checkpoint} is finished; there is nothing to resume.")
            return last
    with training_of(nlp), setting_up(is_resuming=checkpoint is not None) as set_up:
        training = _set_up(nlp, output, ranks, checkpoints, set_up, identity)
        if ranks.is_first:
            _prepare(output, set_up.is_resuming)
            _announce(nlp, training.settings, settings["batcher"], ranks, say)
            training.start_logger(nlp, stdout, stderr)
    ranks.begin(nlp)
    if checkpoint is not None:
        training.state.restore(state)
        say("info", f"Resumed from {checkpoint}, after {training.steps.n_taken:,} steps")
    elif checkpoints is not None:
        # So that from now on no kill leaves a log without the state that it goes on from.
        training.state.write(checkpoints, 0)
    del state
    with training_of(nlp):
        _run(training, checkpoints, ranks, say, say_aside)
    training.finalize()
    training.pipelines.save_last()
    if checkpoints is not None:
        training.state.finish(checkpoints, training.steps.n_taken)
    if last is not None:
        say("good", f"Saved pipeline to output directory {last}")
    return last


@dataclass
class _Training:
    """A training that is set up.

    settings: the [training] block, resolved.
    log_step, finalize: of the logger, once it is started; it is in the first process alone.
    """

    settings: dict[str, Any]
    stream: DataStream
    steps: Steps
    pipelines: SavedPipelines
    state: TrainingState
    log_step: Callable[[dict[str, Any] | None], None] = lambda info: None
    finalize: Callable[[], None] = lambda: None

    def start_logger(self, nlp: Language, stdout: IO, stderr: IO) -> None:
        """Called while the training is set up, for loggers may have state to resume."""
        with nlp.select_pipes(disable=self.settings["frozen_components"]):
            self.log_step, self.finalize = self.settings["logger"](nlp, stdout, stderr)


def _set_seed(seed: int | None, ranks: Ranks) -> None:
    if seed is None and ranks.size > 1:
        seed = ranks.agree(random.randrange(2**31))
    if seed is not None:
        fix_random_seed(seed)


def _newest(
    checkpoints: Checkpoints | None, resume: bool, ranks: Ranks
) -> tuple[Path | None, State]:
    newest = None
    if checkpoints is not None and ranks.is_first:
        newest = checkpoints.newest_whole() if resume else None
        checkpoints.begin(newest)
    path = ranks.agree(None if newest is None else str(newest))
    return (None, {}) if path is None else (Path(path), read_checkpoint(Path(path)))


def _set_up(
    nlp: Language,
    output: Path | None,
    ranks: Ranks,
    checkpoints: Checkpoints | None,
    set_up: SetUp,
    identity: State,
) -> _Training:
    config = nlp.config.interpolate()
    training = registry.resolve(config["training"], schema=ConfigSchemaTraining)
    train_corpus, dev_corpus = resolve_dot_names(
        config, [training["train_corpus"], training["dev_corpus"]]
    )
    # A size that grows over the steps is a block of its own.
    batcher_settings = config["training"]["batcher"].values()
    is_repeatable = not any(isinstance(value, dict) for value in batcher_settings)
    stream = DataStream(
        nlp, train_corpus, training["batcher"], training["max_epochs"], is_repeatable
    )
    trained = trained_components(nlp, training["frozen_components"])
    for pipe in trained.values():
        # A component with `source` may grow, and a checkpoint has to fit it.
        if isinstance(pipe, Joining):
            pipe.join_training()
    steps = Steps(nlp, training, dev_corpus, ranks)
    # Those that announce themselves come in later.
    parts = set_up.parts
    parts["steps"] = steps
    if checkpoints is not None:
        components = ComponentStates(trained)
        parts["components"] = components
        parts["optimizer"] = OptimizerState(
            training["optimizer"], components.optimizer_names, lambda: steps.n_taken
        )
        parts["stream"] = stream
        if isinstance(ranks, Resumable):
            parts["ranks"] = ranks
    return _Training(
        training,
        stream,
        steps,
        SavedPipelines(nlp, output if ranks.is_first else None, training),
        TrainingState(identity, parts, ranks),
    )


def _run(
    training: _Training, checkpoints: Checkpoints | None, ranks: Ranks, say: Say, say_aside: Say
) -> None:
    """Take all steps. Where that ends early, model-last is saved nevertheless."""
    noticed = nullcontext(Interruption()) if checkpoints is None else noticing(say_aside)
    try:
        with noticed as interruption:
            _take_steps(training, checkpoints, ranks, interruption)
    except KeyboardInterrupt:
        # The second, where checkpoints are kept: whoever sends it does not want to wait.
        if checkpoints is None:
            _end_early(training, say)
        raise
    except Exception as error:
        if not isinstance(error, TrainingInterrupted):
            say("warn", f"Aborting and saving the last pipeline. Encountered: {error!r}")
        _end_early(training, say)
        raise


def _take_steps(
    training: _Training,
    checkpoints: Checkpoints | None,
    ranks: Ranks,
    interruption: Interruption,
) -> None:
    steps = training.steps
    for epoch, batch in training.stream:
        info, is_best = steps.take(epoch, batch, training.stream.is_over)
        if is_best is not None:
            training.pipelines.save_evaluated(info, is_best)
        training.log_step(None if is_best is None else info)
        if steps.are_over():
            return
        if checkpoints is None:
            continue
        is_asked = ranks.any(interruption.signal_number is not None)
        if is_asked or steps.n_taken % checkpoints.frequency == 0:
            training.state.write(checkpoints, steps.n_taken)
        if is_asked:
            raise TrainingInterrupted(interruption.signal_number or signal.SIGTERM)


def _prepare(output: Path | None, is_resuming: bool) -> None:
    if output is not None and output.exists():
        for name in (MODEL_BEST, MODEL_LAST):
            remove_leftovers(output, name)
    if not is_resuming:
        clean_output_dir(output)


def _announce(
    nlp: Language,
    training: dict[str, Any],
    batcher: dict[str, Any],
    ranks: Ranks,
    say: Say,
) -> None:
    say("info", f"Pipeline: {nlp.pipe_names}")
    if training["frozen_components"]:
        say("info", f"Frozen components: {training['frozen_components']}")
    if training["annotating_components"]:
        say("info", f"Set annotations on update for: {training['annotating_components']}")
    say("info", f"Initial learn rate: {training['optimizer'].learn_rate}")
    for line in ranks.describe(batcher.get("size")):
        say("info", line)


def _end_early(training: _Training, say: Say) -> None:
    training.finalize()
    try:
        training.pipelines.save_last()
    except OSError as error:
        say("warn", f"{MODEL_LAST} could not be saved ({error}); an earlier one is as it was.")


def _say(stream: IO, kind: str, text: str) -> None:
    stream.write(getattr(Printer(no_print=True), kind)(text) + "\n")


def _say_nothing(kind: str, text: str) -> None:
    """What the processes say that are not the first."""
