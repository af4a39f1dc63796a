"""Run the application under uvicorn: TLS only, one ready line, a prompt end on SIGTERM."""

import asyncio
import json
import socket
import ssl
import sys
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from graph_simulator.pki import ensure_certificates
from graph_simulator.web.app import Simulator
from graph_simulator.web.misbehaviour import TRANSPORT

SHUTDOWN_SECONDS = 3
KEEP_ALIVE_SECONDS = 120


class TransportInScope(H11Protocol):
    """Hands the connection to the application, which needs it to break a connection on purpose."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the parent
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}

    def shutdown(self) -> None:
        idle = self.cycle is None or self.cycle.response_complete
        super().shutdown()
        if idle:  # a client that keeps its connection open would not answer the TLS farewell
            self.transport.abort()


class AnnouncingServer(uvicorn.Server):
    """Prints one JSON line when it accepts connections."""

    def __init__(self, config: uvicorn.Config, ready: dict[str, object]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(json.dumps(self._ready) + "\n")
        sys.stdout.flush()


def run(simulator: Simulator, state: Path, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; port 0 takes a free one. Raises OSError when the port is taken."""
    ca_file, certificate, key = ensure_certificates(state)
    # asyncio switches Nagle's algorithm off only on sockets that say they are TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port} (option --port): {error.strerror}") from error
    config = uvicorn.Config(
        simulator,
        http=TransportInScope,
        ws="none",
        lifespan="off",
        loop="asyncio",
        ssl_certfile=certificate,
        ssl_keyfile=key,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,  # the application's clock may differ from the machine's
        backlog=256,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    config.load()
    assert config.ssl is not None
    config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    url = f"https://{host}:{listener.getsockname()[1]}"
    server = AnnouncingServer(config, {"ready": True, "url": url, "ca_file": str(ca_file.resolve())})
    server.run(sockets=[listener])
