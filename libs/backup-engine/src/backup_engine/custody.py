"""What keeps restore points: the decision at commit, the tenant's floor under it, and legal holds above it."""

from datetime import datetime

from backup_engine import commits, floor, holds, names
from backup_engine.backing import Backing
from backup_engine.floor import Floor
from backup_engine.holds import Hold, Release
from backup_engine.model import Snapshot
from backup_engine.retention import Earlier, Period, Retained, Scheme, decide


class Custody:
    """Made by Repository.custody; thread-safe."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    def decide(self, shard: str, scheme: Scheme, taken_at: datetime, *, complete: bool) -> Retained:
        """What a restore point of `shard` taken now is kept for; hand name and date to Session.commit.

        A scheme without promotions costs no request besides the floor's; another one lists the shard and reads its
        restore points.
        """
        earlier = [_fact(one) for one in commits.of_shard(self._backing, shard)] if scheme.first_of else []
        return floor.lift(self._backing, taken_at, decide(scheme, taken_at, complete=complete, earlier=earlier))

    def current_floor(self) -> Floor | None:
        """The least retention in force; None when nobody ever set one."""
        return floor.current(self._backing)

    def floors(self) -> list[Floor]:
        """Every floor there ever was, oldest first."""
        return floor.history(self._backing)

    def set_floor(self, period: Period, *, by: str, at: datetime) -> Floor:
        """For restore points committed from now on; existing ones keep their date. Every change stays on record."""
        return floor.put(self._backing, period, by=by, at=at)

    def holds(self) -> list[Hold]:
        """Every hold, released ones included, oldest first. Raises IntegrityError when one cannot be read."""
        return holds.read_all(self._backing)

    def place_hold(self, hold: Hold) -> None:
        """Raises NotFound when the restore point does not exist; repeating it changes nothing."""
        holds.place(self._backing, hold)
        scope = hold.scope
        # After the hold is durable: a restore point that is there now was not removed before it.
        if scope.shard is not None and scope.snapshot is not None:
            commits.existing(self._backing.objects, scope.shard, scope.snapshot)

    def release_hold(self, hold: str, release: Release) -> Hold:
        """End a hold by a record of its own; the first release counts. Raises NotFound."""
        return holds.release(self._backing, names.check_session(hold), release)


def _fact(snapshot: Snapshot) -> Earlier:
    return Earlier(snapshot.taken_at, snapshot.expires_at, snapshot.complete)
