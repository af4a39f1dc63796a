"""Serve an ASGI application inside a running process, with our TLS and without touching its signals."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from chassis import tls

_GRACE = 2
"""Seconds that open connections get at the end; an endless stream would hold the process for ever."""


class PortTaken(Exception):
    """Somebody else listens there."""


class StartFailed(Exception):
    """The application's start-up failed."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to chassis.lifecycle."""
        yield


@contextlib.asynccontextmanager
async def serve(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    cert_file: Path | None = None,
    key_file: Path | None = None,
    setting: str = "the port setting",
) -> AsyncIterator[str]:
    """Serve `app` until the block ends; yields the base URL. Port 0 takes a free one.

    TLS 1.2 or later when a certificate is given. Raises PortTaken, naming `setting` as the remedy.
    """
    context = None
    if cert_file is not None and key_file is not None:
        context = tls.server_context(cert_file, key_file)
    listener = _listen(host, port, setting)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="auto",
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        ssl_context_factory=None if context is None else lambda _config, _default: context,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]), name=f"serve {host}:{port}")
    try:
        while not server.started and not running.done():  # noqa: ASYNC110 - uvicorn offers a flag, no event
            await asyncio.sleep(0.005)
        if running.done():
            raise StartFailed(f"The server on {host}:{port} ended while starting; the log says why.")
        yield f"{'http' if context is None else 'https'}://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running


def _listen(host: str, port: int, setting: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named; without it every small answer waits 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"Port {port} on {host} cannot be used ({error.strerror}): set {setting} to a free one."
        ) from error
    return listener
