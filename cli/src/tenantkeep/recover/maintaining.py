"""What `tenantkeep recover maintain` does."""

from collections.abc import Iterable
from datetime import datetime

import typer

from backup_engine.maintenance import MaintenanceReport as Maintained
from backup_engine.model import Problem
from contracts.texts import Text
from contracts.upkeep import MaintenanceReport, ObjectProblem
from tenantkeep.commands import figures
from tenantkeep.commands.findings import show_maintenance
from tenantkeep.commands.output import Screen
from tenantkeep.exit_codes import ExitCode
from tenantkeep.recover.access import Access
from tenantkeep.recover.actions import open_repository
from tenantkeep.recover.explain import explained


def maintain(access: Access, screen: Screen, *, at: datetime) -> None:
    """Maintain once, as of `at`, and end the command with what came of it."""
    with explained():
        repository = open_repository(access, screen)
        screen.say(Text("Looking at what restore points need …", "Es wird ermittelt, was die Stände brauchen …"))
        done = repository.maintain(at)
    told = _told(done)
    if screen.as_json:
        screen.document({"tenant": repository.tenant, **told.model_dump(mode="json")})
    else:
        show_maintenance(screen, told)
        _say_what_is_left(screen, told)
    raise typer.Exit(_exit_code(done))


def _told(done: Maintained) -> MaintenanceReport:
    return MaintenanceReport(
        expired=len(done.expired),
        deleted=done.deleted,
        deleted_bytes=done.deleted_bytes,
        locked=len(done.locked),
        rewritten=done.rewritten,
        merged=done.merged,
        packs=done.packs,
        stored_bytes=done.stored_bytes,
        waste_bytes=done.waste.total,
        sweep_after=done.sweep_after,
        problems=tuple(_problems(done.problems)),
    )


def _problems(found: Iterable[Problem]) -> Iterable[ObjectProblem]:
    return (ObjectProblem(kind=problem.kind, key=problem.key, detail=problem.detail) for problem in found)


def _say_what_is_left(screen: Screen, told: MaintenanceReport) -> None:
    if told.sweep_after is not None:
        screen.say(
            Text(
                "What nothing needs is condemned; run this again after {} to delete it.",
                "Was nicht mehr gebraucht wird, ist vorgemerkt; nach {} erneut ausführen, um es zu löschen.",
            ),
            figures.moment(told.sweep_after),
        )
    if told.locked:
        screen.say(
            Text(
                "The storage refused to delete {} objects: they are locked, or this account may only add.",
                "Der Speicher verweigerte das Löschen von {} Objekten: Sie sind gesperrt, oder dieses Konto darf nur "
                "hinzufügen.",
            ),
            told.locked,
        )


def _exit_code(done: Maintained) -> ExitCode:
    if done.blocked:
        return ExitCode.FAILED
    return ExitCode.SUCCEEDED if done.good and not done.locked else ExitCode.PARTIAL
