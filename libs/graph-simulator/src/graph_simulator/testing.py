"""Start the simulator as a process of its own; for the tests of other members."""

import json
import ssl
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

READY_SECONDS = 30
STOP_SECONDS = 6


@dataclass(slots=True)
class SimulatorProcess:
    """A serving simulator: `with SimulatorProcess(state) as simulator: simulator.url …`.

    Port 0 takes a free port. Leaving the block sends SIGTERM and waits; `kill` and `start` may be called in between.
    """

    state: Path
    port: int = 0
    options: tuple[str, ...] = ()
    url: str = ""
    ca_file: Path = Path()
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def graph_url(self) -> str:
        return f"{self.url}/v1.0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start serving and wait for the ready line. Raises RuntimeError when it does not come."""
        command = [sys.executable, "-m", "graph_simulator", "serve", "--state", str(self.state)]
        command += ["--port", str(self.port), *self.options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
        assert self._process.stdout is not None
        watchdog = threading.Timer(READY_SECONDS, self._process.kill)
        watchdog.start()
        try:
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            raise RuntimeError(f"the simulator ended with {self._process.wait()} before it was ready")
        ready = json.loads(line)
        self.url, self.ca_file = ready["url"], Path(ready["ca_file"])
        self.port = urlsplit(self.url).port or 0

    def stop(self) -> None:
        """End the process with SIGTERM, or with SIGKILL when it does not go in time."""
        self._end(subprocess.Popen.terminate)

    def kill(self) -> None:
        """End the process with SIGKILL, as a crash would; `start` brings it back on the same port."""
        self._end(subprocess.Popen.kill)

    def tls(self) -> ssl.SSLContext:
        """Return a context that trusts this simulator and nothing else."""
        return ssl.create_default_context(cafile=self.ca_file)

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Call the control API, such as ("POST", "faults", {"kind": "throttle"}); return its JSON, None if empty."""
        token = (self.state / "control.token").read_text().strip()
        connection = HTTPSConnection("127.0.0.1", self.port, context=self.tls(), timeout=30)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, f"/_simulator/{path}", payload, {"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status >= 400:  # noqa: PLR2004 - HTTP's own border
            raise RuntimeError(f"{method} {path}: {response.status} {text.decode()}")
        return json.loads(text) if text else None

    def _end(self, how: Any) -> None:
        if self._process is None:
            return
        how(self._process)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None


def seed(state: Path, tenant: str, *options: str) -> dict[str, Any]:
    """Run `seed` to its end and return its JSON summary. Raises CalledProcessError."""
    command = [sys.executable, "-m", "graph_simulator", "seed", "--state", str(state), "--tenant", tenant]
    done = subprocess.run([*command, "--json", *options], check=True, capture_output=True, text=True)  # noqa: S603 - our own module
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary
