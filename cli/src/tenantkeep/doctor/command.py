"""`tenantkeep doctor`."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import typer

from contracts.texts import Text
from tenantkeep.commands import labels, session
from tenantkeep.commands import settings as client_settings
from tenantkeep.commands import trust as client_trust
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.errors import CommandError
from tenantkeep.commands.options import Json, Lang
from tenantkeep.commands.output import Screen, reported
from tenantkeep.commands.session import RemoteSession
from tenantkeep.doctor import machine, running
from tenantkeep.doctor.finding import ANSWERS, AREAS, Answer, Finding, bad, good, unknown
from tenantkeep.exit_codes import ExitCode
from tenantkeep.stack import home as homes
from tenantkeep.stack import ports as stack_ports
from tenantkeep.stack import settings as stack_settings
from tenantkeep.stack.home import Home

_CHECK = Text("Check", "Prüfung")
_SUMMARY = Text("{} good, {} bad, {} unknown", "{} gut, {} schlecht, {} unbekannt")
_NOT_RUNNING = Text("Start it: tenantkeep up", "Starten: tenantkeep up")


@reported
def doctor(*, lang: Lang = "en", as_json: Json = False) -> None:
    """Check this machine, the embedded stack and the gateway you are signed in at.

    Versions, state folder, ports, certificates, TLS, clock, vault, bus and stores: each is good, bad or unknown, and
    what is not good comes with its next step. Exit code 0 only when everything is good.

    Example: tenantkeep doctor --json | jq '.findings[] | select(.answer != "good")'
    """
    screen = Screen(lang, as_json=as_json)
    found = examine(client_settings.home())
    counts = Counter(finding.answer for finding in found)
    if as_json:
        screen.document({"findings": documents(found, screen), **{answer: counts[answer] for answer in Answer}})
    else:
        show(screen, found)
        screen.say(_SUMMARY, *(counts[answer] for answer in Answer))
    raise typer.Exit(ExitCode.SUCCEEDED if counts[Answer.GOOD] == len(found) else ExitCode.FAILED)


def examine(home: Home) -> list[Finding]:
    """Everything that can be asked from here; a check that cannot run is a finding, too."""
    settings = stack_settings.load()
    is_running = homes.is_locked(home)
    found = list(machine.check(home, settings, running=is_running))
    if is_running:
        found += asyncio.run(running.check(home, stack_ports.running(home), settings))
    elif home.stamp.is_file():
        found.append(unknown("processes", str(home.root), "no stack runs in this folder", _NOT_RUNNING))
    return found + _gateway(home)


def _gateway(home: Home) -> list[Finding]:
    """The gateway elsewhere: reachable over TLS, its clock, and whether it still knows us."""
    try:
        signed_in = session.load(home)
    except CommandError:
        return []  # nobody signed in: there is no gateway to ask
    if not isinstance(signed_in, RemoteSession):
        return []  # the embedded one is among the processes
    try:
        ca_file = client_settings.load().ca_file
        access = session.access(home, signed_in, ca_file)
        with Gateway(access) as gateway:
            tenants = gateway.tenants()
        clock = asyncio.run(running.clock_of(access.url, client_trust.context(access.ca_file)))
    except CommandError as error:
        return [bad("gateway", signed_in.url, error.message.en, error.remedy)]
    return [good("gateway", signed_in.url, f"{len(tenants)} tenants"), clock]


def show(screen: Screen, found: Sequence[Finding]) -> None:
    headers = (labels.AREA, _CHECK, labels.ANSWER, labels.DETAIL, labels.REMEDY)
    rows = [
        (
            screen.text(AREAS[one.area]),
            one.subject,
            screen.text(ANSWERS[one.answer]),
            one.detail,
            screen.text(one.remedy),
        )
        for one in found
    ]
    screen.table(headers, rows)


def documents(found: Sequence[Finding], screen: Screen) -> list[dict[str, str]]:
    return [{**asdict(one), "remedy": screen.text(one.remedy)} for one in found]
