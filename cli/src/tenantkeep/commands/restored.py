"""What restores did, or would do, as tables."""

from collections.abc import Sequence

from contracts.errors import ErrorClass
from contracts.names import JobKind
from contracts.restoring import RestoredSource
from contracts.texts import Text
from contracts.views import Job
from tenantkeep.commands import labels
from tenantkeep.commands.output import Screen


def show_restored(screen: Screen, jobs: Sequence[Job]) -> None:
    """What restores did, or would do; nothing for other kinds of jobs."""
    for job in jobs:
        if job.restored is not None:
            title = labels.WOULD_RESTORE if job.restored.dry_run else labels.RESTORED
            if job.restored.sources:
                screen.table(_HEADERS, [_row(found) for found in job.restored.sources], title=title)
            else:
                screen.say(_NOTHING)
            if job.restored.problems > len(job.item_errors):
                screen.say(_ALL_PROBLEMS, job.restored.problems, job.id)
        if job.kind is JobKind.RESTORE and job.fatal is not None and job.fatal.error is ErrorClass.NOT_FOUND:
            screen.say(_ELSEWHERE)


_HEADERS = (
    labels.SOURCES,
    labels.LISTED,
    labels.NEW,
    labels.REPLACED,
    labels.THERE_ALREADY,
    labels.RESUMED,
    labels.COMPARED,
    labels.FAILED,
    labels.NEW_FOLDERS,
)
_NOTHING = Text(
    "The restore point holds nothing of what was asked for.",
    "Der Wiederherstellungspunkt enthält nichts von dem, was verlangt war.",
)
_ALL_PROBLEMS = Text(
    "{} items have problems. All of them: tenantkeep jobs problems {}",
    "{} Elemente haben Probleme. Alle: tenantkeep jobs problems {}",
)
_ELSEWHERE = Text(
    "Restore into another user with --to, or save it: tenantkeep backup export RESTORE_POINT --out mailbox.zip",
    "Mit --to in ein anderes Postfach wiederherstellen oder sichern: "
    "tenantkeep backup export RESTORE_POINT --out postfach.zip",
)


def _row(found: RestoredSource) -> tuple[str, ...]:
    numbers = (
        found.selected,
        found.created,
        found.replaced,
        found.skipped,
        found.resumed,
        found.verified,
        found.failed,
        found.folders_created,
    )
    return (found.source.value, *map(str, numbers))
