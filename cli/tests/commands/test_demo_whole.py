"""The demo as a process, with the whole stack: the main path in an environment that points every CA and proxy away."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tenantkeep.stack.settings import caller_environment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

HOSTILE = {
    "REQUESTS_CA_BUNDLE": "/nonexistent",
    "CURL_CA_BUNDLE": "/nonexistent",
    "SSL_CERT_FILE": "/nonexistent",
    "AWS_CA_BUNDLE": "/nonexistent",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "TENANTKEEP_CA_FILE": "/nonexistent",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "demo"


def _start(home: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tenantkeep.main", "demo", "--home", str(home), *options]
    return subprocess.Popen(
        command,
        env={**caller_environment(), **HOSTILE},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell starts what runs in its background with SIGINT ignored, and children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline, tick = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        tick.wait(0.1)
    return True


def _ready(home: Path, process: str) -> bool:
    state = home / "stack" / "run" / "processes.json"
    if not state.is_file():
        return False
    return any(p["name"] == process and p["state"] == "ready" for p in json.loads(state.read_text())["processes"])


def _of(demo: "subprocess.Popen[str]") -> list[psutil.Process]:
    return psutil.Process(demo.pid).children(recursive=True)


def _left(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_every_comparison_holds_in_a_hostile_environment(home: Path) -> None:
    demo = _start(home, "--generate", "120", "--json")
    output, errors = demo.communicate(timeout=200)
    assert demo.returncode == 0, f"{output}\n{errors}"
    found = json.loads(output)
    assert found["held"]
    assert [check["name"] for check in found["checks"] if not check["held"]] == []
    assert len(found["checks"]) == 15
    arrived = [check["detail"] for check in found["checks"] if "alone equals its source" in check["name"]]
    assert len(arrived) == 3
    assert all("1/1 compared equal, 1 of 1 arrived as in the source" in detail for detail in arrived)
    assert " days" in arrived[0], "the event is no series"
    first, second = found["backups"]
    assert first["bodies_fetched"] == 120
    # 12 contacts and 24 events for each of four mailboxes, and what belongs to them
    assert first["counts"]["stored"] >= 120 + 4 * (12 + 24)
    assert second["bodies_fetched"] < 30
    assert not home.exists()


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_demo_leaves_no_process(home: Path, number: signal.Signals) -> None:
    demo = _start(home)
    assert _until(lambda: _ready(home, "nats"), 60)
    children = _of(demo)
    assert len(children) > 2
    demo.send_signal(number)
    demo.communicate(timeout=60)
    assert demo.returncode == (130 if number is signal.SIGINT else -signal.SIGKILL)
    assert _until(lambda: not _left(children), 10), _left(children)
    assert home.exists() is (number is signal.SIGKILL)
