"""What a service accepts, and from whom."""

import secrets
from collections.abc import Callable
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The page asks for the token itself.
OPEN_PATHS = (
    *("/healthz", "/readyz", "/docs"),
    *("/", "/page.js", "/page.css"),
    *("/teach", "/teach.js", "/teach_tab.js", "/teach_view.js", "/teach_words.js", "/teach.css"),
)

SECURITY_HEADERS = {
    # No script or style but the page's own files, and nothing from elsewhere.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


_ENCODED_HEADERS = [
    (key.lower().encode(), value.encode()) for key, value in SECURITY_HEADERS.items()
]


class Limits(NamedTuple):
    """body_bytes: of a request; text_characters: of a text; texts: of a request.
    waiting: texts of all requests that are not answered yet.
    """

    body_bytes: int = 1_000_000
    text_characters: int = 100_000
    texts: int = 256
    waiting: int = 1024


class Guard:
    """ASGI middleware: a token if one is set, no body beyond the limit, and headers that keep the
    page from loading or running anything else.

    token: what `Authorization: Bearer` has to say; None lets everybody in.
    count: called with the status of each answer.
    """

    def __init__(
        self, app: ASGIApp, *, token: str | None, body_bytes: int, count: Callable[[int], object]
    ):
        self._app = app
        self._count = count
        self._token = token
        self._body_bytes = body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(message["status"])
                message = {**message, "headers": [*message["headers"], *_ENCODED_HEADERS]}
            await send(message)

        headers = Headers(scope=scope)
        if not self._is_allowed(scope["path"], headers):
            answer = _error(401, "Send the service's token: Authorization: Bearer TOKEN")
            answer.headers["WWW-Authenticate"] = "Bearer"
            await answer(scope, receive, send_with_headers)
            return
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._body_bytes:
            await _error(413, self._too_large)(scope, receive, send_with_headers)
            return
        n_bytes = 0

        async def receive_within_limit() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > self._body_bytes:
                raise HTTPException(413, self._too_large)
            return message

        if scope["method"] == "HEAD":  # the server sends the head alone of what GET would get
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive_within_limit, send_with_headers)

    def _is_allowed(self, path: str, headers: Headers) -> bool:
        if self._token is None or path in OPEN_PATHS:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        is_right = secrets.compare_digest(given.strip().encode(), self._token.encode())
        return is_right and kind.lower() == "bearer"

    @property
    def _too_large(self) -> str:
        return f"A request has at most {self._body_bytes:,} bytes. Send fewer texts."


def require_json(request: Request) -> None:
    """A page of another site can send only what is not called JSON without being asked first.

    Raises HTTPException for a request that is not called JSON, or is compressed.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind.lower() != "application/json":
        raise HTTPException(415, "Send Content-Type: application/json.")
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise HTTPException(415, f"Send the body as it is, not as {encoding}.")


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status)
