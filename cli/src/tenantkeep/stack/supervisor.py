"""Keeps the stack's processes running: circus watchers, with our own probes and our own back-off.

Watchers are driven without circus' arbiter: it would open control sockets that let anybody who reaches them run
commands, and its `waitpid(-1)` takes exit codes away from other subprocesses of the launcher.
"""

import asyncio
import logging
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic

from circus.watcher import Watcher

from tenantkeep.stack.errors import StartFailed
from tenantkeep.stack.process import NotReady, ProcessSpec, bound_to_launcher
from tenantkeep.stack.state import ProcessState, State, identify

_LOOK_EVERY = 0.1
_PROBE_EVERY = 0.15
_FIRST_BACK_OFF = 1.0
_LONGEST_BACK_OFF = 30.0
_STABLE_AFTER = 60.0
_DEATHS_BEFORE_READY = 3
_LOG_BYTES = 8 * 1024 * 1024
_LOG_FILES = 3

logger = logging.getLogger(__name__)

Changed = Callable[[ProcessState], None]


def back_off(deaths: int) -> float:
    """Seconds to wait after the n-th death in a row: 1, 2, 4, … 30."""
    return float(min(_FIRST_BACK_OFF * 2 ** (deaths - 1), _LONGEST_BACK_OFF))


class Supervised:
    """One process for as long as the stack runs: start, probe, watch, start again.

    While the file `hold` exists it is not started again when it dies: an outage for a drill. `again` runs whenever
    it is ready after a death.
    """

    def __init__(
        self,
        spec: ProcessSpec,
        changed: Changed,
        *,
        hold: Path,
        start_timeout: float,
        longest_back_off: float = 30.0,
        again: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.spec = spec
        self._changed = changed
        self._hold = hold
        self._again = again
        self._start_timeout = start_timeout
        self._longest_back_off = longest_back_off
        self._state = ProcessState(spec.name, spec.log, spec.ports)
        self._watcher = _watcher(spec)
        self._deaths = 0

    async def start(self) -> None:
        """Start it and return when it is ready.

        Raises `StartFailed` when it died three times before that, or was not ready in time.
        """
        deadline = monotonic() + self._start_timeout
        why = "has not answered yet"
        await self._spawn()
        while monotonic() < deadline:
            code = self._exit_code()
            if code is not None:
                if self._deaths + 1 >= _DEATHS_BEFORE_READY:
                    raise StartFailed(self.spec.name, f"ended at its start ({_ending(code)})", self.spec.log)
                await self._after_death(code)
                await self._spawn()
            try:
                await self.spec.probe()
            except NotReady as reason:
                why = str(reason)
                self._set(detail=why)
                await asyncio.sleep(_PROBE_EVERY)
                continue
            self._set(state=State.READY, detail="")
            logger.info("%s is ready", self.spec.name)
            return
        raise StartFailed(self.spec.name, f"was not ready within {self._start_timeout:.0f} s: {why}", self.spec.log)

    async def keep(self) -> None:
        """Watch it for ever: start it again when it dies, with growing pauses, and probe it until it is ready."""
        ready_since = monotonic()
        while True:
            code = self._exit_code()
            if code is None:
                if self._state.state is State.READY and monotonic() - ready_since > _STABLE_AFTER:
                    self._deaths = 0
                elif self._state.state is not State.READY and await self._is_ready():
                    ready_since = monotonic()
                    logger.info("%s is ready again", self.spec.name)
                await asyncio.sleep(_LOOK_EVERY)
                continue
            await self._after_death(code)
            self._set(restarts=self._state.restarts + 1)
            await self._spawn()

    async def stop(self) -> None:
        """SIGTERM, SIGKILL after the grace; the log is closed."""
        await self._watcher._stop(close_output_streams=True)  # noqa: SLF001 -- stop() needs the arbiter we do without
        self._set(state=State.STOPPED, identity=None, detail="")
        logger.info("%s stopped", self.spec.name)

    async def _spawn(self) -> None:
        self._set(state=State.STARTING, detail="", identity=None)
        await self._watcher._start()  # noqa: SLF001 -- start() needs the arbiter we do without
        pid = next(iter(self._watcher.processes), None)
        if pid is None:
            raise StartFailed(self.spec.name, "could not be started", self.spec.log)
        self._set(identity=identify(pid))
        logger.info("%s started as process %d", self.spec.name, pid)

    async def _after_death(self, code: int) -> None:
        """Collect what is left of it and wait the pause that its deaths so far have earned."""
        await self._watcher._stop(close_output_streams=False)  # noqa: SLF001 -- see stop
        self._deaths += 1
        pause = min(back_off(self._deaths), self._longest_back_off)
        logger.warning("%s ended (%s); starting it again in %.1f s", self.spec.name, _ending(code), pause)
        self._set(state=State.BACKING_OFF, detail=f"{_ending(code)}; again in {pause:.0f} s", identity=None)
        await asyncio.sleep(pause)
        while self._hold.exists():
            self._set(detail=f"held down; remove {self._hold} to start it")
            await asyncio.sleep(_LOOK_EVERY)

    async def _is_ready(self) -> bool:
        try:
            await self.spec.probe()
            if self._again is not None:
                await self._again()
        except NotReady as reason:
            self._set(detail=str(reason))
            return False
        self._set(state=State.READY, detail="")
        return True

    def _exit_code(self) -> int | None:
        """None while it runs."""
        for process in self._watcher.processes.values():
            code: int | None = process.poll()
            return code
        return 1  # circus has dropped it already

    def _set(self, **changes: object) -> None:
        state = replace(self._state, **changes)  # type: ignore[arg-type]  # names and types are those of the class
        if state != self._state:
            self._state = state
            self._changed(state)


def _watcher(spec: ProcessSpec) -> Watcher:
    command = bound_to_launcher(spec.argv)
    stream = {
        "class": "FileStream",
        "filename": str(spec.log),
        "max_bytes": _LOG_BYTES,
        "backup_count": _LOG_FILES,
    }
    return Watcher(
        spec.name,
        shlex.quote(command[0]),
        args=command[1:],
        env=spec.env,
        working_dir=str(spec.cwd),
        graceful_timeout=spec.grace,
        respawn=False,
        max_retry=1,
        stdout_stream=dict(stream),
        stderr_stream=dict(stream),
    )


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
