"""The order of one call: end the run that waits, rewrite, condemn, remove snapshots, sweep when nothing must wait."""

from dataclasses import replace
from datetime import datetime

from backup_engine import names
from backup_engine.backing import Backing
from backup_engine.condemned import Run
from backup_engine.errors import UNREADABLE, StorageFull
from backup_engine.maintenance import condemning, rewriting, sweeping
from backup_engine.maintenance.call import Call, Policy
from backup_engine.maintenance.report import MaintenanceReport, Waste
from backup_engine.maintenance.roots import ReadCommit
from backup_engine.maintenance.survey import Survey
from backup_engine.model import Problem

_ATTEMPTS = 3  # what could not be read may have been taken away by another collector that was faster


def maintain(backing: Backing, read_commit: ReadCommit, now: datetime, policy: Policy) -> MaintenanceReport:
    """Go on with the run that is under way, or begin one. Safe at any time and from several processes at once.

    A moment has passed when it has by `now` and by the storage's own clock, where it has one.
    """
    call = Call(backing, read_commit, _agreed(backing, now), policy)
    for _ in range(_ATTEMPTS):
        run, survey = _once(call)
        if not call.blocked:
            break
    return replace(_report(call, run, survey), clock_ahead=now - call.now)


def _agreed(backing: Backing, now: datetime) -> datetime:
    try:
        theirs = backing.storage.clock()
    except StorageFull:
        theirs = None  # some stores tell it by a file: what makes room must not need any
    return now if theirs is None else min(now, theirs)


def _once(call: Call) -> tuple[Run | None, Survey | None]:
    call.blocked.clear()
    try:
        run = call.backing.condemned.refresh()
    except UNREADABLE as error:
        call.blocked.append(Problem("unreadable", getattr(error, "key", "") or names.GC, str(error)))
        return None, None
    survey = Survey.take(call)
    if survey is not None and _end(call, run, survey):
        run = _begin(call, run, survey)
    if survey is not None:
        sweeping.drop_derived(call, survey)
    return run, survey


def _end(call: Call, run: Run | None, survey: Survey) -> bool:
    """Do what earlier runs left; True when the next one may begin."""
    sweeping.retire(call, survey)
    if _waits(call, run) or not sweeping.sweep(call, survey):
        return False
    if run is not None and not run.done:
        sweeping.close(call, run)
    return True


def _begin(call: Call, last: Run | None, survey: Survey) -> Run | None:
    """Rewrite and condemn; the run under way or just ended."""
    expired = {name for name, one in survey.roots.snapshots.items() if survey.is_expired(one, name, call)}
    live = survey.live(call, survey.roots.protected, without=expired)
    if live is None:
        return last
    call.sparse = rewriting.rewrite(call, survey, live)
    run = condemning.condemn(call, survey, live, expired, last)
    if run is None:
        return last
    # What is spared now is asked anew: only who looks after the verdict is durable cannot be overlooked.
    again = Survey.take(call)
    if again is not None:
        _end(call, run, again)
        survey.packs, survey.roots = again.packs, again.roots
    return run


def _waits(call: Call, run: Run | None) -> bool:
    return run is not None and not run.done and call.now < run.verdict.at + call.policy.grace


def _report(call: Call, run: Run | None, survey: Survey | None) -> MaintenanceReport:
    packs = survey.packs if survey is not None else {}
    condemned = call.backing.condemned.packs & packs.keys()
    locked = condemned & call.locked
    waits = _waits(call, run)
    return MaintenanceReport(
        run=run.n if run is not None else None,
        sweep_after=run.verdict.at + call.policy.grace if run is not None and waits else None,
        expired=tuple(call.expired),
        fenced=tuple(call.fenced),
        deleted=call.deleted,
        deleted_bytes=call.deleted_bytes,
        spared=tuple(sorted(call.spared)),
        locked=tuple(sorted(call.locked)),
        rewritten=call.rewritten,
        merged=call.merged,
        packs=len(packs),
        stored_bytes=sum(packs.values()),
        waste=Waste(
            waiting=sum(packs[name] for name in condemned - locked - call.spared),
            locked=sum(packs[name] for name in locked),
            sparse=call.sparse,
        ),
        blocked=tuple(call.blocked),
        damaged=tuple(call.damaged),
    )
