"""What clients ask of a service, and what it answers."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from spacy_bertcrf.annotation.annotator import Failure
from spacy_bertcrf.serving.batcher import Batcher, ClosedError, QueueFullError
from spacy_bertcrf.serving.limits import Limits, require_json
from spacy_bertcrf.serving.metrics import Metrics
from spacy_bertcrf.serving.readings import Answer, Question

MAX_K_BEST = 20

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class EntitiesRequest(BaseModel):
    """One text or several, and what is asked of them."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str | None, Field(description="One text")] = None
    texts: Annotated[list[str] | None, Field(description="Several texts, instead of one")] = None
    pipeline: Annotated[str | None, Field(description="Its name; by default the first")] = None
    k_best: Annotated[
        int, Field(ge=0, le=MAX_K_BEST, description="So many of the best readings of a text")
    ] = 0
    alternatives: Annotated[bool, Field(description="Other labels and borders of each entity")] = (
        False
    )
    offsets: Annotated[
        Literal["characters", "utf16"],
        Field(description="Unicode code points, or UTF-16 units as in JavaScript"),
    ] = "characters"


def add_entities(
    app: FastAPI, batchers: Mapping[str, Batcher], limits: Limits, metrics: Metrics
) -> None:
    """Add /v1/entities.

    batchers: by the name that a request says; the first is the default.
    """
    default = next(iter(batchers))
    schema = EntitiesRequest.model_json_schema()

    # FastAPI would read a body, check it and write the answer in twice the time.
    @app.post(
        "/v1/entities",
        summary="The entities of one text or several",
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}
        },
    )
    async def entities(request: Request) -> Response:
        require_json(request)
        asked = _asked(await request.body())
        name = asked.pipeline or default
        if name not in batchers:
            raise HTTPException(404, f"There is no pipeline of this name, only {[*batchers]}.")
        start, status, n_failed = time.perf_counter(), 500, 0
        try:
            told = await _told(asked, batchers[name], limits)
            n_failed = sum("error" in answer for answer in told)
            is_one = asked.texts is None
            status = 422 if is_one and n_failed else 200
            content = _encode(told[0] if is_one else {"results": told})
            return Response(content, status, media_type="application/json")
        except HTTPException as error:
            status = error.status_code
            raise
        finally:
            n_texts = 1 if asked.texts is None else len(asked.texts)
            metrics.count(name, status, time.perf_counter() - start, n_texts, n_failed)


async def ask(batcher: Batcher, questions: Sequence[Question]) -> list[Answer | Failure]:
    """The answers to some questions. Raises HTTPException if they cannot be taken."""
    try:
        return await batcher.ask(questions)
    except QueueFullError as error:
        raise HTTPException(
            429, "Too many texts wait. Try again soon.", {"Retry-After": "1"}
        ) from error
    except ClosedError as error:
        raise HTTPException(503, "The service is shutting down.", {"Retry-After": "5"}) from error


def _asked(body: bytes) -> EntitiesRequest:
    try:
        asked = EntitiesRequest.model_validate_json(body)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in faults]
        ) from error
    if (asked.text is None) == (asked.texts is None):
        raise HTTPException(422, "Send either `text` or `texts`.")
    return asked


async def _told(asked: EntitiesRequest, batcher: Batcher, limits: Limits) -> list[dict[str, Any]]:
    texts = [asked.text] if asked.text is not None else asked.texts or []
    most = min(limits.texts, limits.waiting)  # more could never be taken, however often they come
    if len(texts) > most:
        raise HTTPException(413, f"A request has at most {most:,} texts; this one {len(texts):,}.")
    longest = max(map(len, texts), default=0)
    if longest > limits.text_characters:
        raise HTTPException(
            413, f"A text has at most {limits.text_characters:,} characters; one has {longest:,}."
        )
    questions = [
        Question(text, asked.k_best, asked.alternatives, asked.offsets == "utf16") for text in texts
    ]
    return [
        {"error": f"The text could not be read: {answer.reason}"}
        if isinstance(answer, Failure)
        else answer
        for answer in await ask(batcher, questions)
    ]
