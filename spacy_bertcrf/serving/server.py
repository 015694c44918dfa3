"""The process that serves an application."""

import gc
import sys

import uvicorn
from starlette.types import ASGIApp

DRAIN_SECONDS = 30
# How long a thread may hold the interpreter while another waits for it. The one that reads texts
# gives it away with each call of torch, and would wait 5 ms, as Python has it, to get it back from
# the one that speaks HTTP.
SWITCH_SECONDS = 0.0005


class Server(uvicorn.Server):
    """Serves an application until SIGTERM or Ctrl-C, and answers what has been asked before.

    app: with its pipelines loaded: what there is now is not searched for garbage any more.
    host, port: where it listens; 0 for any port.
    """

    def __init__(self, app: ASGIApp, host: str = "127.0.0.1", port: int = 0):
        # Requests are many and small; their count is at /metrics.
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        super().__init__(config)

    def run(self, *arguments, **settings) -> None:
        """Serve. Blocks until the end."""
        sys.setswitchinterval(SWITCH_SECONDS)
        gc.collect()
        gc.freeze()
        super().run(*arguments, **settings)
