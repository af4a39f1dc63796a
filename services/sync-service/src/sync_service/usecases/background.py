"""Work that goes on when its asker does not wait any longer: owned, named, and waited for at the end of the process."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class Background:
    """One piece of work per name at a time."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Begin; what it raises is logged, and whoever asks how it went looks at what it stored."""
        task = asyncio.create_task(work, name=name)
        self._tasks[name] = task
        task.add_done_callback(lambda done: self._ended(name, done))

    async def ended(self, name: str, patience: float) -> None:
        """Return when the work of this name has ended, or after `patience` seconds."""
        task = self._tasks.get(name)
        if task is not None:
            await asyncio.wait({task}, timeout=patience)

    async def drain(self, patience: float) -> None:
        """Wait for all of it, then cut off what is left: somebody carries it on when it is due."""
        if self._tasks:
            _, left = await asyncio.wait(set(self._tasks.values()), timeout=patience)
            for task in left:
                task.cancel()

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(name) is task:
            del self._tasks[name]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("work in the background failed; it is carried on when it is due", reason=type(error).__name__)
