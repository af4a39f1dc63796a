"""The launcher: `up` in the foreground or detached, and `down`."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from tempfile import TemporaryFile
from threading import Event

from tenantkeep.stack import home as homes
from tenantkeep.stack import process
from tenantkeep.stack import state as states
from tenantkeep.stack.display import Display, console, ready_panel
from tenantkeep.stack.errors import AlreadyRunning, NotRunning, StackError
from tenantkeep.stack.home import Home
from tenantkeep.stack.ports import recall
from tenantkeep.stack.settings import StackSettings, caller_environment
from tenantkeep.stack.stack import Stack, names

_LOOK_EVERY = 0.1
_DOWN_SECONDS = 25.0


async def up(settings: StackSettings, only: Sequence[str]) -> None:
    """Run the stack until SIGINT or SIGTERM. Raises `StackError` when it cannot start."""
    screen = console()
    display = Display(screen, tuple(only) or names(settings))
    stack = Stack(settings, only=only, watch=display.show)
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()

    def stop() -> None:
        display.close()
        screen.print("stopping: services hand back their work, then the servers end")
        task.cancel()

    stop_once = _once(stop)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop_once)
    try:
        async with stack.running():
            display.close()
            screen.print(ready_panel(stack.home, stack.ports, stack.state, detached=False))
            await stack.keep()
    except asyncio.CancelledError:
        task.uncancel()
        display.close()
        screen.print("stopped")
    finally:
        display.close()


def up_detached(settings: StackSettings, only: Sequence[str]) -> None:
    """Start a launcher of its own and return when the stack is ready."""
    home = Home(settings.home)
    if homes.is_locked(home):
        raise AlreadyRunning(
            f"The stack in {home.root} is running already.",
            remedy="See `tenantkeep status`; stop it with `tenantkeep down`.",
        )
    screen = console()
    command = [sys.executable, "-m", "tenantkeep.main", "up", *(f"--only={name}" for name in only)]
    environment = {**caller_environment(), "TENANTKEEP_HOME": str(home.root)}
    display = Display(screen, tuple(only) or names(settings))
    with TemporaryFile() as output:
        launcher = subprocess.Popen(  # noqa: S603 -- our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
        try:
            ready = _follow(home, launcher, display)
        except KeyboardInterrupt:
            launcher.terminate()
            launcher.wait(_DOWN_SECONDS)
            raise
        finally:
            display.close()
        output.seek(0)
        text = output.read().decode(errors="replace").strip()
    if ready is None:
        message, _, remedy = text.rpartition("\n")
        raise StackError(message or "The launcher ended.", remedy=remedy or f"See the logs in {home.logs}")
    screen.print(ready_panel(home, recall(home.ports), ready, detached=True))


def _follow(home: Home, launcher: "subprocess.Popen[bytes]", display: Display) -> states.StackState | None:
    """Show the launcher's state until it is ready; None when the launcher ended before."""
    tick = Event()
    while launcher.poll() is None:
        state = states.load(home)
        if state is not None and state.launcher.pid == launcher.pid:
            display.show(state)
            if state.ready:
                return state
        tick.wait(_LOOK_EVERY)
    return None


def down(settings: StackSettings) -> int:
    """Stop the stack of this folder; returns how many processes ran. Raises `NotRunning` when there is none."""
    home = Home(settings.home)
    state = states.load(home)
    if state is None:
        raise NotRunning(f"No stack runs in {home.root}.", remedy="Start one: tenantkeep up")
    leftovers = state.leftovers()
    launcher = state.launcher.process()
    if launcher is None and not leftovers:
        home.processes.unlink()
        raise NotRunning(f"No stack runs in {home.root}.", remedy="Start one: tenantkeep up")
    if launcher is not None:
        states.end([launcher], _DOWN_SECONDS)
    states.end([p for p in leftovers if p.is_running()], process.SERVER_GRACE)
    home.processes.unlink(missing_ok=True)
    return len(leftovers)


def _once(action: Callable[[], object]) -> Callable[[], None]:
    """Only the first signal counts: a second Ctrl-C must not break off the ordered stop."""
    done = False

    def act() -> None:
        nonlocal done
        if not done:
            done = True
            action()

    return act
