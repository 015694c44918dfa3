"""Processes of the command line that begin with their imports done."""

import multiprocessing
import runpy
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("killed_command.py")
IMPORTS = [
    "spacy.lang.zh",
    "spacy.ml.models",
    "spacy_transformers",
    "spacy_bertcrf.annotation.engine_local",
    "spacy_bertcrf.annotation.run",
    "spacy_bertcrf.cli.annotate",
    "spacy_bertcrf.cli.train",
    "spacy_bertcrf.models.bert.bert_encoder",
    "spacy_bertcrf.models.tagger.crf_tagger",
    "spacy_bertcrf.pipeline.factory",
    "spacy_bertcrf.training.distributed",
    "spacy_bertcrf.training.loop",
]


@pytest.fixture(scope="session")
def start_command() -> Callable[..., BaseProcess]:
    """Start `python -m spacy ARGUMENTS`, which prints to a file, in a process of its own; what it
    imports is imported once for all of them, for that takes longest."""
    from multiprocessing import forkserver  # which Windows does not have

    forkserver._forkserver._stop()  # what another test has started has other imports
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTS)
    first = context.Process(target=len, args=("",))
    first.start()
    first.join()

    def start(
        *arguments: object,
        printed: Path,
        kill_at: int | None = None,
        size_limit: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> BaseProcess:
        given: dict[str, Any] = {
            "ARGUMENTS": arguments,
            "PRINTED": printed,
            "KILL_AT": kill_at,
            "SIZE_LIMIT": size_limit,
            "ENVIRONMENT": environment or {},
        }
        process = context.Process(target=runpy.run_path, args=(str(SCRIPT), given))
        process.start()
        return process

    return start
