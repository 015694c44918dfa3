"""The HTTP API of pipelines, and the page."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from spacy_bertcrf.serving.api_page import api_page
from spacy_bertcrf.serving.batcher import Batcher
from spacy_bertcrf.serving.entities_api import add_entities
from spacy_bertcrf.serving.limits import SECURITY_HEADERS, Guard, Limits
from spacy_bertcrf.serving.metrics import Metrics
from spacy_bertcrf.serving.readings import Reader
from spacy_bertcrf.serving.teaching_api import add_teaching
from spacy_bertcrf.teaching.session import Teaching

PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
TEACHING_PAGE = {
    "/teach": ("teach.html", "text/html; charset=utf-8"),
    "/teach.js": ("teach.js", "text/javascript; charset=utf-8"),
    "/teach_tab.js": ("teach_tab.js", "text/javascript; charset=utf-8"),
    "/teach_view.js": ("teach_view.js", "text/javascript; charset=utf-8"),
    "/teach_words.js": ("teach_words.js", "text/javascript; charset=utf-8"),
    "/teach.css": ("teach.css", "text/css; charset=utf-8"),
}


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
    if hosts is not None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    # The outermost, so that it sees every answer.
    app.add_middleware(Guard, token=token, body_bytes=limits.body_bytes, count=metrics.count_answer)

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

    @app.exception_handler(Exception)
    async def tell_fault(_: Request, __: Exception) -> JSONResponse:
        # It is answered outside of Guard, which neither counts it nor adds headers.
        metrics.count_answer(500)
        message = "The service failed at this request. Its log says why."
        return JSONResponse({"error": message}, 500, SECURITY_HEADERS)

    add_entities(app, batchers, limits, metrics)

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
        return Response(metrics.tell(), media_type=CONTENT_TYPE_LATEST)

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


def _add_file(app: FastAPI, path: str, file: str, media_type: str) -> None:
    content = files("spacy_bertcrf.serving.page").joinpath(file).read_bytes()

    async def send() -> Response:
        return Response(content, media_type=media_type)

    app.add_api_route(path, send, include_in_schema=False)
