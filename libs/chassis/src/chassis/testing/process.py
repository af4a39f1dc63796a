"""Start a server for a test, wait until it is ready, and leave none behind."""

import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

STOP_DEADLINE = 8.0
"""Seconds from SIGTERM to SIGKILL: SecantusDB can ignore the former."""


class ServerFailed(Exception):
    """A server ended or did not become ready; the text ends with the tail of its log."""


def free_port() -> int:
    """Name a TCP port on 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def executable(name: str) -> str:
    """Find a server beside the running interpreter or on PATH; raises ServerFailed."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise ServerFailed(f"{name} is not installed: run `make setup`.")
    return found


class Server:
    """A child process with a log file; a context manager that starts and stops it.

    On Linux the child is killed when the thread that started it dies, so a killed test run leaves nothing.
    """

    def __init__(
        self, name: str, command: Sequence[str], log_dir: Path, *, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log_file = log_dir / f"{name}.log"
        self._command = [executable(command[0]), *command[1:]]
        self._env = None if env is None else dict(env)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; raises ServerFailed when it was not started."""
        if self._process is None:
            raise ServerFailed(f"{self.name} was not started")
        return self._process.pid

    def start(self, ready: Callable[[], bool], *, within: float = 30.0) -> None:
        """Start and wait for `ready`; raises ServerFailed."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a fixed list of our own servers
                [*_die_with_parent(), *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
            )
        deadline = time.monotonic() + within
        pause = threading.Event()
        while not ready():
            code = self._process.poll()
            if code is not None or time.monotonic() > deadline:
                self.stop()
                what = f"was not ready after {within:g} s" if code is None else f"ended with code {code}"
                raise ServerFailed(f"{self.name} {what}; {self.log_file}:\n{self.log_tail()}")
            pause.wait(0.02)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after the deadline; nothing happens when it is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def log_tail(self, size: int = 3000) -> str:
        """Return the end of the log, at most `size` characters."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")[-size:]

    def _end(self, with_signal: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(with_signal)
        try:
            process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_DEADLINE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _die_with_parent() -> list[str]:
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [] if setpriv is None else [setpriv, "--pdeathsig", "KILL", "--"]
