import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

PRELUDE = """
import asyncio, sys, threading
from chassis import lifecycle, logs
from chassis.settings import ProcessSettings

logs.configure("info", "test")
settings = ProcessSettings(health_port=0, drain_timeout={drain_timeout})

def say(word):
    print(word, flush=True)
"""

DRAINS = """
async def main(drain):
    say("started")
    await drain.wait()
    await asyncio.sleep(0.05)
    say("handed back")
lifecycle.run(main, settings)
"""
STUCK = """
async def main(drain):
    say("started")
    try:
        await asyncio.Event().wait()
    finally:
        say("cancelled")
lifecycle.run(main, settings)
"""
BLOCKED = """
async def main(drain):
    say("started")
    while True:
        threading.Event().wait(0.05)
lifecycle.run(main, settings)
"""
STUCK_THREAD = """
async def main(drain):
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    say("started")
    await drain.wait()
lifecycle.run(main, settings)
"""
FAILS = """
class VaultGone(Exception):
    remedy = "Unseal the vault."
async def main(drain):
    say("started")
    raise VaultGone("sealed, token=planted")
lifecycle.run(main, settings)
"""
RETURNS = """
async def main(drain):
    say("started")
lifecycle.run(main, settings)
"""

SERVES = """
from chassis.health import serve_health
from chassis.metrics import new_registry
async def main(drain):
    async with serve_health(settings, {}, new_registry("test", "0")):
        say("started")
        await drain.wait()
        say("handed back")
lifecycle.run(main, settings)
"""


class Program:
    def __init__(self, body: str, drain_timeout: float) -> None:
        text = PRELUDE.format(drain_timeout=drain_timeout) + body
        self.process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
        self.first = self.line()
        self.asked_at = time.monotonic()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, list[str], float]:
        """Exit code, further lines and seconds since the start was reported."""
        # communicate() would lose what readline() has taken from the pipe ahead of the line.
        assert self.process.stdout is not None
        lines = self.process.stdout.read().splitlines()
        return self.process.wait(20), lines, time.monotonic() - self.asked_at


class Programs:
    def __init__(self) -> None:
        self.all: list[Program] = []

    def start(self, body: str, *, drain_timeout: float = 5.0) -> Program:
        program = Program(body, drain_timeout)
        self.all.append(program)
        assert program.first == "started"
        return program


@pytest.fixture
def programs() -> Iterator[Programs]:
    started = Programs()
    yield started
    for program in started.all:
        program.process.kill()
        program.process.wait()
        assert program.process.stdout is not None
        program.process.stdout.close()


def logged(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_work_be_handed_back(programs: Programs, number: signal.Signals) -> None:
    program = programs.start(DRAINS)
    program.ask(number)
    code, lines, took = program.end()
    assert code == 0
    assert lines[-1] == "handed back"
    assert [line["event"] for line in logged(lines)] == ["draining"]
    assert took < 3


def test_the_health_port_leaves_signals_to_the_process(programs: Programs) -> None:
    program = programs.start(SERVES)
    program.ask(signal.SIGTERM)
    code, lines, took = program.end()
    assert (code, "handed back" in lines) == (0, True)
    assert took < 4


def test_what_does_not_drain_in_time_is_cancelled(programs: Programs) -> None:
    program = programs.start(STUCK, drain_timeout=0.3)
    program.ask(signal.SIGTERM)
    code, lines, took = program.end()
    assert code == 0
    assert lines[-1] == "cancelled"
    assert [line["event"] for line in logged(lines)] == ["draining", "drain timed out, cancelling"]
    assert 0.3 <= took < 3


def test_even_a_stuck_process_is_gone_soon_after_the_drain_time(programs: Programs) -> None:
    stuck = [programs.start(body, drain_timeout=0.2) for body in (BLOCKED, STUCK_THREAD)]
    for program in stuck:
        program.ask(signal.SIGTERM)
    for program in stuck:
        code, _, took = program.end()
        assert code == 1
        assert took < 7


def test_a_second_signal_ends_at_once(programs: Programs) -> None:
    program = programs.start(STUCK, drain_timeout=30)
    program.ask(signal.SIGTERM)
    assert json.loads(program.line())["event"] == "draining"
    program.ask(signal.SIGTERM)
    code, lines, took = program.end()
    assert (code, lines) == (1, [])
    assert took < 3


def test_an_uncaught_error_says_what_to_do(programs: Programs) -> None:
    code, lines, _ = programs.start(FAILS).end()
    assert code == 1
    (line,) = logged(lines)
    assert (line["event"], line["remedy"]) == ("process failed", "Unseal the vault.")
    assert "VaultGone: sealed, token=[redacted]" in line["exception"]


def test_work_that_ends_by_itself_is_no_failure(programs: Programs) -> None:
    assert programs.start(RETURNS).end()[:2] == (0, [])
