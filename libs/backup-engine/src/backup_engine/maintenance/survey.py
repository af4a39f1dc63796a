"""What lies in storage and what of it somebody relies on, read in the order the format asks for (section 17)."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

from backup_engine import holds, names
from backup_engine.condemned import Verdict
from backup_engine.errors import UNREADABLE
from backup_engine.index import PackInfo
from backup_engine.maintenance import marking
from backup_engine.maintenance.call import Call
from backup_engine.maintenance.marking import LiveBlobs
from backup_engine.maintenance.roots import Roots
from backup_engine.model import Problem, Snapshot


@dataclass(slots=True)
class Survey:
    """Packs and segments were listed before the roots were read: what came later is not judged."""

    condemned: Verdict  # everything condemned before the survey began: of nothing else it can tell who relies on it
    packs: dict[str, int]  # sizes
    segments: dict[str, int]
    roots: Roots

    @classmethod
    def take(cls, call: Call) -> "Survey | None":
        """None when something cannot be read: it may rely on anything, and `call.blocked` names it."""
        storage, known = call.backing.storage, call.backing.condemned
        condemned = Verdict(call.now, known.packs, known.sessions, known.snapshots)
        packs = {info.key: info.size for info in storage.list(names.DATA)}
        segments = {info.key: info.size for info in storage.list(names.MANIFESTS)}
        roots = call.roots()
        call.blocked += roots.blocked
        try:
            # After the roots: every blob they name is in an index object that was durable before them.
            call.backing.damage.refresh()
            call.backing.index.refresh()
            call.backing.index.avoid(call.backing.damage.packs)
            # A damage record says that what the object named has been named anew, as far as it is needed.
            unknown = call.backing.index.damaged.keys() - call.backing.damage.named.keys()
            call.blocked += [Problem("unreadable", key, call.backing.index.damaged[key]) for key in sorted(unknown)]
        except UNREADABLE as error:
            call.blocked.append(Problem("unreadable", getattr(error, "key", "") or names.INDEX, str(error)))
        return None if call.blocked else cls(condemned, packs, segments, roots)

    def live(self, call: Call, sessions: AbstractSet[str], *, without: Iterable[str] = ()) -> LiveBlobs | None:
        """The blobs of all snapshots but `without` and of the states of `sessions`. None when one cannot be read."""
        states = self.roots.states(sessions - self._unsure(), without=without)
        try:
            return LiveBlobs(chain(marking.blobs_of(call.backing.objects, states), self._of_unsure(call, sessions)))
        except UNREADABLE as error:
            call.blocked.append(Problem("unreadable", getattr(error, "key", "") or names.MANIFESTS, str(error)))
            return None

    def _unsure(self) -> AbstractSet[str]:
        """Sessions that never commit: a stalled writer of one may well have told of segments that were collected."""
        return self.condemned.sessions | self.roots.dead | self.roots.barred

    def _of_unsure(self, call: Call, sessions: AbstractSet[str]) -> Iterator[bytes]:
        """Who takes such a session over, or did before, relies on what is there; nobody on what is not.

        Whoever takes over looks first whether everything is (adoption).
        """
        for session in sorted(sessions & self._unsure()):
            for state in self.roots.sessions[session].states:
                with suppress(*UNREADABLE):
                    yield from list(marking.blobs_of(call.backing.objects, [state]))

    def whole(self, call: Call) -> list[PackInfo]:
        """The packs that are in storage with the size the index says."""
        return [pack for pack in call.backing.index.packs() if self.packs.get(pack.name) == pack.size]

    def kept_sessions(self) -> set[str]:
        """Sessions whose progress must not go yet: as long as a dead one is not condemned it may be taken over."""
        return self.roots.protected | (self.roots.dead - self.condemned.sessions)

    def is_expired(self, snapshot: Snapshot, name: str, call: Call) -> bool:
        return holds.is_expired(snapshot, call.now, self.roots.holds) and name not in self.roots.parents
