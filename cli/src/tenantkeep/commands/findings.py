"""What verification, drills and maintenance found, as tables."""

from collections.abc import Sequence

from contracts.upkeep import CheckReport, MaintenanceReport, ObjectProblem
from contracts.views import Job
from tenantkeep.commands import figures, labels
from tenantkeep.commands.output import Screen


def show_findings(screen: Screen, jobs: Sequence[Job]) -> None:
    """What checks and maintenance found, with its denominators; nothing for other kinds of jobs."""
    for job in jobs:
        if job.check is not None:
            _show_check(screen, job.check)
        if job.maintenance is not None:
            show_maintenance(screen, job.maintenance)


def _show_check(screen: Screen, found: CheckReport) -> None:
    headers = (
        labels.LEVEL,
        labels.GOOD,
        labels.OF_ALL,
        labels.READ,
        labels.READ_SINCE,
        labels.AFFECTED,
        labels.REPAIRED,
        labels.RECEIPT,
    )
    row = (
        f"V{found.level}",
        figures.coverage(found.covered, found.denominator),
        str(found.population),
        figures.size(found.bytes),
        figures.moment(found.read_since),
        str(found.affected_items),
        str(found.repaired_blobs + found.repaired_packs),
        str(found.receipt),
    )
    screen.table(headers, [row], title=labels.CHECKED)
    _show_problems(screen, found.problems)


def show_maintenance(screen: Screen, done: MaintenanceReport) -> None:
    """What one call of it did, and what it left for a later one."""
    headers = (
        labels.EXPIRED,
        labels.DELETED,
        labels.LOCKED,
        labels.REWRITTEN,
        labels.MERGED,
        labels.STORED_BYTES,
        labels.WASTE,
        labels.SWEEP_AFTER,
    )
    row = (
        str(done.expired),
        f"{done.deleted} ({figures.size(done.deleted_bytes)})",
        str(done.locked),
        str(done.rewritten),
        str(done.merged),
        figures.size(done.stored_bytes),
        figures.size(done.waste_bytes),
        figures.moment(done.sweep_after),
    )
    screen.table(headers, [row], title=labels.MAINTAINED)
    _show_problems(screen, done.problems)


def _show_problems(screen: Screen, problems: Sequence[ObjectProblem]) -> None:
    if problems:
        rows = [(problem.kind, problem.key, problem.detail) for problem in problems]
        screen.table((labels.PROBLEM, labels.OBJECT, labels.DETAIL), rows, title=labels.OBJECT_PROBLEMS)
