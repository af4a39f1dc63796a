"""The simulated Microsoft 365 tenant of the demo: filled, changed and counted."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from contracts.texts import Text
from tenantkeep.commands import simulator, trust
from tenantkeep.commands.errors import CommandError
from tenantkeep.stack import ports as stack_ports
from tenantkeep.stack import simulator as stack_simulator
from tenantkeep.stack.home import Home

TENANT = "contoso"
EVENTS, CONTACTS = 24, 12
"""Invented for each mailbox, also beside somebody's own mail: enough for a series in its default calendar."""
_MESSAGE_BODY = "/users/{user}/messages/{message}/$value"
"""Where every body is asked for first; what is not found there is a deleted one, asked for again in its folder."""


@dataclass(frozen=True)
class Mailboxes:
    """Where the mail comes from: a count of invented messages, or somebody's own."""

    generate: int = 2000
    mailboxes: int = 4
    mbox: Path | None = None
    maildir: Path | None = None

    def arguments(self) -> tuple[str, ...]:
        if self.mbox is not None:
            return "--mbox", str(self.mbox.absolute()), *_invented(1)
        if self.maildir is not None:
            return "--maildir", str(self.maildir.absolute()), *_invented(1)
        return "--generate", str(self.generate), "--mailboxes", str(self.mailboxes), *_invented(self.mailboxes)


def _invented(mailboxes: int) -> tuple[str, ...]:
    return "--calendars", str(EVENTS * mailboxes), "--contacts", str(CONTACTS)


@dataclass(frozen=True)
class Requests:
    """What the simulator was asked since the counters were reset."""

    graph: int
    messages: int
    """Bodies of messages fetched (`$value`)."""


class TenantSource:
    """Runs the simulator's commands on the state of `home`; files go into `folder`."""

    def __init__(self, home: Home, folder: Path, seed: int) -> None:
        self._home = home
        self._folder = folder
        self._seed = str(seed)

    @property
    def apps(self) -> Path:
        return self._folder / "apps.json"

    def fill(self, mail: Mailboxes, manifest: Path) -> dict[str, Any]:
        """Create the tenant, fill its mailboxes, write apps file and manifest. Returns the summary."""
        files = ("--apps", str(self.apps), "--manifest", str(manifest))
        return self._run("seed", ("--tenant", TENANT, *mail.arguments(), "--seed", self._seed, *files, "--json"))

    def change(self, manifest: Path) -> dict[str, Any]:
        """New, deleted, read and moved mail, and events; the manifest is written as it is afterwards."""
        return self._run("change", ("--tenant", TENANT, "--seed", self._seed, "--manifest", str(manifest)))

    def reset_counters(self) -> None:
        self._control("POST", "stats/reset")

    def requests(self) -> Requests:
        counted = self._control("GET", "stats").json()
        by_route: dict[str, int] = counted["requests"]
        bodies = sum(n for route, n in by_route.items() if route.startswith("GET ") and route.endswith(_MESSAGE_BODY))
        return Requests(int(counted["graph_requests_total"]), bodies)

    def messages_of(self, user: str) -> int:
        """How many messages a mailbox holds now, as the tenant itself counts."""
        found = self._control("GET", f"tenants/{TENANT}/users").json()["users"]
        return next(int(entry["messages"]) for entry in found if entry["upn"] == user)

    def _run(self, name: str, arguments: Sequence[str]) -> dict[str, Any]:
        log = self._folder / f"{name}.log"
        with log.open("wb") as errors:
            done = subprocess.run(  # noqa: S603 -- our interpreter and module, no shell
                simulator.command(self._home, name, list(arguments)), stdout=subprocess.PIPE, stderr=errors, check=False
            )
        if done.returncode != 0:
            raise CommandError(
                Text(f"The simulator's `{name}` failed.", f"`{name}` des Simulators ist fehlgeschlagen."),
                Text(f"Read {log}.", f"{log} lesen."),
                lines=log.read_text(errors="replace").splitlines()[-10:],
                code="simulator",
            )
        summary: dict[str, Any] = json.loads(done.stdout)
        return summary

    def _control(self, method: str, path: str) -> httpx.Response:
        url = stack_simulator.url(stack_ports.running(self._home))
        token = (self._home.simulator / "control.token").read_text().strip()
        with httpx.Client(verify=trust.context(self._home.ca_bundle), trust_env=False, timeout=10) as http:
            answer = http.request(method, f"{url}/_simulator/{path}", headers={"authorization": f"Bearer {token}"})
        return answer.raise_for_status()
