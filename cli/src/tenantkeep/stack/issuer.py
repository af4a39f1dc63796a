"""The embedded stack's token issuer as the stack sees it: where it is, how it is started, when it is ready.

Production has no such process; there the gateway trusts the company's OpenID Connect provider.
"""

import sys

import httpx

from tenantkeep.stack.home import Home
from tenantkeep.stack.ports import Ports
from tenantkeep.stack.process import NotReady, ProcessSpec, server_environment
from tenantkeep.stack.trust import client

NAME = "issuer"
AUDIENCE = "tenantkeep"


def url(ports: Ports) -> str:
    return f"https://127.0.0.1:{ports[NAME]}"


def jwks_url(ports: Ports) -> str:
    return f"{url(ports)}/jwks.json"


def token_url(ports: Ports) -> str:
    return f"{url(ports)}/token"


def spec(home: Home, ports: Ports) -> ProcessSpec:
    return ProcessSpec(
        name=NAME,
        argv=(sys.executable, "-m", "tenantkeep.stack.issuer_server", str(home.root), str(ports[NAME])),
        env=server_environment(home.root),
        cwd=home.root,
        log=home.log(NAME),
        ports={"https": ports[NAME]},
        probe=lambda: probe(home, ports),
    )


async def probe(home: Home, ports: Ports) -> None:
    """Ready when the keys can be fetched."""
    try:
        async with client(home.ca) as http:
            answer = await http.get(jwks_url(ports))
    except httpx.TransportError as error:
        raise NotReady(f"no answer on port {ports[NAME]} ({type(error).__name__})") from error
    if answer.status_code != httpx.codes.OK:
        raise NotReady(f"the key set answers {answer.status_code}")
