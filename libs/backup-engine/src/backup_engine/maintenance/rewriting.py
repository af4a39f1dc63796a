"""Packs of which little is needed are copied into new ones, so that the next verdict takes the old ones away."""

from dataclasses import dataclass
from functools import partial

from backup_engine import names
from backup_engine.errors import IntegrityError, NotFound
from backup_engine.index import PackInfo
from backup_engine.maintenance.call import Call, new_session
from backup_engine.maintenance.condemning import needed_packs
from backup_engine.maintenance.marking import LiveBlobs
from backup_engine.maintenance.survey import Survey
from backup_engine.model import Problem
from backup_engine.pack import PackEntry, PackOpener, check_digest
from backup_engine.packer import Packer
from backup_engine.storage.authentic import read_authentic
from backup_engine.upkeep import upkeep_session


@dataclass(frozen=True, slots=True)
class Sparse:
    pack: PackInfo
    live: int  # bytes

    @property
    def waste(self) -> int:
        return self.pack.size - self.live


def rewrite(call: Call, survey: Survey, live: LiveBlobs) -> int:
    """Copy what is needed of sparse packs into packs of a session of our own; the bytes of waste that stay."""
    sparse = _sparse_packs(call, survey, live)
    chosen = _within_limit(call, [one for one in sparse if _is_unlocked(call, one.pack)])
    if chosen:
        _rewrite(call, survey, chosen, live)
    return sum(one.waste for one in sparse) - sum(one.waste for one in chosen)


def _sparse_packs(call: Call, survey: Survey, live: LiveBlobs) -> list[Sparse]:
    """The packs in use of which too little is needed, the most wasteful first."""
    needed = needed_packs(call, survey, live) - call.backing.index.avoided
    found = []
    for pack in survey.whole(call):
        if pack.name in needed and not survey.roots.owns(names.pack_session(pack.name)):
            one = Sparse(pack, live.bytes_in(call.backing.index.entries(pack.name)))
            if one.live < pack.size * call.policy.rewrite_below:
                found.append(one)
    return sorted(found, key=lambda one: (-one.waste, one.pack.name))


def _rewrite(call: Call, survey: Survey, chosen: list[Sparse], live: LiveBlobs) -> None:
    session = new_session(call.now)
    with upkeep_session(call.backing, session):
        packs = _copied(call, session, chosen, live)
        if packs:
            call.backing.index.publish(names.index_delta(session, 0), packs)
            survey.packs |= {pack.name: pack.size for pack in packs}


def _copied(call: Call, session: str, chosen: list[Sparse], live: LiveBlobs) -> list[PackEntry]:
    backing = call.backing
    # The index answers for these blobs until they are avoided: only then the packer takes them.
    backing.index.avoid(one.pack.name for one in chosen)
    packer = Packer(session, backing.storage, backing.ring, backing.index, backing.tuning)
    try:
        for one in chosen:
            _copy(call, one.pack, live, packer)
        return packer.flush()
    finally:
        packer.close()


def _within_limit(call: Call, sparse: list[Sparse]) -> list[Sparse]:
    chosen: list[Sparse] = []
    size = 0
    for one in sparse:
        size += one.pack.size
        if size > call.policy.rewrite_limit:
            break
        chosen.append(one)
    return chosen


def _is_unlocked(call: Call, pack: PackInfo) -> bool:
    """A pack that cannot be deleted yet would only be stored twice."""
    storage = call.backing.storage
    if storage.lock is None:
        return True
    try:
        retention = storage.retention(pack.name)
    except NotFound:
        return True  # who reads it next finds out whether it was taken away
    return not retention.held and (retention.until is None or retention.until <= call.now)


def _copy(call: Call, pack: PackInfo, live: LiveBlobs, packer: Packer) -> None:
    """A pack that cannot be read keeps its blobs and stands in the report, unless a collector has taken it away."""
    backing = call.backing
    try:
        body = read_authentic(backing.storage, pack.name, partial(check_digest, pack.name))
        opener = PackOpener(backing.ring, pack.header, pack.name)
        for entry in live.among(backing.index.entries(pack.name)):
            packer.add(entry.id, opener.blob(entry, body[entry.offset : entry.offset + entry.stored]))
    except (NotFound, IntegrityError) as error:
        if not (isinstance(error, NotFound) and _was_collected(call, pack)):
            call.damaged.append(Problem("damaged_pack", pack.name, str(error)))
    else:
        call.rewritten += 1


def _was_collected(call: Call, pack: PackInfo) -> bool:
    """Whether a faster collector was free to delete it: every removal is condemned first."""
    call.backing.condemned.refresh()
    return pack.name in call.backing.condemned.packs
