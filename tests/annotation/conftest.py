"""A pipeline that breaks on command, and archives for it."""

import json
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from spacy.util import import_file

from spacy_bertcrf.annotation.inputs import find_inputs
from spacy_bertcrf.annotation.job import Job
from spacy_bertcrf.annotation.results import parquet_schema
from spacy_bertcrf.annotation.settings import Settings
from spacy_bertcrf.annotation.shards import Archive, cut

CODE = """
    import os, signal, time
    from spacy.language import Language

    @Language.component("fragile")
    def fragile(doc):
        if "FAIL" in doc.text:
            raise KeyError("no such thing")
        if "KILL" in doc.text:
            os.kill(os.getpid(), signal.SIGKILL)
        if "GPU" in doc.text:
            raise RuntimeError("CUDA error: device-side assert triggered")
        if "SLOW" in doc.text:
            time.sleep(0.02)
        return doc
"""


@pytest.fixture(scope="session")
def fragile_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A component that fails at a text with FAIL in it, and ends its process at one with KILL."""
    path = tmp_path_factory.mktemp("code") / "fragile.py"
    path.write_text(textwrap.dedent(CODE), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def fragile_pipeline(fragile_code: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline with that component, which finds cities."""
    import_file("python_code", fragile_code)
    nlp = spacy.blank("en")
    nlp.add_pipe("fragile")
    cities = [{"label": "CITY", "pattern": city} for city in ("Berlin", "Paris")]
    nlp.add_pipe("entity_ruler").add_patterns(cities)
    path = tmp_path_factory.mktemp("fragile") / "pipeline"
    nlp.to_disk(path)
    return path


@pytest.fixture
def make_job(
    fragile_pipeline: Path, fragile_code: Path, tmp_path: Path
) -> Callable[..., tuple[Job, Archive]]:
    """Prepare the annotation of texts, or of files, by the fragile pipeline."""

    def make(*texts: str, inputs: tuple[Path, ...] = (), **settings: object) -> tuple[Job, Archive]:
        if texts:
            inputs = (tmp_path / "texts.txt",)
            inputs[0].write_text("\n".join(texts), encoding="utf-8")
        set_to = Settings(**{"shard_size": 10, **settings})
        output = tmp_path / "output"
        archive = cut(find_inputs(map(str, inputs), output)[0], set_to)
        schema = parquet_schema(archive.sources, set_to) if set_to.format == "parquet" else None
        job = Job(
            str(fragile_pipeline),
            fragile_code,
            output,
            set_to,
            archive.sources,
            len(archive.shards),
            schema,
            batch_size=4,
        )
        return job, archive

    return make


@pytest.fixture(scope="session")
def read_output() -> Callable[[Path], list[dict]]:
    """The rows of all JSONL parts in a folder, in their order."""

    def read(folder: Path) -> list[dict]:
        parts = sorted((folder / "parts").iterdir())
        return [row for part in parts for row in read_jsonl(part)]

    return read


def read_jsonl(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
