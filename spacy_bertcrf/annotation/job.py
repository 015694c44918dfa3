"""What an engine does with each shard."""

import gc
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from spacy.language import Language

from spacy_bertcrf.annotation.annotator import Annotator, DeviceLost, Failure
from spacy_bertcrf.annotation.attempts import Attempt
from spacy_bertcrf.annotation.results import write_results
from spacy_bertcrf.annotation.rows import Row
from spacy_bertcrf.annotation.settings import Settings
from spacy_bertcrf.annotation.shards import Shard, ShardReader, Source
from spacy_bertcrf.models.bridge.gpus import check_gpus
from spacy_bertcrf.pipeline.freed_memory import give_back_memory

PARTS, WORK = "parts", ".work"
NOTES = "reading-*.json"

# Words that a pipeline meets before it is loaded anew: of each, spaCy's vocabulary keeps places in
# its indexes, though the word itself is given up.
MAX_WORDS = 500_000
# What needs memory for a text as a whole: for the sake of these spaCy bounds its length.
OF_ONE_PIECE = {"parser", "ner", "beam_parser", "beam_ner"}


class Job(NamedTuple):
    """All that a process needs to know to annotate shards.

    pipeline: its folder or package; code: a file that is imported first.
    output: the folder. In its folder `parts` lie the results and nothing else, so that others can
        read them as one; in `.work` what is removed at the end.
    schema: of Parquet files; None for JSON lines.
    batch_size: most texts that go through the pipeline together; if None, the pipeline's.
    gpu_id: -1 for the CPU.
    """

    pipeline: str
    code: Path | None
    output: Path
    settings: Settings
    sources: list[Source]
    n_shards: int
    schema: Any = None
    batch_size: int | None = None
    gpu_id: int = -1

    def part(self, number: int) -> Path:
        """The file with the results of a shard."""
        return self.output / PARTS / f"part-{self._padded(number)}.{self.settings.format}"

    def errors(self, number: int) -> Path:
        """The file with the texts of a shard that could not be annotated."""
        return self.output / WORK / f"errors-{self._padded(number)}.jsonl"

    def note(self, number: int) -> Path:
        """The file that says what is being read of a shard."""
        return self.output / WORK / NOTES.replace("*", self._padded(number))

    def _padded(self, number: int) -> str:
        return str(number).zfill(max(5, len(str(self.n_shards))))


class Done(NamedTuple):
    """What became of a shard. seconds: that it took."""

    shard: int
    texts: int
    failed: int
    entities: int
    seconds: float


class ShardAnnotator:
    """Annotates shard by shard with one pipeline."""

    def __init__(self, job: Job):
        self._job = job
        self._nlp = load_pipeline(job.pipeline, job.code, job.gpu_id)
        self._annotator = Annotator(self._nlp, job.batch_size)
        self._reader = ShardReader(job.sources, job.settings)

    def __call__(self, shard: Shard, how: str | None = None) -> Done:
        """Read, annotate and write a shard.

        how: in what way the process has ended that was to do it before, if that is known.

        Raises OSError if it cannot be written, ValueError if it cannot be read.
        """
        began = time.monotonic()
        if len(self._nlp.vocab) > MAX_WORDS:
            self._load_anew()
        rows = self._reader.read(shard)
        attempt = Attempt(self._job.note(shard.number), how)
        try:
            results, errors = self._annotated(rows, attempt)
            attempt.reads_nothing()
            # In this order: a shard whose part has its name has told of its errors too.
            write_results(self._job.errors(shard.number), errors)
            write_results(self._job.part(shard.number), results, self._job.schema)
        except DeviceLost:
            raise  # one of the texts that were being read may be to blame
        except BaseException:
            # Ctrl-C, a full disk: the text that was being read is not to blame.
            with suppress(OSError):
                attempt.reads_nothing()
            raise
        attempt.ended()
        # Else what a shard's texts have taken in pieces stays beside the next one's.
        give_back_memory()
        n_entities = sum(len(result["entities"]) for result in results)
        seconds = round(time.monotonic() - began, 3)
        return Done(shard.number, len(rows), len(errors), n_entities, seconds)

    def _load_anew(self) -> None:
        # Never two of them in memory: a pipeline is not free of cycles. Code that registers
        # components is run once a process.
        del self._nlp, self._annotator
        gc.collect()
        give_back_memory()
        self._nlp = load_pipeline(self._job.pipeline, None, self._job.gpu_id)
        self._annotator = Annotator(self._nlp, self._job.batch_size)

    def _annotated(
        self, rows: list[Row], attempt: Attempt
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        texts = [row.text for row in rows if row.text is not None]
        annotations = self._annotator.annotate(texts, attempt)
        results, errors = [], []
        for row in rows:
            found = next(annotations) if row.text is not None else Failure(str(row.fault))
            if isinstance(found, Failure):
                errors.append(self._error(row, found))
            else:
                text = {"text": row.text} if self._job.settings.save_texts else {}
                results.append({"id": row.id, **text, **row.kept, **found})
        # The annotator frees what the texts took when it is asked for more than there are.
        if next(annotations, None) is not None:
            raise AssertionError("more annotations than texts")
        return results, errors

    def _error(self, row: Row, failure: Failure) -> dict[str, Any]:
        settings = self._job.settings
        # As the input has them, so that this file can be the next input.
        named = {settings.id_field or "id": row.id, settings.text_field: row.text}
        return {**row.kept, **named, "place": row.place, "error": failure.reason}


def load_pipeline(pipeline: str, code: Path | None, gpu_id: int) -> Language:
    """Load a pipeline as a job names it, for texts of any length. Raises ValueError if there is
    none, or no such GPU."""
    import spacy
    from spacy.util import import_file

    check_gpus(gpu_id)
    if gpu_id >= 0:
        spacy.require_gpu(gpu_id)
    if code is not None:
        import_file("python_code", code)
    try:
        nlp = spacy.load(pipeline)
    except (OSError, ImportError) as error:
        raise ValueError(f"The pipeline {pipeline} cannot be loaded: {error}") from error
    if not any(nlp.get_pipe_meta(name).factory in OF_ONE_PIECE for name in nlp.pipe_names):
        nlp.max_length = sys.maxsize
    return nlp
