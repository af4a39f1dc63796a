"""What `tenantkeep repository copy` does."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

from backup_engine import Copied, CopyReport, Repository, VerificationReport, copy_repository
from backup_engine.copying import Watch
from backup_engine.rolling import Reading
from contracts.texts import Text
from tenantkeep.commands import figures, labels
from tenantkeep.commands.output import Screen
from tenantkeep.exit_codes import ExitCode
from tenantkeep.recover import keyfile
from tenantkeep.recover.access import Access
from tenantkeep.recover.explain import explained
from tenantkeep.recover.place import prepared_at, repository_at


def copy(source: Access, target: Access, screen: Screen, *, retain_until: datetime | None) -> None:
    """Copy, check, and end the command with what came of it."""
    recovery = None if target.key is None else keyfile.opened(target, screen)
    checked = None
    with explained():
        origin, destination = repository_at(source, ""), prepared_at(target)
        with _bar(screen) as watch:
            report = copy_repository(origin, destination, retain_until=retain_until, watch=watch)
        if recovery is not None:
            with _bar(screen) as watch:
                checks = Repository.open(destination, recovery).checks
                checked = checks.read_all(at=datetime.now(UTC), watch=lambda reading: _go_on(watch, reading))
    _show(screen, report, checked)
    good = report.good and (checked is None or checked.good)
    raise typer.Exit(ExitCode.SUCCEEDED if good else ExitCode.FAILED)


@contextmanager
def _bar(screen: Screen) -> Iterator[Watch]:
    """Bytes; their sum grows as the groups of the copy are listed."""
    columns = (BarColumn(bar_width=30), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=screen.console, disable=not screen.console.is_terminal) as bars:
        task = bars.add_task("", total=None)
        yield lambda copied: bars.update(task, completed=copied.bytes, total=copied.of_bytes or None)


def _go_on(watch: Watch, reading: Reading) -> bool:
    watch(Copied(reading.objects, reading.of, reading.bytes, 0))
    return True


def _show(screen: Screen, report: CopyReport, checked: VerificationReport | None) -> None:
    problems = [*report.problems, *(checked.problems if checked else ())]
    if screen.as_json:
        screen.document(
            {
                "copied": report.copied,
                "bytes": report.bytes,
                "there": report.there,
                "commits": report.commits,
                "gone": list(report.gone),
                "checked": None if checked is None else {"covered": checked.covered, "of": checked.denominator},
                "problems": [{"kind": p.kind, "key": p.key, "detail": p.detail} for p in problems],
            }
        )
        return
    screen.say(
        Text(
            "{} objects ({}) copied and compared, {} were there already.",
            "{} Objekte ({}) kopiert und verglichen, {} waren schon da.",
        ),
        report.copied,
        figures.size(report.bytes),
        report.there,
    )
    if checked is None:
        screen.say(Text("With --key, every byte is opened, too.", "Mit --key wird zusätzlich jedes Byte geöffnet."))
    else:
        good = figures.coverage(checked.covered, checked.denominator)
        screen.say(Text("Opened and good: {}.", "Geöffnet und in Ordnung: {}."), good)
    if problems:
        rows = [(p.kind, p.key, p.detail) for p in problems]
        screen.table((labels.PROBLEM, labels.OBJECT, labels.DETAIL), rows, title=labels.OBJECT_PROBLEMS)
