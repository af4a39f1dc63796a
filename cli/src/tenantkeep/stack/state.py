"""What a running launcher tells other commands: run/processes.json, replaced whole at every change."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import psutil  # type: ignore[import-untyped]  # it ships no types

from tenantkeep.stack import files
from tenantkeep.stack.errors import StackError
from tenantkeep.stack.home import Home

_SAME_PROCESS_SECONDS = 1.0
_LOOK_EVERY = 0.05


class State(StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing off"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Identity:
    """A process that can be told from a later one with the same id."""

    pid: int
    started: float
    """Seconds since 1970 as the kernel reports them."""

    def is_alive(self) -> bool:
        """Whether exactly this process still runs (a zombie does not)."""
        return self.process() is not None

    def process(self) -> psutil.Process | None:
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.started) < _SAME_PROCESS_SECONDS
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def identify(pid: int) -> Identity | None:
    """The identity of a running process, None if it is gone."""
    try:
        return Identity(pid, psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


@dataclass(frozen=True)
class ProcessState:
    """One process as the launcher sees it."""

    name: str
    log: Path
    ports: dict[str, int]
    state: State = State.WAITING
    detail: str = ""
    restarts: int = 0
    identity: Identity | None = None


@dataclass(frozen=True)
class StackState:
    """The launcher and its processes, in start order."""

    launcher: Identity
    ready: bool = False
    processes: dict[str, ProcessState] = field(default_factory=dict)

    def leftovers(self) -> list[psutil.Process]:
        """Processes of this state that still run."""
        alive = (p.identity.process() for p in self.processes.values() if p.identity is not None)
        return [process for process in alive if process is not None]


def save(home: Home, state: StackState) -> None:
    value = asdict(state)
    value["processes"] = [{**p, "log": str(p["log"])} for p in value["processes"].values()]
    files.write_json(home.processes, value)


def load(home: Home) -> StackState | None:
    """The last state a launcher wrote, None if there is none; the launcher may be dead since."""
    if not home.processes.is_file():
        return None
    try:
        value: dict[str, Any] = json.loads(home.processes.read_text())
        processes = [_process(p) for p in value["processes"]]
        launcher = Identity(**value["launcher"])
        return StackState(launcher, bool(value["ready"]), {p.name: p for p in processes})
    except (ValueError, KeyError, TypeError) as error:
        raise StackError(
            f"{home.processes} cannot be read ({type(error).__name__}).",
            remedy="End the stack's processes by hand, delete this file, then start again: tenantkeep up",
        ) from error


def _process(value: dict[str, Any]) -> ProcessState:
    identity = None if value["identity"] is None else Identity(**value["identity"])
    fields = {**value, "identity": identity, "log": Path(value["log"]), "state": State(value["state"])}
    return ProcessState(**fields)


def end(processes: list[psutil.Process], grace: float) -> None:
    """SIGTERM, then SIGKILL after `grace` seconds. A zombie counts as ended: only its parent can remove it."""
    for process in processes:
        _signal(process.terminate)
    alive = _wait(processes, grace)
    for process in alive:
        _signal(process.kill)
    _wait(alive, grace)


def _wait(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that still run after `seconds`; returns early when none does."""
    deadline, tick = monotonic() + seconds, Event()
    while True:
        alive = [process for process in processes if _runs(process)]
        if not alive or monotonic() > deadline:
            return alive
        tick.wait(_LOOK_EVERY)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return  # it ended by itself in between, which is what was wanted
