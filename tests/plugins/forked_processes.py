"""Processes that are forked from one in which all is imported, for importing takes longest."""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

FORKED = Path(__file__).with_name("forked_process.py")
IMPORTED = [
    "spacy.__main__",
    "spacy.lang.zh",
    "spacy.ml.models",
    "spacy_transformers",
    "spacy_bertcrf.annotation.engine_local",
    "spacy_bertcrf.annotation.run",
    "spacy_bertcrf.cli.annotate",
    "spacy_bertcrf.cli.serve",
    "spacy_bertcrf.cli.train",
    "spacy_bertcrf.models.bert.bert_encoder",
    "spacy_bertcrf.models.distillation.divergence",
    "spacy_bertcrf.models.tagger.crf_tagger",
    "spacy_bertcrf.pipeline.factory",
    "spacy_bertcrf.training.distributed",
    "spacy_bertcrf.training.loop",
    "spacy_bertcrf.training.strategies.teachers",
]


class Forked:
    """A process that was forked from one with all imported: as a `subprocess.Popen`, and as the
    `multiprocessing.Process` that it is."""

    def __init__(self, process: BaseProcess, args: Sequence[str], printed: Path):
        self._process, self.args, self._printed = process, args, printed
        self.pid = process.pid

    def __getattr__(self, name: str) -> Any:
        return getattr(self._process, name)

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self._process.exitcode

    def communicate(self, input: None = None, timeout: float | None = None) -> tuple[str, None]:
        self.wait(timeout)
        return self._printed.read_text("utf-8") if self._printed.is_file() else "", None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def __enter__(self) -> "Forked":
        return self

    def __exit__(self, *error: object) -> None:
        self.wait()


@pytest.fixture(scope="session")
def start_python() -> Callable[..., Forked]:
    """Start `python ARGUMENTS`, which prints to a file, in a process of its own; what it imports
    is imported once for all of them, for that takes longest."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        pytest.skip("Windows does not fork")
    from multiprocessing import forkserver

    forkserver._forkserver._stop()  # what another test has started has other imports
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    first = context.Process(target=len, args=("",))
    first.start()
    first.join()

    def start(
        *arguments: object,
        printed: str | Path,
        environment: Mapping[str, str] | None = None,
        kill_at: int | None = None,
        size_limit: int | None = None,
    ) -> Forked:
        words = list(map(str, arguments))
        given: dict[str, Any] = {
            "ARGUMENTS": words,
            "PRINTED": str(printed),
            "ENVIRONMENT": {**os.environ, **(environment or {})},
            "FOLDER": os.getcwd(),
            "KILL_AT": kill_at,
            "SIZE_LIMIT": size_limit,
        }
        process = context.Process(target=runpy.run_path, args=(str(FORKED), given))
        process.start()
        return Forked(process, words, Path(printed))

    return start


@pytest.fixture(scope="session")
def start_command(start_python: Callable[..., Forked]) -> Callable[..., Forked]:
    """Start `python -m spacy ARGUMENTS` so."""

    def start(*arguments: object, **settings: Any) -> Forked:
        return start_python("-m", "spacy", *arguments, **settings)

    return start


@pytest.fixture(scope="module")
def forked_commands(start_python: Callable[..., Forked]) -> Iterator[None]:
    """Commands of ours that our code starts are forked too."""
    popen = subprocess.Popen

    def start(arguments: Sequence[str], *, stdout: Any = None, **settings: Any) -> Any:
        if list(arguments[:3]) != [sys.executable, "-m", "spacy_bertcrf.cli"]:
            return popen(arguments, stdout=stdout, **settings)
        return start_python(*arguments[1:], printed=getattr(stdout, "name", os.devnull))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", start)
        yield
