"""The process that serves an application."""

import gc
import sys
from collections.abc import Callable

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
    tell: called with the port once it listens there.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str = "127.0.0.1",
        port: int = 0,
        tell: Callable[[int], object] | None = None,
    ):
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
        self._tell = tell

    async def startup(self, *arguments, **settings) -> None:
        """Listen, and say so. Ends the process if the port is taken."""
        await super().startup(*arguments, **settings)
        if self.started and self._tell is not None:
            self._tell(self.servers[0].sockets[0].getsockname()[1])

    def run(self, *arguments, **settings) -> None:
        """Serve. Blocks until the end."""
        sys.setswitchinterval(SWITCH_SECONDS)
        gc.collect()
        gc.freeze()
        super().run(*arguments, **settings)
