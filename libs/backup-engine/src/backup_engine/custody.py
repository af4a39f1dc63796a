"""What keeps restore points: the decision at commit, the tenant's floor under it, and legal holds above it."""

from collections.abc import Iterable
from datetime import datetime

from backup_engine import closure, commits, floor, holds, names
from backup_engine.backing import Backing
from backup_engine.errors import NotFound
from backup_engine.floor import Floor
from backup_engine.holds import Hold, Release, Scope
from backup_engine.model import Snapshot
from backup_engine.retention import Earlier, Period, Retained, Scheme, decide


class Custody:
    """Made by Repository.custody; thread-safe."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    def decide(self, shard: str, scheme: Scheme, taken_at: datetime, *, complete: bool) -> Retained:
        """What a restore point of `shard` taken now is kept for, the floor in force included."""
        asked = self.choose(shard, scheme, taken_at, complete=complete)
        return floor.lift(self.current_floor(), taken_at, asked)

    def choose(self, shard: str, scheme: Scheme, taken_at: datetime, *, complete: bool) -> Retained:
        """What `scheme` asks for; hand name and date to Session.commit, which sees to the floor.

        A scheme without promotions costs no request; another one lists the shard and reads its restore points.
        """
        earlier = [_fact(one) for one in commits.listed(self._backing, shard)] if scheme.first_of else []
        return decide(scheme, taken_at, complete=complete, earlier=earlier)

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
        """Raises NotFound when the restore point does not exist or is being removed; repeating it changes nothing."""
        holds.place(self._backing, hold)
        scope = hold.scope
        # After the hold is durable: a collector that overlooks it has told before what it removes.
        if scope.shard is not None and scope.snapshot is not None:
            name = names.snapshot(scope.shard, scope.snapshot)
            self._backing.condemned.refresh()
            if name in self._backing.condemned.snapshots:
                raise NotFound(f"{name} has expired and is being removed: the hold came too late", key=name)
            commits.existing(self._backing.objects, scope.shard, scope.snapshot)

    def release_hold(self, hold: str, release: Release) -> Hold:
        """End a hold by a record of its own; the first release counts. Raises NotFound."""
        return holds.release(self._backing, names.check_session(hold), release)

    def protect(self, hold: str) -> int:
        """Bring the storage's own legal holds in line with the hold `hold`; how many requests that took.

        A placed hold sets them on every object its restore points need, a released one lifts them where no other
        hold needs them. Nothing on a storage without locks. Safe to repeat, so that a crash only costs a repeat.
        Raises NotFound.
        """
        locks = self._backing.locks
        known = {one.id: one for one in self.holds()}
        if hold not in known:
            raise NotFound(f"{hold} was never placed", key=names.hold(hold))
        if locks.lock is None:
            return 0
        self._backing.index.refresh()
        if known[hold].active:
            return locks.hold_all(self._objects([known[hold]]), on=True)
        others = self._objects([one for one in known.values() if one.active])
        lifted = locks.hold_all(self._objects([known[hold]]) - others, on=False)
        # Placed meanwhile: it may have set what was lifted just now.
        late = [one for one in self.holds() if one.active and one.id not in known]
        return lifted + locks.hold_all(self._objects(late), on=True)

    def _objects(self, among: list[Hold]) -> set[str]:
        found = {names.hold(one.id) for one in among}
        for one in among:
            for snapshot in self._covered(one.scope):
                found |= closure.objects_of(self._backing, snapshot)
        return found

    def _covered(self, scope: Scope) -> Iterable[Snapshot]:
        if scope.shard is not None and scope.snapshot is not None:
            return [commits.existing(self._backing.objects, scope.shard, scope.snapshot)]
        return commits.listed(self._backing, scope.shard)


def _fact(snapshot: Snapshot) -> Earlier:
    return Earlier(snapshot.taken_at, snapshot.expires_at, snapshot.complete)
