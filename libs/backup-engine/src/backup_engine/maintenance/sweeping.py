"""Taking away what is condemned: snapshots first, then their segments, index entries, packs."""

from contextlib import suppress

from backup_engine import names
from backup_engine.condemned import Run
from backup_engine.derived import DerivedFiles
from backup_engine.errors import AlreadyExists
from backup_engine.header import Kind
from backup_engine.maintenance import merging
from backup_engine.maintenance.call import Call
from backup_engine.maintenance.condemning import misses_blobs
from backup_engine.maintenance.survey import Survey


def retire(call: Call, survey: Survey) -> None:
    """Remove the condemned snapshots nobody spares. The survey must have begun after the verdict was durable."""
    roots = survey.roots
    for name in sorted(survey.condemned.snapshots & roots.snapshots.keys()):
        if survey.is_expired(roots.snapshots[name], name, call) and call.remove(name):
            call.expired.append(name)
            del roots.snapshots[name]


def sweep(call: Call, survey: Survey) -> bool:
    """Remove what is condemned and what only it needed. False when something stood in the way.

    Every step leaves what the steps before it removed without anybody who could ask for the rest: a crash in between
    costs nothing.
    """
    doomed = _doomed(call, survey)
    if doomed is None:
        return False
    _remove_sessions(call, survey)
    _remove_segments(call, survey)
    if not merging.prune(call, doomed):
        return False
    removed = {name for name in sorted(doomed) if call.remove(name, survey.packs[name])}
    call.backing.index.forget(doomed)
    call.backing.index.avoid(doomed)  # a delta of a stalled writer may name them again
    for name in removed:
        del survey.packs[name]
    return True


def drop_derived(call: Call, survey: Survey) -> None:
    """Remove derived files that are superseded or whose restore points have gone: they can be computed again."""
    sizes = {info.key: info.size for info in call.backing.storage.list(names.DERIVED)}
    derived = DerivedFiles(call.backing)
    for name in list(derived.superfluous(sizes, survey.roots.snapshots)):
        call.remove(name, sizes[name])


def close(call: Call, run: Run) -> None:
    payload = {
        "at": call.now.isoformat(),
        "deleted": call.deleted,
        "spared": sorted(call.spared),
        "locked": sorted(call.locked),
    }
    with suppress(AlreadyExists):  # another collector has gone on with the same run
        call.backing.objects.put(names.done(run.n), Kind.DONE, payload)


def _doomed(call: Call, survey: Survey) -> set[str] | None:
    """The condemned packs in storage that nobody relies on; None when what anybody relies on cannot be read."""
    index, known = call.backing.index, call.backing.condemned.packs
    candidates = set(survey.condemned.packs & survey.packs.keys())
    if not candidates:
        return set()
    live = survey.live(call, survey.kept_sessions())
    if live is None:
        return None
    for pack in survey.whole(call):
        if pack.name not in known | index.avoided:
            live.hold(index.entries(pack.name))
    spared = {
        name for name in candidates if survey.roots.owns(names.pack_session(name)) or live.lacks(index.entries(name))
    }
    if misses_blobs(call, live):
        spared |= {name for name in candidates if index.pack(name) is None}
    call.spared |= spared
    return candidates - spared


def _remove_sessions(call: Call, survey: Survey) -> None:
    roots = survey.roots
    removable = (roots.dead & survey.condemned.sessions) | roots.finished - roots.protected
    for session in sorted(removable):
        # In order of name: `open` last, so that a crash leaves a session that still says whose it is.
        for key in sorted(roots.sessions[session].keys):
            call.remove(key)


def _remove_segments(call: Call, survey: Survey) -> None:
    kept = survey.kept_sessions()
    named = {segment for state in survey.roots.states(kept) for segment in state}
    for name, size in survey.segments.items():
        if name not in named and names.segment_session(name) not in kept:
            call.remove(name, size)
