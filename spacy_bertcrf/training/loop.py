"""The training loop: what `spacy train` does, with the same numbers, and checkpoints."""

import random
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import IO, Any

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training.loop import clean_output_dir, create_before_to_disk_callback, update_meta
from spacy.util import registry, resolve_dot_names
from thinc.api import fix_random_seed, set_gpu_allocator
from wasabi import Printer

from spacy_bertcrf.models.resumable import Resumable, setting_up
from spacy_bertcrf.training.checkpoints.checkpoints import Checkpoints, read_checkpoint
from spacy_bertcrf.training.checkpoints.model_state import (
    ComponentStates,
    trained_components,
)
from spacy_bertcrf.training.checkpoints.optimizer_state import OptimizerState
from spacy_bertcrf.training.checkpoints.run_identity import run_identity
from spacy_bertcrf.training.checkpoints.training_state import (
    TrainingState,
    require_same_run,
)
from spacy_bertcrf.training.checkpoints.whole_folder import (
    remove_leftovers,
    write_folder,
)
from spacy_bertcrf.training.data_stream import DataStream
from spacy_bertcrf.training.interruption import Interruption, TrainingInterrupted, noticing
from spacy_bertcrf.training.ranks import ALONE, Ranks
from spacy_bertcrf.training.steps import Steps

MODEL_BEST, MODEL_LAST = "model-best", "model-last"


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

    Returns the path of model-last. Raises NotResumableError if what is to be resumed is
    another training, and if something trains whose state is not known; OSError if a checkpoint or a
    pipeline cannot be written, which harms none that is there; TrainingInterrupted when a signal
    has asked to stop, and a checkpoint is written.
    """
    say = partial(_say, stdout) if ranks.is_first else _say_nothing
    config = nlp.config.interpolate()
    settings = config["training"]
    seed = settings["seed"]
    if seed is None and ranks.size > 1:
        seed = ranks.agree(random.randrange(2**31))
    if seed is not None:
        fix_random_seed(seed)
    if use_gpu >= 0 and settings["gpu_allocator"]:
        set_gpu_allocator(settings["gpu_allocator"])
    checkpoint, state = _newest(checkpoints, resume, ranks)
    identity = {} if checkpoints is None else run_identity(nlp, ranks.size)
    if checkpoint is not None:
        require_same_run(identity, state, checkpoint)
        if state["finished"]:
            say("info", f"The training of {checkpoint} is finished; there is nothing to resume.")
            return None if output is None else output / MODEL_LAST
    with setting_up(is_resuming=checkpoint is not None) as set_up:
        training = registry.resolve(settings, schema=ConfigSchemaTraining)
        train_corpus, dev_corpus = resolve_dot_names(
            config, [training["train_corpus"], training["dev_corpus"]]
        )
        frozen, optimizer = training["frozen_components"], training["optimizer"]
        # A size that grows over the steps is a block of its own.
        is_repeatable = not any(isinstance(value, dict) for value in settings["batcher"].values())
        stream = DataStream(
            nlp, train_corpus, training["batcher"], training["max_epochs"], is_repeatable
        )
        steps = Steps(nlp, training, dev_corpus, ranks)
        parts: dict[str, Resumable] = {"steps": steps}
        if checkpoints is not None:
            components = ComponentStates(trained_components(nlp, frozen))
            names = components.optimizer_names
            parts["components"] = components
            parts["optimizer"] = OptimizerState(optimizer, names, lambda: steps.n_taken)
            parts["stream"] = stream
        log_step, finalize = _silent, _nothing
        if ranks.is_first:
            _prepare(output, is_resuming=checkpoint is not None)
            _announce(nlp, training, say)
            for line in ranks.describe(settings["batcher"].get("size")):
                say("info", line)
            with nlp.select_pipes(disable=frozen):
                log_step, finalize = training["logger"](nlp, stdout, stderr)
    ranks.begin(nlp)
    training_state = TrainingState(identity, {**parts, **set_up.parts}, ranks)
    pipelines = _Pipelines(nlp, output if ranks.is_first else None, training)
    if checkpoint is not None:
        training_state.restore(state)
        say("info", f"Resumed from {checkpoint}, after {steps.n_taken:,} steps")
    elif checkpoints is not None:
        # So that from now on no kill leaves a log without the state that it goes on from.
        training_state.write(checkpoints, 0)
    del state

    say_aside = partial(_say, stderr) if ranks.is_first else _say_nothing
    noticed = nullcontext(Interruption()) if checkpoints is None else noticing(say_aside)
    try:
        with noticed as interruption:
            for epoch, batch in stream:
                info, is_best = steps.take(epoch, batch)
                if is_best is not None:
                    pipelines.save_evaluated(info, is_best)
                log_step(None if is_best is None else info)
                if steps.are_over():
                    break
                if checkpoints is None:
                    continue
                is_asked = ranks.any(interruption.signal_number is not None)
                if is_asked or steps.n_taken % checkpoints.frequency == 0:
                    training_state.write(checkpoints, steps.n_taken)
                if is_asked:
                    raise TrainingInterrupted(interruption.signal_number or signal.SIGTERM)
    except KeyboardInterrupt:
        # The second, where checkpoints are kept: whoever sends it does not want to wait.
        if checkpoints is None:
            _end_after_error(finalize, pipelines, say)
        raise
    except Exception as error:
        if not isinstance(error, TrainingInterrupted):
            say("warn", f"Aborting and saving the last pipeline. Encountered: {error!r}")
        _end_after_error(finalize, pipelines, say)
        raise
    finalize()
    pipelines.save_last()
    if checkpoints is not None:
        training_state.finish(checkpoints, steps.n_taken)
    if output is not None:
        say("good", f"Saved pipeline to output directory {output / MODEL_LAST}")
    return None if output is None else output / MODEL_LAST


class _Pipelines:
    """Saves model-last and model-best, each whole or not at all.

    output: None to save nothing.
    """

    def __init__(self, nlp: Language, output: Path | None, training: dict[str, Any]):
        self._nlp = nlp
        self._output = output
        self._training = training
        self._before_to_disk = create_before_to_disk_callback(training["before_to_disk"])

    def save_evaluated(self, info: dict[str, Any], is_best: bool) -> None:
        """Save the pipeline with the scores in its meta data."""
        with self._nlp.select_pipes(disable=self._training["frozen_components"]):
            update_meta(self._training, self._nlp, info)
        if self._output is None:
            return
        self.save_last()
        if is_best:
            last = self._output / MODEL_LAST
            write_folder(self._output / MODEL_BEST, partial(shutil.copytree, last))
        info["output_path"] = str(self._output / MODEL_LAST)

    def save_last(self) -> None:
        """Save the pipeline as it is, with averages if the optimizer keeps any."""
        if self._output is not None:
            with self._nlp.use_params(self._training["optimizer"].averages):
                write_folder(self._output / MODEL_LAST, self._before_to_disk(self._nlp).to_disk)


def _newest(
    checkpoints: Checkpoints | None, resume: bool, ranks: Ranks
) -> tuple[Path | None, dict[str, Any]]:
    newest = None
    if checkpoints is not None and ranks.is_first:
        newest = checkpoints.newest_whole() if resume else None
        checkpoints.begin(newest)
    path = ranks.agree(None if newest is None else str(newest))
    return (None, {}) if path is None else (Path(path), read_checkpoint(Path(path)))


def _prepare(output: Path | None, is_resuming: bool) -> None:
    if output is not None and output.exists():
        remove_leftovers(output)
    if not is_resuming:
        clean_output_dir(output)


def _announce(nlp: Language, training: dict[str, Any], say: Callable[[str, str], None]) -> None:
    say("info", f"Pipeline: {nlp.pipe_names}")
    if training["frozen_components"]:
        say("info", f"Frozen components: {training['frozen_components']}")
    if training["annotating_components"]:
        say("info", f"Set annotations on update for: {training['annotating_components']}")
    say("info", f"Initial learn rate: {training['optimizer'].learn_rate}")


def _end_after_error(
    finalize: Callable[[], None], pipelines: _Pipelines, say: Callable[[str, str], None]
) -> None:
    finalize()
    try:
        pipelines.save_last()
    except OSError as error:
        say("warn", f"{MODEL_LAST} could not be saved ({error}); an earlier one is as it was.")


def _say(stream: IO, kind: str, text: str) -> None:
    stream.write(getattr(Printer(no_print=True), kind)(text) + "\n")


def _say_nothing(kind: str, text: str) -> None:
    """What the processes say that are not the first."""


def _silent(info: dict[str, Any] | None) -> None:
    """The log of such a process."""


def _nothing() -> None:
    """Its end."""
