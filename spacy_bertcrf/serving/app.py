"""The HTTP API of pipelines, and the page."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from spacy_bertcrf.annotation.annotator import Failure
from spacy_bertcrf.serving.api_page import api_page
from spacy_bertcrf.serving.batcher import Batcher, ClosedError, QueueFullError
from spacy_bertcrf.serving.limits import Guard, Limits
from spacy_bertcrf.serving.readings import Question, Reader
from spacy_bertcrf.serving.teaching_api import add_teaching
from spacy_bertcrf.teaching.session import Teaching

MAX_K_BEST = 20
PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
TEACHING_PAGE = {
    "/teach": ("teach.html", "text/html; charset=utf-8"),
    "/teach.js": ("teach.js", "text/javascript; charset=utf-8"),
    "/teach_view.js": ("teach_view.js", "text/javascript; charset=utf-8"),
    "/teach_words.js": ("teach_words.js", "text/javascript; charset=utf-8"),
    "/teach.css": ("teach.css", "text/css; charset=utf-8"),
}


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


class Metrics:
    """What /metrics tells."""

    def __init__(self, batchers: Mapping[str, Batcher]):
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "bertcrf_requests", "Requests", ["pipeline", "status"], registry=self.registry
        )
        self.texts = Counter("bertcrf_texts", "Texts", ["pipeline"], registry=self.registry)
        self.failures = Counter(
            "bertcrf_failed_texts", "Texts that failed", ["pipeline"], registry=self.registry
        )
        self.seconds = Histogram(
            "bertcrf_request_seconds", "Time of a request", ["pipeline"], registry=self.registry
        )
        waiting = Gauge(
            "bertcrf_waiting_texts", "Texts that wait", ["pipeline"], registry=self.registry
        )
        for name, batcher in batchers.items():
            waiting.labels(name).set_function(partial(getattr, batcher, "n_waiting"))


def make_app(
    readers: Mapping[str, Reader],
    *,
    limits: Limits = Limits(),  # noqa: B008  # immutable
    token: str | None = None,
    hosts: Sequence[str] | None = None,
    teaching: Teaching | None = None,
) -> FastAPI:
    """The application of some pipelines, for an ASGI server.

    readers: by the name that a request says; the first is the default.
    token: what clients have to send; None lets all in.
    hosts: the names that the service may be called by; None for any. On the loopback this keeps
        pages of other sites from reaching it by a name of their own.
    teaching: what the first pipeline is taught with, on a page for annotators.
    """
    batchers = {
        name: Batcher(reader, max_waiting=limits.waiting) for name, reader in readers.items()
    }
    metrics = Metrics(batchers)
    default = next(iter(readers))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.is_ready = True
        yield
        app.state.is_ready = False
        if teaching is not None:
            await run_in_threadpool(teaching.close)
        for batcher in batchers.values():
            batcher.close()

    # FastAPI's own pages load their scripts from elsewhere; /docs below does without.
    app = FastAPI(
        title="spacy-bertcrf",
        version=version("spacy-bertcrf"),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.is_ready = False
    app.add_middleware(Guard, token=token, body_bytes=limits.body_bytes)
    if hosts is not None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))

    @app.exception_handler(HTTPException)
    async def tell(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def tell_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'][1:]) or 'body'}: {fault['msg']}"
            for fault in error.errors()
        )
        return JSONResponse({"error": faults}, 422)

    @app.post("/v1/entities", summary="The entities of one text or several")
    async def entities(asked: EntitiesRequest) -> Response:
        name = asked.pipeline or default
        if name not in batchers:
            raise HTTPException(404, f"There is no pipeline of this name, only {[*batchers]}.")
        start, status = time.perf_counter(), 500
        try:
            answer = await _answer(asked, batchers[name], limits)
            status = 422 if "error" in answer else 200
            metrics.failures.labels(name).inc(_n_failures(answer))
            return JSONResponse(answer, status)
        except HTTPException as error:
            status = error.status_code
            raise
        finally:
            metrics.requests.labels(name, status).inc()
            metrics.texts.labels(name).inc(len(asked.texts) if asked.texts is not None else 1)
            metrics.seconds.labels(name).observe(time.perf_counter() - start)

    @app.get("/v1/pipelines", summary="The pipelines and their labels")
    async def pipelines() -> dict[str, Any]:
        return {
            "pipelines": [
                {
                    "name": name,
                    "labels": batcher.reader.labels,
                    "readings": batcher.reader.has_readings,
                }
                for name, batcher in batchers.items()
            ],
            "teach": teaching is not None,
        }

    @app.get("/healthz", summary="Whether the process lives")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", summary="Whether texts are taken")
    async def readyz() -> JSONResponse:
        is_ready = app.state.is_ready
        return JSONResponse(
            {"status": "ready" if is_ready else "closing"}, 200 if is_ready else 503
        )

    @app.get("/metrics", summary="Counters, as Prometheus reads them")
    async def tell_metrics() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(api_page(app.openapi()))

    pages = PAGE
    if teaching is not None:
        add_teaching(app, teaching, batchers[default])
        pages = {**PAGE, **TEACHING_PAGE}
    for path, (file, media_type) in pages.items():
        _add_file(app, path, file, media_type)
    return app


async def _answer(asked: EntitiesRequest, batcher: Batcher, limits: Limits) -> dict[str, Any]:
    if (asked.text is None) == (asked.texts is None):
        raise HTTPException(422, "Send either `text` or `texts`.")
    texts = [asked.text] if asked.text is not None else asked.texts or []
    if len(texts) > limits.texts:
        raise HTTPException(413, f"A request has at most {limits.texts:,} texts.")
    longest = max(map(len, texts), default=0)
    if longest > limits.text_characters:
        raise HTTPException(
            413, f"A text has at most {limits.text_characters:,} characters; one has {longest:,}."
        )
    questions = [
        Question(text, asked.k_best, asked.alternatives, asked.offsets == "utf16") for text in texts
    ]
    try:
        answers = await batcher.ask(questions)
    except QueueFullError as error:
        raise HTTPException(
            429, "Too many texts wait. Try again soon.", {"Retry-After": "1"}
        ) from error
    except ClosedError as error:
        raise HTTPException(503, "The service is shutting down.", {"Retry-After": "5"}) from error
    told = [
        {"error": f"The text could not be read: {answer.reason}"}
        if isinstance(answer, Failure)
        else answer
        for answer in answers
    ]
    return told[0] if asked.text is not None else {"results": told}


def _n_failures(answer: Mapping[str, Any]) -> int:
    return sum("error" in result for result in answer.get("results", [answer]))


def _add_file(app: FastAPI, path: str, file: str, media_type: str) -> None:
    content = files("spacy_bertcrf.serving.page").joinpath(file).read_bytes()

    async def send() -> Response:
        return Response(content, media_type=media_type)

    app.add_api_route(path, send, include_in_schema=False)
