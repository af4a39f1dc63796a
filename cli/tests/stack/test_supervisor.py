"""A real process under the supervisor: readiness, death, back-off, stop."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tenantkeep.stack import supervisor
from tenantkeep.stack.errors import StartFailed
from tenantkeep.stack.process import NotReady, ProcessSpec, run_to_end
from tenantkeep.stack.state import ProcessState, State
from tenantkeep.stack.supervisor import Supervised, back_off

SERVE = """
import pathlib, signal, sys, time
pathlib.Path(sys.argv[1]).write_text("ready")
signal.signal(signal.SIGTERM, signal.SIG_IGN if sys.argv[2] == "stubborn" else signal.SIG_DFL)
print("serving", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_BACK_OFF", 0.05)


def _spec(folder: Path, program: str = SERVE, *, manner: str = "polite") -> ProcessSpec:
    sign = folder / "sign"

    async def probe() -> None:
        if not sign.exists():
            raise NotReady("no sign yet")

    return ProcessSpec(
        name="part",
        argv=(sys.executable, "-c", program, str(sign), manner),
        env={},
        cwd=folder,
        log=folder / "part.log",
        ports={},
        probe=probe,
        grace=0.5,
    )


async def _until(question: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not question():  # noqa: ASYNC110 -- the answer comes from another process
            await asyncio.sleep(0.02)


def test_the_pauses_double_up_to_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert [back_off(deaths) for deaths in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]


async def test_a_killed_process_comes_back(tmp_path: Path) -> None:
    seen: list[ProcessState] = []
    part = Supervised(_spec(tmp_path), seen.append, hold=tmp_path / "hold", start_timeout=10)
    await part.start()
    first = seen[-1].identity
    assert first is not None
    keeper = asyncio.create_task(part.keep())
    (tmp_path / "sign").unlink()
    os.kill(first.pid, signal.SIGKILL)
    await _until(lambda: seen[-1].state is State.READY and seen[-1].identity != first)
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)
    assert seen[-1].restarts == 1
    assert State.BACKING_OFF in {state.state for state in seen}
    await part.stop()
    assert seen[-1].state is State.STOPPED
    assert (tmp_path / "part.log").read_text().count("serving") == 2


async def test_a_process_that_is_held_stays_down_until_it_is_let_go(tmp_path: Path) -> None:
    seen: list[ProcessState] = []
    ready_again: list[bool] = []

    async def again() -> None:
        ready_again.append(True)

    hold = tmp_path / "hold"
    part = Supervised(_spec(tmp_path), seen.append, hold=hold, start_timeout=10, again=again)
    await part.start()
    identity = seen[-1].identity
    assert identity is not None
    keeper = asyncio.create_task(part.keep())
    hold.touch()
    os.kill(identity.pid, signal.SIGKILL)
    await _until(lambda: "held down" in seen[-1].detail)
    assert ready_again == []
    hold.unlink()
    await _until(lambda: seen[-1].state is State.READY)
    assert ready_again == [True]
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)
    await part.stop()


async def test_a_process_that_ignores_the_signal_is_killed_after_its_grace(tmp_path: Path) -> None:
    seen: list[ProcessState] = []
    part = Supervised(_spec(tmp_path, manner="stubborn"), seen.append, hold=tmp_path / "hold", start_timeout=10)
    await part.start()
    identity = seen[-1].identity
    assert identity is not None
    await _until(lambda: "serving" in (tmp_path / "part.log").read_text())
    async with asyncio.timeout(5):
        await part.stop()
    assert not identity.is_alive()


async def test_three_deaths_before_ready_end_the_start_with_the_log(tmp_path: Path) -> None:
    part = Supervised(
        _spec(tmp_path, "raise SystemExit('wrong setting')"), lambda _: None, hold=tmp_path / "hold", start_timeout=10
    )
    with pytest.raises(StartFailed, match="wrong setting"):
        await part.start()
    await part.stop()


async def test_a_process_that_never_gets_ready_ends_the_start_with_the_reason(tmp_path: Path) -> None:
    part = Supervised(
        _spec(tmp_path, "import time; time.sleep(60)"), lambda _: None, hold=tmp_path / "hold", start_timeout=0.5
    )
    with pytest.raises(StartFailed, match="no sign yet"):
        await part.start()
    await part.stop()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("print('half way', flush=True); import signal; signal.pause()", "did not end within 2 s"),
        ("print('half way', flush=True); raise SystemExit(3)", "ended with exit code 3"),
    ],
)
def test_a_command_that_does_not_end_well_is_told_with_the_end_of_its_log(
    tmp_path: Path, script: str, why: str
) -> None:
    log = tmp_path / "once.log"
    argv = (sys.executable, "-c", script)
    with pytest.raises(StartFailed) as failed:
        run_to_end("The bootstrap", argv, env={}, cwd=tmp_path, log=log, timeout=2)
    assert f"The bootstrap {why}. The end of its log:\n  | half way" in str(failed.value)
    assert str(log) in failed.value.remedy
