"""Checks of a running stack: each process's own probe, TLS on each port, the clock, and the bus's streams."""

import asyncio
import datetime as dt
import json
import ssl
import subprocess
import sys
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime

import httpx

from contracts.texts import Text
from tenantkeep.doctor.finding import Finding, bad, good, unknown
from tenantkeep.stack import services, trust, vault
from tenantkeep.stack import status as stack_status
from tenantkeep.stack.home import Home
from tenantkeep.stack.ports import Ports
from tenantkeep.stack.settings import StackSettings

_TLS_SERVERS = ("vault", "objects", "issuer", "simulator", "gateway")
"""Processes that speak TLS from the first byte on the port of their own name."""
_CLOCK_SECONDS = 5.0
"""Tokens tolerate five minutes; signatures of S3 requests fifteen. A machine off by seconds drifts on."""
_TIMEOUT = 5.0
_BUS_SECONDS = 30.0
_LOG = Text("Read its log; `tenantkeep status` names it.", "Das Protokoll lesen; `tenantkeep status` nennt es.")


async def check(home: Home, ports: Ports, settings: StackSettings) -> list[Finding]:
    """Every check of a running stack, at once where they do not disturb each other."""
    status = await stack_status.ask(home, ports)
    there = {process.name for process in status.processes}
    tls, clock, bus = await asyncio.gather(
        asyncio.gather(*(_tls(home, name, ports[name]) for name in _TLS_SERVERS if name in there)),
        clock_of(vault.url(ports), trust.context(home.ca)),
        asyncio.to_thread(_bus, home, ports, settings),
    )
    return [*_processes(status.processes), *tls, clock, *bus]


def _processes(found: Iterable[stack_status.ProcessStatus]) -> Iterator[Finding]:
    for process in found:
        if process.ready:
            again = f", started again {process.restarts} times" if process.restarts else ""
            yield good("processes", process.name, f"ready{again}")
        else:
            yield bad("processes", process.name, f"{process.state} {process.detail}".strip(), _LOG)


async def _tls(home: Home, name: str, port: int) -> Finding:
    """TLS 1.2 or better with a certificate our authority signed."""
    try:
        async with asyncio.timeout(_TIMEOUT):
            context = trust.context(home.ca_bundle)
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
            version = str(writer.get_extra_info("ssl_object").version())
            writer.close()
    except ssl.SSLError as error:
        return bad("tls", f"{name} {port}", str(error.reason or error), _LOG)
    except (OSError, TimeoutError) as error:
        return bad("tls", f"{name} {port}", f"no answer ({type(error).__name__})", _LOG)
    return good("tls", f"{name} {port}", version)


async def clock_of(url: str, context: ssl.SSLContext) -> Finding:
    """This machine's clock against the Date header of `url`."""
    try:
        async with httpx.AsyncClient(verify=context, trust_env=False, timeout=_TIMEOUT) as http:
            answer = await http.get(url)
        theirs = parsedate_to_datetime(answer.headers["date"])
    except (httpx.TransportError, KeyError, ValueError) as error:
        return unknown("clock", url, f"no time to compare with ({type(error).__name__})", _LOG)
    return judged(url, dt.datetime.now(dt.UTC) - theirs)


def judged(url: str, difference: dt.timedelta) -> Finding:
    seconds = difference.total_seconds()
    detail = f"{seconds:+.0f} s"
    if abs(seconds) > _CLOCK_SECONDS:
        remedy = Text("Switch on time synchronisation (NTP).", "Die Zeitsynchronisation (NTP) einschalten.")
        return bad("clock", url, detail, remedy)
    return good("clock", url, detail)


def _bus(home: Home, ports: Ports, settings: StackSettings) -> Iterator[Finding]:
    """Ask the bootstrap command, which has the one bus user that sees streams and durables."""
    again = Text(
        "Run `python -m chassis.bootstrap` as its own bus user; the embedded stack does it at `tenantkeep up`.",
        "`python -m chassis.bootstrap` mit eigenem Bus-Benutzer ausführen; der eingebettete Stack tut es bei "
        "`tenantkeep up`.",
    )
    try:
        done = subprocess.run(
            [sys.executable, "-m", "chassis.bootstrap", "--check"],
            env=services.bootstrap_environment(home, ports, settings),
            cwd=home.root,
            capture_output=True,
            text=True,
            timeout=_BUS_SECONDS,
            check=False,
        )
        report = json.loads(done.stdout.splitlines()[-1])  # its log lines come first
        differences, totals = report["differences"], f"{report['streams']} and {report['durables']}"
    except (OSError, ValueError, LookupError, subprocess.TimeoutExpired) as error:
        silent = Text(
            "Read the log of nats-server. After a full disk it keeps JetStream off until it is started again.",
            "Das Protokoll von nats-server lesen. Nach einer vollen Platte bleibt JetStream aus, bis er neu startet.",
        )
        return iter([unknown("bus", "streams and durables", f"no answer ({type(error).__name__})", silent)])
    found = [bad("bus", name, why, again) for name, why in differences]
    return iter(found or [good("bus", "streams and durables", totals)])
