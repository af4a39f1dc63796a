"""Outages on a running stack: kill a process, keep it away, wipe the bus, and see what becomes of a backup."""

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import httpx
import nats
from main_job import Json, MainJob, settings_of
from stack_fixture import wait_until

from chassis import tls
from contracts.bus_users import BOOTSTRAP, inbox_prefix
from contracts.streams import DLQ
from tenantkeep.commands import session
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.errors import CommandError
from tenantkeep.stack.state import State

QUICK = {
    "TENANTKEEP_ACK_WAIT": "2",
    "TENANTKEEP_HEARTBEAT_INTERVAL": "0.5",
    "TENANTKEEP_SWEEP_INTERVAL": "0.5",
    "TENANTKEEP_PROGRESS_INTERVAL": "0.2",
    "TENANTKEEP_CHECKPOINT_BYTES": str(1 << 20),
    # Sessions side by side may store a common attachment once each; one after the other they may not.
    "TENANTKEEP_WORKER_JOBS": "1",
    "TENANTKEEP_RESTART_LONGEST": "0.5",
    "TENANTKEEP_GRAPH_TIME_SCALE": "0.1",
    "TENANTKEEP_HOLD_RECHECK": "2",
    "TENANTKEEP_TOKEN_REJECTED_PAUSE": "2",
}
"""Every interval of the product scaled down, so that an outage of seconds stands for one of minutes."""


PROFILE = "exchange-backup"
"""Whose credential and consent are taken away."""


@dataclass(frozen=True)
class Fault:
    """What happens to the processes `of`: killed and started again at once, or kept away for `away` seconds."""

    of: tuple[str, ...]
    away: float = 0.0
    wiped: bool = False

    def __str__(self) -> str:
        what = "wiped" if self.wiped else "away" if self.away else "kill -9"
        return f"{' + '.join(self.of)}: {what}" + (f" for {self.away:g} s" if self.away else "")


@dataclass(frozen=True)
class Result:
    """What became of a disturbed run; times in seconds. `recovered` counts from the healing to the next Graph call."""

    fault: Fault
    moment: float
    state: str
    same: bool
    ready: float
    recovered: float
    run: float

    def row(self) -> str:
        same = "same digests" if self.same else "OTHER DIGESTS"
        return (
            f"| {self.fault} | {self.moment:.0%} | {self.state}, {same} | {self.ready:.1f} | "
            f"{self.recovered:.1f} | {self.run:.1f} |"
        )


HEADER = (
    "| fault | moment | end state | ready again after s | work goes on after s | run s |\n|---|---|---|---|---|---|"
)


@dataclass
class Drill:
    """One tenant on a running stack, backed up undisturbed once."""

    job: MainJob
    needed: int = 0
    expected: dict[str, str] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)

    def undisturbed(self) -> None:
        """What a run needs and gives when nothing happens."""
        before = self.job.requests()
        configuration = self.job.configure("undisturbed")
        assert self.job.backup("undisturbed")["run"]["state"] == "succeeded"
        self.needed = self.job.requests() - before
        self.expected = self.digests(configuration["id"])
        assert self.expected

    def digests(self, configuration: str) -> dict[str, str]:
        points = [point for point in self.job.restore_points() if point["configuration"] == configuration]
        return {point["resource_name"]: point["content_digest"] for point in points}

    def disturb(self, name: str, fault: Fault, rng: random.Random) -> Result:
        """Back up into a repository of its own, with the fault at a seeded moment; asserts what must always hold."""
        configuration = self.job.configure(name)
        share = rng.uniform(0.05, 0.9)
        moment = self.job.requests() + int(self.needed * share)
        begun = monotonic()
        running = self.job.start_backup(name)
        try:
            wait_until(lambda: self._calls() >= moment or running.poll() is not None, seconds=60, what=f"call {moment}")
            assert running.poll() is None, "the run ended before the fault: choose an earlier moment"
            ready, recovered = self._strike(fault, running)
            out, _ = running.communicate(timeout=120)
        finally:
            if running.poll() is None:
                running.kill()
        done: Json = json.loads(out)
        result = Result(
            fault=fault,
            moment=share,
            state=done["run"]["state"],
            same=self.digests(configuration["id"]) == self.expected,
            ready=ready,
            recovered=recovered,
            run=monotonic() - begun,
        )
        print(result.row(), flush=True)
        self.results.append(result)
        self._check(result, done, configuration["target"])
        return result

    def _check(self, result: Result, done: Json, target: str) -> None:
        assert done["run"]["state"] == "succeeded", done
        assert {entry["state"] for entry in done["jobs"]} == {"succeeded"}
        assert {entry["attempt"] for entry in done["jobs"]} == {0}, "an outage burnt an attempt"
        assert result.same, result.row()
        assert self.job.repository(target).problems() == []
        assert self.job.repository(target).blobs_stored_twice() == 0

    def _strike(self, fault: Fault, running: "subprocess.Popen[str]") -> tuple[float, float]:
        """Do it and wait until work goes on; seconds from the healing until ready, and until the next Graph call."""
        before = {name: self.job.stack.pid(name) for name in fault.of}
        if fault.away or fault.wiped:
            self.take_away(*fault.of)
            if fault.wiped:
                shutil.rmtree(self.job.stack.home.nats / "store")
            if fault.away:
                pause(fault.away)
            self.bring_back(*fault.of)
        else:
            for pid in before.values():
                os.kill(pid, signal.SIGKILL)
        healed = monotonic()
        wait_until(lambda: all(self.is_ready(n, p) for n, p in before.items()), seconds=60, what=f"{fault.of} ready")
        ready = monotonic() - healed
        calls = self._calls()
        wait_until(lambda: self._calls() > calls or running.poll() is not None, seconds=90, what="work goes on")
        return ready, monotonic() - healed

    def take_away(self, *names: str) -> None:
        """Kill processes and keep them down."""
        for name in names:
            self.job.stack.home.hold(name).touch()
            os.kill(self.job.stack.pid(name), signal.SIGKILL)
        wait_until(
            lambda: all("held down" in self.job.stack.state.processes[n].detail for n in names),
            seconds=15,
            what=f"{names} are down",
        )

    def bring_back(self, *names: str) -> None:
        for name in names:
            self.job.stack.home.hold(name).unlink()

    def is_ready(self, name: str, other_than: int = 0) -> bool:
        found = self.job.stack.state.processes[name]
        return found.state is State.READY and found.identity is not None and found.identity.pid != other_than

    def _calls(self) -> int:
        """Graph calls so far; while the simulator is away, none."""
        try:
            return self.job.requests()
        except httpx.TransportError:
            return 0

    def dead_letters(self) -> int:
        return asyncio.run(self._dead_letters())

    async def _dead_letters(self) -> int:
        settings: dict[str, Any] = settings_of(self.job.stack, "bootstrap", stores=False)
        connection = await nats.connect(
            settings["nats_url"],
            connect_timeout=10,  # a handshake on a busy machine
            nkeys_seed_str=settings["nats_nkey"],
            tls=tls.client_context(settings["ca_file"]),
            inbox_prefix=inbox_prefix(BOOTSTRAP.name).encode(),
        )
        try:
            return (await connection.jetstream().stream_info(DLQ.name)).state.messages
        finally:
            await connection.close()

    def newest_event(self, name: str) -> Json:
        """The newest event on the bus by domain and name, as token.permission-drift."""
        found: Json = json.loads(asyncio.run(self._newest_event(name)))
        return found

    async def _newest_event(self, name: str) -> bytes:
        settings: dict[str, Any] = settings_of(self.job.stack, "bootstrap", stores=False)
        connection = await nats.connect(
            settings["nats_url"],
            connect_timeout=10,  # a handshake on a busy machine
            nkeys_seed_str=settings["nats_nkey"],
            tls=tls.client_context(settings["ca_file"]),
            inbox_prefix=inbox_prefix(BOOTSTRAP.name).encode(),
        )
        try:
            message = await connection.jetstream().get_last_msg("M365_EVT", f"m365.evt.v1.contoso.{name}")
            return message.data or b"{}"
        finally:
            await connection.close()

    def table(self) -> str:
        return "\n".join([HEADER, *(result.row() for result in self.results)])


def pause(seconds: float) -> None:
    """An outage of a given length: time is the thing under test here."""
    until = monotonic() + seconds
    wait_until(lambda: monotonic() >= until, seconds=seconds + 5, what="the outage has lasted")


@contextmanager
def gateway_of(drill: Drill) -> Iterator[Gateway]:
    """The API, asked directly: starting a command takes longer than what is measured."""
    home = drill.job.stack.home
    with Gateway(session.access(home, session.load(home), None)) as found:
        yield found


def holders(gateway: Gateway, run: str) -> dict[str, str]:
    """What the run or any of its jobs waits for: reasons by id."""
    try:
        found = [gateway.run("contoso", run), *gateway.jobs("contoso", run)]
    except CommandError:  # not planned yet
        return {}
    return {holder.id: holder.hold.reason.value for holder in found if holder.hold}


def ended(gateway: Gateway, run: str) -> bool:
    return gateway.run("contoso", run).state.finished


def expire_secret(drill: Drill) -> None:
    drill.job.simulator("POST", f"tenants/contoso/apps/{PROFILE}/expire-secret")
    drill.job.simulator("POST", "tenants/contoso/revoke-tokens")


def new_secret(drill: Drill) -> None:
    app = drill.job.simulator("POST", f"tenants/contoso/apps/{PROFILE}/rotate-secret")
    secret = drill.job.folder / "new.secret"
    secret.write_text(app["client_secret"])
    arguments = ("--client-id", app["client_id"], "--client-secret-file", str(secret))
    drill.job.command("tenant", "credential", PROFILE, *arguments)
