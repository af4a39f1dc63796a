"""Which snapshots, sessions and packs nobody needs, and the record that takes them from the writers for ever."""

from contextlib import suppress

from backup_engine import condemned, names
from backup_engine.condemned import Run, Verdict
from backup_engine.errors import AlreadyExists
from backup_engine.header import Kind
from backup_engine.maintenance.call import Call
from backup_engine.maintenance.marking import LiveBlobs, keepers
from backup_engine.maintenance.survey import Survey

FULL_EVERY = 32  # verdicts; a writer that comes along reads no more than these


def condemn(call: Call, survey: Survey, live: LiveBlobs, expired: set[str], last: Run | None) -> Run | None:
    """Begin the run after `last`; None when there is nothing more to take away.

    When another collector takes the number first, its verdict is the run: both may go on with it.
    """
    known = call.backing.condemned
    verdict = Verdict(
        call.now,
        packs=_unneeded(call, survey, live) - known.packs,
        sessions=survey.roots.dead - known.sessions,
        snapshots=frozenset(expired) - known.snapshots,
    )
    if not verdict:
        return None
    n = last.n + 1 if last else 1
    if n % FULL_EVERY == 0:
        verdict = _full(call, survey, verdict)
    with suppress(AlreadyExists):  # by another collector, or by us with an answer that was lost
        call.backing.objects.put(names.condemned(n), Kind.CONDEMNED, condemned.encode(verdict))
    return known.refresh()


def needed_packs(call: Call, survey: Survey, live: LiveBlobs) -> set[str]:
    """Of the packs in storage that are not condemned, enough to hold every live blob that lies in one of them."""
    index, known = call.backing.index, call.backing.condemned.packs
    packs = [pack for pack in index.packs() if pack.name in survey.packs and pack.name not in known]
    whole = {pack.name for pack in survey.whole(call)}
    doubtful = frozenset(pack.name for pack in packs if pack.name not in whole or pack.name in index.avoided)
    return keepers(live, packs, index, doubtful)


def misses_blobs(call: Call, live: LiveBlobs) -> bool:
    """Whether a blob that is needed stands in no index object: packs of unknown content may hold it."""
    for pack in call.backing.index.packs():
        live.hold(call.backing.index.entries(pack.name))
    return live.homeless > 0


def _unneeded(call: Call, survey: Survey, live: LiveBlobs) -> frozenset[str]:
    """Packs that no live session owns and no state needs; of several copies of a blob one is kept."""
    index = call.backing.index
    unneeded = survey.packs.keys() - needed_packs(call, survey, live)
    if misses_blobs(call, live):
        unneeded = {name for name in unneeded if index.pack(name) is not None}
    return frozenset(name for name in unneeded if not survey.roots.owns(names.pack_session(name)))


def _full(call: Call, survey: Survey, verdict: Verdict) -> Verdict:
    known = call.backing.condemned
    return Verdict(
        verdict.at,
        verdict.packs | known.packs,
        verdict.sessions | known.sessions,
        verdict.snapshots | (known.snapshots & survey.roots.snapshots.keys()),
        full=True,
    )
