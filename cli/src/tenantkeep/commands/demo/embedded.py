"""A whole embedded stack for one demo: started as a process of its own, gone when the demo is gone."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.texts import Text
from tenantkeep.commands.clock import Clock
from tenantkeep.commands.errors import CommandError
from tenantkeep.stack import process
from tenantkeep.stack import state as states
from tenantkeep.stack.errors import tail
from tenantkeep.stack.home import Home
from tenantkeep.stack.settings import caller_environment
from tenantkeep.stack.state import StackState

_LOOK_EVERY = 0.1
_STOP_SECONDS = 25.0
_PORT_SETTINGS = "TENANTKEEP_PORT_"


@contextmanager
def stack_in(home: Home, log: Path, clock: Clock, watch: Callable[[StackState], None]) -> Iterator[None]:
    """Start a stack in `home` on free ports and stop it at the end.

    The launcher dies with this process however it ends (Linux), and its children die with it.
    """
    command = process.bound_to_launcher((sys.executable, "-m", "tenantkeep.main", "up"))
    with log.open("wb") as output:
        launcher = subprocess.Popen(  # noqa: S603 -- our own command, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_environment(home),
            # Ctrl-C is for the demo, which then stops the stack in order.
            start_new_session=True,
        )
    try:
        _until_ready(home, launcher, log, clock, watch)
        yield
    finally:
        _stop(launcher)


def peak_memory(home: Home, name: str) -> int | None:
    """The most memory a process of the stack has had resident so far, in bytes; None where the kernel keeps no mark."""
    state = states.load(home)
    known = None if state is None else state.processes.get(name)
    if known is None or known.identity is None:
        return None
    try:
        lines = Path(f"/proc/{known.identity.pid}/status").read_text().splitlines()
    except OSError:
        return None
    marks = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(marks[0]) * 1024 if marks else None


def _environment(home: Home) -> dict[str, str]:
    """The caller's environment, but free ports: fixed ones may belong to a stack that runs already."""
    kept = {name: value for name, value in caller_environment().items() if not name.startswith(_PORT_SETTINGS)}
    return {**kept, "TENANTKEEP_HOME": str(home.root), "TENANTKEEP_PORTS": "auto"}


def _until_ready(
    home: Home, launcher: "subprocess.Popen[bytes]", log: Path, clock: Clock, watch: Callable[[StackState], None]
) -> None:
    """The launcher itself gives up on a process that does not become ready, so this ends."""
    while launcher.poll() is None:
        state = states.load(home)
        if state is not None:
            watch(state)
            if state.ready:
                return
        clock.pause(_LOOK_EVERY)
    raise CommandError(
        Text("The embedded stack could not be started.", "Der eingebettete Stack konnte nicht gestartet werden."),
        Text(f"Read {log} and the logs in {home.logs}.", f"{log} und die Protokolle in {home.logs} lesen."),
        lines=tail(log, 15),
        code="stack",
    )


def _stop(launcher: "subprocess.Popen[bytes]") -> None:
    launcher.terminate()
    try:
        launcher.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        launcher.kill()
        launcher.wait()
