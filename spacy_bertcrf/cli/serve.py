"""`python -m spacy bertcrf serve`: pipelines as an HTTP service, with a page."""

import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.devices import use_device

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spacy_bertcrf.serving.readings import Reader

DRAIN_SECONDS = 30
IPV6 = "["  # what Starlette takes for the host in http://[::1]:8000
TOKEN_VARIABLE = "SPACY_BERTCRF_TOKEN"  # its name


@bertcrf_app.command("serve")
def serve_cli(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="PIPELINE...",
            help="Trained pipelines: folders or packages, or NAME=FOLDER; the first is the default",
        ),
    ],
    port: Annotated[int, typer.Option(help="Port to listen on, 0 for any", min=0)] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(
            envvar=TOKEN_VARIABLE, help="What clients have to send as Authorization: Bearer"
        ),
    ] = None,
    open_to_all: Annotated[
        bool, typer.Option("--open", help="Serve other machines without a token")
    ] = False,
    max_text: Annotated[int, typer.Option(help="Characters of a text, at most", min=1)] = 100_000,
    max_body: Annotated[int, typer.Option(help="Bytes of a request, at most", min=1)] = 1_000_000,
    max_waiting: Annotated[int, typer.Option(help="Texts that wait, at most", min=1)] = 1024,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Serve pipelines over HTTP, with a page to try them on.

    POST /v1/entities with {"text": …} or {"texts": […]} gives the entities with their exact
    probabilities. Texts of different connections are read together. SIGTERM and Ctrl-C answer what
    has been asked, and end.
    """
    try:
        import uvicorn

        from spacy_bertcrf.serving.app import make_app
        from spacy_bertcrf.serving.limits import Limits
    except ImportError as error:
        msg.fail(
            f"The service needs {error.name}",
            "Install it: pip install 'spacy-bertcrf[serve]'",
            exits=1,
        )
    is_loopback = _is_loopback(host)
    if not is_loopback and token is None and not open_to_all:
        msg.fail(
            f"At {host} everybody who reaches this machine could use the service",
            f"Give a --token (or {TOKEN_VARIABLE}), or --open if that is what you want.",
            exits=1,
        )
    try:
        readers = _readers(models, gpu_id)
    except (ValueError, OSError, ImportError) as error:
        msg.fail("No service was started", str(error), exits=1)
    if not is_loopback and token is None:
        msg.warn(f"The service is open to everybody who reaches {host}:{port}.")
    app = make_app(
        readers,
        limits=Limits(body_bytes=max_body, text_characters=max_text, waiting=max_waiting),
        token=token,
        hosts=["localhost", "127.0.0.1", IPV6, host] if is_loopback else None,
    )
    msg.good(f"Serving {', '.join(readers)}", f"The page: http://{_in_address(host)}:{port}/")
    # Requests are many and small; their count is at /metrics.
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


def _readers(models: "Sequence[str]", gpu_id: int) -> "Mapping[str, Reader]":
    from spacy import load

    from spacy_bertcrf.serving.readings import Reader

    use_device(gpu_id)
    readers: dict[str, Reader] = {}
    for model in models:
        name, _, path = model.rpartition("=")
        if os.path.exists(model):
            name, path = "", model
        name = name or (Path(path).resolve().name if os.path.exists(path) else path)
        if name in readers:
            raise ValueError(f"Two pipelines have the name '{name}'. Give them as NAME=FOLDER.")
        readers[name] = Reader(load(path))
    return readers


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
