"""A training in the background on what annotators have said so far."""

import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spacy.tokens import Doc
from spacy.util import load_config

from spacy_bertcrf.corpora.docbin import write_docbins
from spacy_bertcrf.corpora.documents import INCORRECT_SPANS
from spacy_bertcrf.corpora.formats.taught import Taught
from spacy_bertcrf.corpora.reading import read_corpus

IDLE, PREPARING, TRAINING, LOADING, DONE, FAILED = (
    "idle", "preparing", "training", "loading", "done", "failed",
)  # fmt: skip
RUNNING = (PREPARING, TRAINING, LOADING)
DEV_EVERY = 5  # of the texts, where the config names no dev corpus
SHOWN_LINES = 12
END_SECONDS = 20.0
COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # a terminal's
LOG, BEST = "training.log", "model-best"


class RunningError(Exception):
    """A training is running already."""


class Retraining:
    """Trains a config with `bertcrf train`, in a process of its own, and hands over the result.

    config: the training's. Its `paths.train` may name a corpus, which is learned beside the
        annotated texts. Where its `paths.dev` is null, every fifth annotated text is for it.
    folder: for the corpora and the pipelines, one folder a training.
    annotations: the file of an annotator's decisions.
    lang: the language of the pipeline.
    use: called with the folder of the trained pipeline; what it raises is told as a failure.
    gpu_id: of the GPU that it is trained on, -1 for the CPU.

    Raises ValueError if the config is none, or has no `paths.train`, or the folder is a file.
    """

    def __init__(
        self,
        config: Path,
        folder: Path,
        annotations: Path,
        lang: str,
        use: Callable[[Path], object],
        gpu_id: int = -1,
    ):
        if not config.is_file():
            raise ValueError(f"There is no training config {config}.")
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is a file. Give trainings a folder with --retrain-output.")
        self._config = config
        self._folder = folder
        self._annotations = annotations
        self._lang = lang
        self._use = use
        self._gpu_id = gpu_id
        self._loaded = load_config(config, interpolate=False)
        if "train" not in self._loaded.get("paths", {}):
            raise ValueError(
                f"{config} has no [paths] with train, which --retrain sets. Write train = null "
                "there, and path = ${paths.train} in its training corpus."
            )
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen | None = None
        self._is_ended = False
        self._state, self._error, self._n_texts = IDLE, "", 0
        self._begin = self._end = 0.0
        self._run = folder
        self._in_use: Path | None = None

    def start(self) -> None:
        """Begin a training.

        Raises RunningError while there is one, and OSError if its folder cannot be made.
        """
        with self._lock:
            if self._state in RUNNING or self._is_ended:
                raise RunningError
            self._run = self._next_run()
            self._state, self._error, self._n_texts = PREPARING, "", 0
            self._begin, self._end = time.monotonic(), 0.0
            self._thread = threading.Thread(target=self._work, name="bertcrf-retraining")
            self._thread.start()

    def progress(self) -> dict[str, Any]:
        """state: one of the names above. error: why it failed. seconds: since its start.
        texts: that are learned from. log: the last lines of the training's output."""
        end = self._end or time.monotonic()
        return {
            "state": self._state,
            "error": self._error,
            "seconds": round(end - self._begin) if self._begin else 0,
            "texts": self._n_texts,
            "log": self._log() if self._begin else [],
        }

    def stop(self) -> None:
        """End a training, if there is one, and begin no other."""
        with self._lock:
            self._is_ended = True
            process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._thread is not None:
            self._thread.join(END_SECONDS)

    def _work(self) -> None:
        try:
            settings = self._prepare()
            self._state = TRAINING
            self._train(settings)
            self._state = LOADING
            best = self._run / BEST
            self._use(best)
            self._tidy()
            self._state = DONE
        except Exception as error:
            self._error = f"{error}" if isinstance(error, ValueError) else repr(error)
            self._state = FAILED
        finally:
            self._end = time.monotonic()

    def _prepare(self) -> list[str]:
        """Write the corpora. Returns the settings of the training, for the command line."""
        docs = read_corpus(self._annotations, Taught.name, lang=self._lang).docs
        self._n_texts = len(docs)
        if not docs:
            raise ValueError("Nothing has been annotated yet.")
        paths = self._loaded["paths"]
        corpus = self._run / "train"
        settings = ["--paths.train", str(corpus)]
        files = {corpus / "annotated.spacy": docs}
        if not paths.get("dev"):
            if len(docs) < 2:
                raise ValueError("One text alone is annotated, and the config has no dev corpus.")
            train, dev = _without_every(docs, DEV_EVERY)
            files = {corpus / "annotated.spacy": train, self._run / "dev.spacy": dev}
            settings += ["--paths.dev", str(self._run / "dev.spacy")]
        write_docbins(files)
        if paths.get("train"):
            _copy(Path(paths["train"]), corpus)
        for name, block in self._loaded.get("components", {}).items():
            is_ours = block.get("factory") in ("bertcrf", "bertcrf_spans")
            if is_ours and not block.get("incorrect_spans_key"):
                settings += [f"--components.{name}.incorrect_spans_key", INCORRECT_SPANS]
        return settings

    def _train(self, settings: Sequence[str]) -> None:
        command = [sys.executable, "-m", "spacy_bertcrf.cli", "train", str(self._config)]
        command += ["--output", str(self._run), "--gpu-id", str(self._gpu_id), *settings]
        with (self._run / LOG).open("wb") as log:
            with self._lock:
                if self._is_ended:
                    raise ValueError("The service ends.")
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
                )
            code = self._process.wait()
        if self._is_ended:
            raise ValueError("The training was ended with the service.")
        if code or not (self._run / BEST).is_dir():
            raise ValueError(f"The training ended with the code {code}; see {self._run / LOG}.")

    def _tidy(self) -> None:
        """Keep of a training the pipeline that is used, and the log."""
        for name in ("checkpoints", "model-last"):
            shutil.rmtree(self._run / name, ignore_errors=True)
        if self._in_use is not None:
            shutil.rmtree(self._in_use / BEST, ignore_errors=True)
        self._in_use = self._run

    def _next_run(self) -> Path:
        taken = [path.name for path in self._folder.glob("*")] if self._folder.is_dir() else []
        number = max((int(name) for name in taken if name.isdecimal()), default=0) + 1
        run = self._folder / str(number)
        run.mkdir(parents=True)
        return run

    def _log(self) -> list[str]:
        try:
            text = (self._run / LOG).read_text(encoding="utf8", errors="replace")
        except FileNotFoundError:
            return []
        # A progress bar writes over its line.
        lines = [
            COLOUR.sub("", line.rsplit("\r", 1)[-1]).rstrip() for line in text.rstrip().split("\n")
        ]
        return lines[-SHOWN_LINES:]


def _without_every(docs: Sequence[Doc], n: int) -> tuple[list[Doc], list[Doc]]:
    """The others, and each n-th; if they are fewer, the last one."""
    chosen = set(range(n - 1, len(docs), n)) or {len(docs) - 1}
    train = [doc for i, doc in enumerate(docs) if i not in chosen]
    return train, [docs[i] for i in sorted(chosen)]


def _copy(given: Path, folder: Path) -> None:
    """Put a corpus beside the annotated texts. Raises ValueError if there is none."""
    if not given.exists():
        raise ValueError(f"The config's paths.train is {given}, which does not exist.")
    files = sorted(given.rglob("*.spacy")) if given.is_dir() else [given]
    if not files or any(file.suffix != ".spacy" for file in files):
        raise ValueError(
            f"The config's paths.train is {given}, which is no .spacy file, nor has one."
        )
    for number, file in enumerate(files):
        shutil.copyfile(file, folder / f"given-{number}.spacy")
