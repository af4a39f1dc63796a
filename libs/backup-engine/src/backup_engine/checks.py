"""Verification beyond one restore point: receipts, the rolling full read, the restore drill, known damage."""

import math
import random
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from backup_engine import drill, full_check
from backup_engine.backing import Backing
from backup_engine.damage import DamageRecord
from backup_engine.drill import DrillReport
from backup_engine.full_check import RollingReport
from backup_engine.model import Snapshot, VerificationReport
from backup_engine.reader import Reader
from backup_engine.receipts import Attestation, ChainReport, Receipt, Receipts
from backup_engine.rolling import Watch

if TYPE_CHECKING:
    from backup_engine.repository import Repository


class Checks:
    """`repository.checks`; thread-safe. Every check that ran leaves a receipt, one that could not run raises."""

    def __init__(self, repository: "Repository", backing: Backing) -> None:
        self._repository = repository
        self._backing = backing
        self._receipts = Receipts(backing.storage, backing.objects)

    def attest(self, snapshot: Snapshot, reports: Sequence[VerificationReport], *, at: datetime) -> Receipt:
        """Write the receipt of what Repository.verify found about a restore point."""
        said = Attestation(at, tuple(reports), snapshot.shard, snapshot.id, snapshot.expires_at)
        return self._receipts.append(said)

    def receipts(self) -> Iterator[Receipt]:
        """Newest first. Raises IntegrityError at the first one that is damaged, missing or does not fit."""
        return self._receipts.newest_first()

    def check_receipts(self) -> ChainReport:
        """Read the whole chain: a gap, a change or a removal in the middle is found."""
        return self._receipts.check()

    def rolling(
        self,
        *,
        at: datetime,
        session: str,
        share: float = 1.0,
        max_bytes: float = math.inf,
        max_objects: float = math.inf,
        watch: Watch | None = None,
    ) -> RollingReport:
        """V2: read the next `share` of all stored bytes whole, the longest unread first; name and repair damage.

        `session` is a fresh ULID for what the repair stores. Writes the receipt and, for news, a damage record.
        `watch` is told after every object; when it answers False the step ends early and the next goes on there.
        """
        limit = full_check.Limit(share, max_bytes, max_objects)
        return full_check.verify_rolling(
            self._backing, self._receipts, at=at, session=session, limit=limit, watch=watch
        )

    def read_all(self, *, at: datetime, watch: Watch | None = None) -> VerificationReport:
        """Level 2 of everything, without writing a word: for a copy, or for who may only read."""
        return full_check.read_all(self._backing, self._receipts, at=at, watch=watch)

    def drill(self, *, at: datetime, seed: int, items: int, scratch: Path, watch: Watch | None = None) -> DrillReport:
        """V3: restore `items` random items of restore points that have not expired into `scratch`, and compare.

        Writes the receipt. `watch` is told after every item and may end the drill by answering False. Raises OSError
        when scratch cannot hold an item.
        """
        repository = self._repository
        repository.refresh()
        points = [one for one in repository.snapshots() if one.expires_at > at]
        rng = random.Random(seed)  # noqa: S311 - a sample, not a secret
        chosen = drill.sample(points, lambda one: repository.items(one.shard, one.id), items, rng)
        report, drilled = drill.restore(Reader(self._backing), chosen, scratch, watch)
        return DrillReport(report, chosen.population, drilled, self._receipts.append(Attestation(at, (report,))))

    def damage(self) -> list[DamageRecord]:
        """What was found damaged, oldest first."""
        self._backing.damage.refresh()
        return self._backing.damage.records()
