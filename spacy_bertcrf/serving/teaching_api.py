"""What the page for annotators asks of the service."""

import gc
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel, ConfigDict, Field
from spacy.language import Language
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from spacy_bertcrf.annotation.annotator import Failure
from spacy_bertcrf.serving.batcher import Batcher
from spacy_bertcrf.serving.entities_api import ask
from spacy_bertcrf.serving.limits import require_json
from spacy_bertcrf.serving.readings import Question, Reader
from spacy_bertcrf.teaching.decisions import Mark
from spacy_bertcrf.teaching.queue import Given, TakenError, UnknownTextError
from spacy_bertcrf.teaching.retraining import RunningError
from spacy_bertcrf.teaching.session import Teaching

Tab = Annotated[
    str, Field(min_length=8, max_length=64, description="A name that a tab gives itself")
]
Key = Annotated[str, Field(max_length=64, description="Of the text")]
MAX_SPANS = 10_000


class Span(BaseModel):
    """A labelled span, in characters (Unicode code points)."""

    model_config = ConfigDict(extra="forbid")

    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=1)]
    label: Annotated[str, Field(max_length=200)]


class TabRequest(BaseModel):
    """Who asks."""

    model_config = ConfigDict(extra="forbid")

    tab: Tab


class TextRequest(TabRequest):
    """Who asks, and for which text."""

    key: Key


class DecisionRequest(TextRequest):
    """What is known of a text."""

    status: Literal["accepted", "skipped", "open"]
    entities: Annotated[list[Span], Field(max_length=MAX_SPANS)]
    rejected: Annotated[list[Span], Field(max_length=MAX_SPANS)]


def add_teaching(app: FastAPI, teaching: Teaching, batcher: Batcher) -> None:
    """Add what the page at /teach asks for.

    batcher: what pre-annotates; it is given the newly trained pipelines.
    """
    router = APIRouter(prefix="/v1/teach", tags=["teach"], dependencies=[Depends(require_json)])
    queue = teaching.queue
    teaching.read_by(partial(_swap, batcher))

    async def given(found: Given | None) -> dict[str, Any]:
        text = None
        if found is not None:
            text = await _told(found, batcher)
            queue.add_labels(one["label"] for one in text["suggestions"])
        return {"text": text, "counts": queue.counts()._asdict(), "labels": queue.labels}

    @router.post("/next", summary="The text that a tab has, or else the next one")
    async def next_text(asked: TabRequest) -> dict[str, Any]:
        return await given(await _of_queue(queue.next, asked.tab))

    @router.post("/reopen", summary="Take back that a text was accepted or skipped")
    async def reopen(asked: TextRequest) -> dict[str, Any]:
        return await given(await _of_queue(queue.reopen, asked.tab, asked.key))

    @router.post("/decide", summary="Keep what is known of a text")
    async def decide(asked: DecisionRequest) -> dict[str, Any]:
        entities, rejected = (
            [Mark(span.start, span.end, span.label) for span in spans]
            for spans in (asked.entities, asked.rejected)
        )
        counts = await _of_queue(
            queue.decide, asked.tab, asked.key, asked.status, entities, rejected
        )
        return {"counts": counts._asdict()}

    @router.post("/alive", summary="A tab is still open")
    async def alive(asked: TabRequest) -> dict[str, Any]:
        await run_in_threadpool(queue.is_alive, asked.tab)
        return {"counts": queue.counts()._asdict()}

    @router.post("/train", summary="Begin a training on what is there")
    async def train() -> dict[str, Any]:
        if teaching.retraining is None:
            raise HTTPException(404, "The service was started without --retrain.")
        try:
            await run_in_threadpool(teaching.retraining.start)
        except RunningError as error:
            raise HTTPException(409, "A training is running already.") from error
        except OSError as error:
            raise HTTPException(507, f"No training was begun: {error}") from error
        return teaching.retraining.progress()

    app.include_router(router)

    @app.get("/v1/teach/training", tags=["teach"], summary="How the training goes")
    async def training() -> dict[str, Any]:
        if teaching.retraining is None:
            return {"state": "none"}
        return await run_in_threadpool(teaching.retraining.progress)


def _swap(batcher: Batcher, nlp: Language) -> None:
    batcher.reader = Reader(nlp)
    gc.unfreeze()  # or the pipeline before it would stay in memory


async def _of_queue(call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return await run_in_threadpool(call, *arguments)
    except UnknownTextError as error:
        raise HTTPException(404, "The queue has no such text.") from error
    except TakenError as error:
        raise HTTPException(409, "Another tab has this text now.") from error
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    except OSError as error:
        raise HTTPException(507, f"It could not be saved: {error}") from error


async def _told(found: Given, batcher: Batcher) -> dict[str, Any]:
    text = found.row.text or ""
    read = await _read(batcher, text)
    known = found.known
    return {
        "key": found.key,
        "id": found.row.id,
        "text": text,
        "entities": [mark._asdict() for mark in known.entities],
        "rejected": [mark._asdict() for mark in known.rejected],
        "suggestions": [
            {key: entity[key] for key in ("start", "end", "label", "score")}
            for entity in read["entities"]
        ],
        "tokens": read["tokens"],
        "error": read.get("error"),
    }


async def _read(batcher: Batcher, text: str) -> dict[str, Any]:
    """Entities and tokens; of a text that the pipeline cannot read, each character is a token."""
    (answer,) = await ask(batcher, [Question(text, tokens=True)])
    if isinstance(answer, Failure):
        tokens = [(i, i + 1) for i, character in enumerate(text) if not character.isspace()]
        return {"entities": [], "tokens": tokens, "error": answer.reason}
    return answer
