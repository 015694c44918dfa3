"""`python -m spacy bertcrf serve`: pipelines as an HTTP service, with a page."""

import ipaddress
import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.devices import use_device
from spacy_bertcrf.cli.select import RANKINGS, raw_rows, reading_bar
from spacy_bertcrf.cli.text_files import TextField, warn_of_failed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spacy.language import Language

    from spacy_bertcrf.teaching.session import Teaching

IPV6 = "["  # what Starlette takes for the host in http://[::1]:8000
TOKEN_VARIABLE = "SPACY_BERTCRF_TOKEN"  # its name
FILE_ORDER, DEFAULT_ORDER = "file", RANKINGS[0]
Order = Enum("Order", {name: name for name in (*RANKINGS, FILE_ORDER)})  # type: ignore[misc]


@bertcrf_app.command("serve")
def serve_cli(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="PIPELINE...",
            help="Trained pipelines: folders or packages, or NAME=FOLDER; the first is the default",
        ),
    ],
    port: Annotated[
        int, typer.Option(help="Port to listen on, 0 for any", min=0, max=65535)
    ] = 8000,
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
    queue: Annotated[
        list[str] | None,
        typer.Option(
            help="Texts to annotate at /teach, as `select` reads them; may be given several times"
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="The .jsonl file that keeps what annotators decide")
    ] = None,
    order: Annotated[Order, typer.Option(help="Which text comes first, as in `select`")] = Order[
        DEFAULT_ORDER
    ],
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="A label that the pipeline does not know yet; may be given several times"
        ),
    ] = None,
    text_field: TextField = "text",
    retrain: Annotated[
        Path | None,
        typer.Option(help="Training config: the page can train on what is there, and use it"),
    ] = None,
    retrain_output: Annotated[
        Path | None,
        typer.Option(help="Folder of these trainings  [default: --save without .jsonl]"),
    ] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """Serve pipelines over HTTP, with a page to try them on.

    POST /v1/entities with {"text": …} or {"texts": […]} gives the entities with their exact
    probabilities. Texts of different connections are read together. SIGTERM and Ctrl-C answer what
    has been asked, and end.

    With --queue and --save, /teach is a page for annotators: the texts come in the order in which
    annotating them teaches the first pipeline most, and each decision is on the disk at once. The
    file converts by `bertcrf convert`.
    """
    try:
        from spacy_bertcrf.serving.app import make_app
        from spacy_bertcrf.serving.limits import Limits
        from spacy_bertcrf.serving.readings import Reader
        from spacy_bertcrf.serving.server import Server
    except ImportError as error:
        msg.fail(
            f"The service needs {error.name}",
            "Install it: pip install 'spacy-bertcrf[serve]'",
            exits=1,
        )
    if token is not None and not _can_be_sent(token):
        msg.fail(
            "A token is of ASCII letters, digits and signs, without spaces, and not empty",
            "Such a one: python -c 'import secrets; print(secrets.token_urlsafe())'",
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
        pipelines = _pipelines(models, gpu_id)
        teaching = None
        if queue or save or retrain:
            teaching = _teaching(
                next(iter(pipelines.values())),
                queue or [],
                save,
                text_field=text_field,
                order=order.value,
                labels=label or [],
                retrain=retrain,
                retrain_output=retrain_output,
                gpu_id=gpu_id,
            )
        readers = {name: Reader(nlp) for name, nlp in pipelines.items()}
    except (ValueError, OSError, ImportError) as error:
        msg.fail("No service was started", str(error), exits=1)
    app = make_app(
        readers,
        limits=Limits(body_bytes=max_body, text_characters=max_text, waiting=max_waiting),
        token=token,
        hosts=["localhost", "127.0.0.1", IPV6, host] if is_loopback else None,
        teaching=teaching,
    )
    page = "" if teaching is None else "teach"

    def tell(port: int) -> None:
        if not is_loopback and token is None:
            msg.warn(f"The service is open to everybody who reaches {host}:{port}.")
        address = f"http://{_in_address(host)}:{port}/{page}"
        msg.good(f"Serving {', '.join(readers)}", f"The page: {address}")

    Server(app, host, port, tell).run()


def _pipelines(models: "Sequence[str]", gpu_id: int) -> "dict[str, Language]":
    from spacy import load

    use_device(gpu_id)
    pipelines: dict[str, Language] = {}
    for model in models:
        name, _, path = model.rpartition("=")
        if os.path.exists(model):
            name, path = "", model
        name = name or (Path(path).resolve().name if os.path.exists(path) else path)
        if name in pipelines:
            raise ValueError(f"Two pipelines have the name '{name}'. Give them as NAME=FOLDER.")
        pipelines[name] = load(path)
    return pipelines


def _teaching(
    nlp: "Language",
    queue: "Sequence[str]",
    save: Path | None,
    *,
    text_field: str,
    order: str,
    labels: "Sequence[str]",
    retrain: Path | None,
    retrain_output: Path | None,
    gpu_id: int,
) -> "Teaching":
    from spacy_bertcrf.annotation.settings import Settings
    from spacy_bertcrf.teaching.decisions import DecisionFile
    from spacy_bertcrf.teaching.session import Teaching

    if not queue or save is None:
        raise ValueError("Teaching needs both --queue, texts to annotate, and --save, a file.")
    rows = raw_rows(queue, save, Settings(text_field=text_field), [])
    file = DecisionFile(save)
    if file.cut_off is not None:
        msg.warn(f"The last line of {save} was not whole and is left out", file.cut_off[:200])
    by = None if order == FILE_ORDER else order
    with reading_bar(len(rows)) as tell:
        teaching = Teaching(nlp, rows, file, labels=labels, by=by, tell=tell)
    failed = [(row.place, reason) for row, reason in teaching.failed]
    warn_of_failed(failed, "come last, without suggestions")
    if retrain is not None:
        teaching.train_with(retrain, retrain_output or save.with_suffix(""), str(nlp.lang), gpu_id)
    done, skipped, left = teaching.queue.counts()
    msg.info(f"Of {done + skipped + left:,} texts {left:,} are to be annotated, into {save}")
    return teaching


def _can_be_sent(token: str) -> bool:
    """Whether a header of HTTP can hold a token."""
    return bool(token) and all("!" <= character <= "~" for character in token)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
