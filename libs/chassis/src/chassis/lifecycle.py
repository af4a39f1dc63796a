"""Run a process: drain on SIGTERM, leave in time, say what to do when it fails.

SIGTERM or SIGINT    drain.requested is set; main hands back its work and returns; exit code 0
drain_timeout later  main is cancelled; exit code 0
4 seconds later      the process ends whatever it does; exit code 1
a second signal      the process ends at once; exit code 1
an uncaught error    logged with the remedy; exit code 1
"""

import asyncio
import contextlib
import gc
import os
import select
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog

from chassis.settings import ProcessSettings

_LAST_RESORT = 4.0
"""Seconds from the cancellation to the hard end, which comes even when a thread never returns."""

_YOUNG = 10_000
"""New objects between two looks of the garbage collector at the young ones."""

_REMEDY = "Restart the process: unfinished work is taken over. If it fails again, report the traceback."

log = structlog.get_logger(__name__)


class Drain:
    """Tells the components of a process that it is time to hand back."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()

    async def wait(self) -> None:
        """Return when draining was requested."""
        await self.requested.wait()


def run(main: Callable[[Drain], Awaitable[None]], settings: ProcessSettings) -> NoReturn:
    """Run `main` until it returns or a signal asks for the end, then leave the process.

    `main` must return soon after `drain.requested`. An exception with an attribute `remedy` gets that logged.
    """
    leave_imports_alone()
    try:
        asyncio.run(_supervised(main, settings.drain_timeout))
    except Exception as error:
        log.exception("process failed", remedy=getattr(error, "remedy", _REMEDY))
        sys.exit(1)
    sys.exit(0)


def leave_imports_alone() -> None:
    """Let the garbage collector never look again at what is there when a process begins, and at the rest less often.

    Half a million objects of imported modules live as long as the process; looking at them takes 3 % of a first backup.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG)


async def _supervised(main: Callable[[Drain], Awaitable[None]], drain_timeout: float) -> None:
    drain = Drain()
    _watch_signals(asyncio.get_running_loop(), drain, drain_timeout)
    working = asyncio.ensure_future(main(drain))
    waiting = asyncio.create_task(drain.wait())
    await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not working.done():
        log.info("draining", timeout=drain_timeout)
        _, late = await asyncio.wait({working}, timeout=drain_timeout)
        if late:
            log.warning("drain timed out, cancelling", hard_end_in=_LAST_RESORT)
            working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


def _watch_signals(loop: asyncio.AbstractEventLoop, drain: Drain, drain_timeout: float) -> None:
    """Hand signals to a thread, which keeps the deadline even when the event loop is busy or stuck.

    A handler may interrupt any lock or write of the main thread, so it does nothing but wake that thread.
    """
    heard, tell = os.pipe()

    def keep_deadline() -> None:
        os.read(heard, 1)
        with contextlib.suppress(RuntimeError):  # the loop has just closed: the process is leaving anyway
            loop.call_soon_threadsafe(drain.requested.set)
        select.select([heard], [], [], drain_timeout + _LAST_RESORT)  # ends early at a second signal
        os._exit(1)

    threading.Thread(target=keep_deadline, name="deadline", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: os.write(tell, b"!"))
