"""A process that dies at a chosen step."""

import threading
from collections.abc import Callable

from backup_engine.testing.faulty import SimulatedCrash


class Fuse:
    """Counts what a process does outside itself; the process dies at one of the steps and does nothing after it.

    `meanwhile` maps a step to what somebody else does just before it.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.dies_at: int | None = None
        self.meanwhile: dict[int, Callable[[], object]] = {}
        self._dead = False
        self._lock = threading.Lock()

    def step(self) -> None:
        with self._lock:
            if self._dead:
                raise SimulatedCrash
            number, self.steps = self.steps, self.steps + 1
            if number == self.dies_at:
                self._dead = True
                raise SimulatedCrash
        self.meanwhile.pop(number, lambda: None)()

    def renew(self, dies_at: int | None = None) -> None:
        """A new process: its steps count from 0."""
        self.steps, self.dies_at, self._dead = 0, dies_at, False
