"""What an error means for a run."""

from collections.abc import Callable
from dataclasses import dataclass

from contracts.errors import ErrorClass
from contracts.names import HoldReason


@dataclass(frozen=True)
class Holding:
    """Something outside is missing; look again after `recheck` seconds. Burns no attempt."""

    reason: HoldReason
    detail: str
    recheck: float


@dataclass(frozen=True)
class Retrying:
    """Worth another attempt; the last one ends the run with `error`."""

    error: ErrorClass
    detail: str


Verdict = Holding | Retrying
Judge = Callable[[Exception], Verdict]
