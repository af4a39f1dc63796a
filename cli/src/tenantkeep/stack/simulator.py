"""The Microsoft 365 tenant on this machine, as a process."""

import json
import sys

import httpx

from tenantkeep.stack import pki
from tenantkeep.stack.home import Home
from tenantkeep.stack.ports import Ports
from tenantkeep.stack.process import NotReady, ProcessSpec, server_environment
from tenantkeep.stack.settings import caller_environment
from tenantkeep.stack.trust import client

NAME = "simulator"
_TIME_SCALE = "TENANTKEEP_GRAPH_TIME_SCALE"


def url(ports: Ports) -> str:
    return f"https://127.0.0.1:{ports[NAME]}"


def spec(home: Home, ports: Ports) -> ProcessSpec:
    """The simulator; it makes its own certificate authority at its first start."""
    return ProcessSpec(
        name=NAME,
        argv=(
            sys.executable,
            "-m",
            "graph_simulator",
            "serve",
            "--state",
            str(home.simulator),
            "--host",
            "127.0.0.1",
            "--port",
            str(ports[NAME]),
        ),
        env={**server_environment(home.simulator), **_own_settings()},
        cwd=home.simulator,
        log=home.log(NAME),
        ports={"https": ports[NAME]},
        probe=lambda: probe(home, ports),
    )


def _own_settings() -> dict[str, str]:
    """The simulator's own settings and the one it shares with its clients; nothing else of the caller reaches it."""
    return {n: v for n, v in caller_environment().items() if n.startswith("TENANTKEEP_SIMULATOR_") or n == _TIME_SCALE}


async def probe(home: Home, ports: Ports) -> None:
    """Ready when it serves OpenID discovery under its own authority, which joins the stack's trust then."""
    authority = home.simulator / "ca.pem"
    if not authority.is_file():
        raise NotReady("its certificate authority does not exist yet")
    try:
        async with client(authority) as http:
            answer = await http.get(f"{url(ports)}/common/v2.0/.well-known/openid-configuration")
    except httpx.TransportError as error:
        raise NotReady(f"no answer on port {ports[NAME]} ({type(error).__name__})") from error
    if answer.status_code != httpx.codes.OK:
        raise NotReady(f"OpenID discovery answers {answer.status_code}")
    try:
        answer.json()["token_endpoint"]
    except (json.JSONDecodeError, KeyError) as error:
        raise NotReady("OpenID discovery names no token endpoint") from error
    pki.write_bundle(home)
