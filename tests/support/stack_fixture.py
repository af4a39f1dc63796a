"""Run the embedded stack, or some of its processes, for a test: `with running_stack(folder) as stack`.

The launcher dies with the test process, and its children with it, however the tests end.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any, TypeVar

from tenantkeep.stack import status as stack_status
from tenantkeep.stack.home import Home
from tenantkeep.stack.ports import Ports, recall
from tenantkeep.stack.process import bound_to_launcher
from tenantkeep.stack.settings import caller_environment
from tenantkeep.stack.state import StackState, load

T = TypeVar("T")

SERVERS = ("nats", "documents", "vault", "objects", "issuer")
START_SECONDS = 150.0
COMMAND_SECONDS = 1800.0
"""Fifty thousand mails are seeded by one command; what hangs for good ends by the time limit of its test."""
STOP_SECONDS = 25.0

HOSTILE = {
    "REQUESTS_CA_BUNDLE": "/nonexistent/hostile.pem",
    "CURL_CA_BUNDLE": "/nonexistent/hostile.pem",
    "SSL_CERT_FILE": "/nonexistent/hostile.pem",
    "SSL_CERT_DIR": "/nonexistent",
    "AWS_CA_BUNDLE": "/nonexistent/hostile.pem",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
}
"""Variables of other programs that no part of Tenantkeep may obey."""


def wait_until(question: Callable[[], T], *, seconds: float, what: str) -> T:
    """The first true answer; fails with `what` after `seconds`."""
    deadline, tick = monotonic() + seconds, Event()
    while True:
        answer = question()
        if answer:
            return answer
        if monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        tick.wait(0.05)


@dataclass
class RunningStack:
    """A stack of this test. `environment` is for its commands; `launcher` is the `tenantkeep up` process."""

    home: Home
    environment: dict[str, str]
    launcher: "subprocess.Popen[str]"

    @property
    def ports(self) -> Ports:
        return recall(self.home.ports)

    @property
    def state(self) -> StackState:
        state = load(self.home)
        assert state is not None, self.output()
        return state

    def pid(self, name: str) -> int:
        identity = self.state.processes[name].identity
        assert identity is not None, f"{name} does not run"
        return identity.pid

    def pids(self) -> list[int]:
        return [p.identity.pid for p in self.state.processes.values() if p.identity is not None]

    def command(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run `tenantkeep …` against this stack."""
        done = tenantkeep(self.environment, *arguments)
        assert not check or done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.command("status", "--json", check=False).stdout)
        return answer

    def is_ready(self) -> bool:
        """What `tenantkeep status` finds, without a process for each look."""
        return asyncio.run(stack_status.ask(self.home, self.ports)).ready

    def wait_ready(self) -> None:
        def ready() -> bool:
            assert self.launcher.poll() is None, self.output()
            state = load(self.home)
            return state is not None and state.launcher.pid == self.launcher.pid and state.ready

        wait_until(ready, seconds=START_SECONDS, what="the stack is ready")

    def output(self) -> str:
        return self.home.root.with_name("up.log").read_text(errors="replace")

    def stop(self) -> int:
        """SIGTERM to the launcher; its exit code."""
        if self.launcher.poll() is None:
            self.launcher.terminate()
        return self.launcher.wait(STOP_SECONDS)


def environment_for(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a stack on free ports, hostile variables included."""
    inherited = {n: v for n, v in caller_environment().items() if not n.startswith("TENANTKEEP_")}
    ours = {"TENANTKEEP_HOME": str(home), "TENANTKEEP_PORTS": "auto", "COLUMNS": "200"}
    return {**inherited, **HOSTILE, **ours, **(extra or {})}


def tenantkeep(environment: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the `tenantkeep` command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tenantkeep.main", *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


def launch(folder: Path, *, only: Sequence[str] = (), extra: Mapping[str, str] | None = None) -> RunningStack:
    """Start `tenantkeep up` in `folder`/home without waiting for it."""
    home = folder / "home"
    environment = environment_for(home, extra)
    command = (sys.executable, "-m", "tenantkeep.main", "up", *(f"--only={name}" for name in only))
    with (folder / "up.log").open("w") as output:
        launcher = subprocess.Popen(
            bound_to_launcher(command),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
            start_new_session=True,
        )
    return RunningStack(Home(home), environment, launcher)


@contextmanager
def running_stack(
    folder: Path, *, only: Sequence[str] = (), extra: Mapping[str, str] | None = None
) -> Iterator[RunningStack]:
    """A ready stack in `folder`/home (state of an earlier run is kept), stopped at the end."""
    stack = launch(folder, only=only, extra=extra)
    try:
        stack.wait_ready()
        yield stack
    finally:
        stack.stop()
