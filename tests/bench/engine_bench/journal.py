"""The document store of the benchmark: every write of a job or restore point is one synced line in a file."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backup_service.domain.jobs import Claim, Outcome
from contracts.events import Counts, JobWakeUp
from contracts.views import RestorePoint


class Journal:
    """Implements ports.Jobs and ports.RestorePoints for claims that are handed out elsewhere."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")

    async def claim(self, wake: JobWakeUp, delivery: int) -> Claim | None:
        raise AssertionError("the benchmark makes its claims itself")

    async def conclude(self, claim: Claim, outcome: Outcome) -> None:
        raise AssertionError("the benchmark concludes its jobs itself")

    async def progress(self, claim: Claim, counts: Counts, phase: str) -> None:
        self._write(job=claim.job, phase=phase, counts=counts.model_dump(mode="json"))

    async def checkpointed(
        self, claim: Claim, number: int, packs: Sequence[tuple[str, int, str]], counts: Counts
    ) -> None:
        self._write(job=claim.job, checkpoint=number, packs=list(packs), counts=counts.model_dump(mode="json"))

    async def add_restore_point(self, point: RestorePoint) -> None:
        self._write(restore_point=point.model_dump(mode="json"))

    def close(self) -> None:
        self._file.close()

    def _write(self, **document: Any) -> None:
        self._file.write(json.dumps(document).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
