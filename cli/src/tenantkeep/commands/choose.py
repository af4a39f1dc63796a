"""From what a person typed to the one thing that is meant."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from contracts.texts import Text
from contracts.views import RestorePoint
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.errors import CommandError, usage
from tenantkeep.exit_codes import ExitCode


class Named(Protocol):
    """A view with an id and a name."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def tenant_of(gateway: Gateway, given: str | None) -> str:
    """The tenant of --tenant, or the only one there is."""
    if given is not None:
        return given
    known = [tenant.tenant for tenant in gateway.tenants()]
    if len(known) == 1:
        return known[0]
    if not known:
        raise usage(
            "There is no tenant yet. Add one: tenantkeep tenant add --help",
            "Es gibt noch keinen Mandanten. Anlegen: tenantkeep tenant add --help",
        )
    raise usage(f"Which tenant? --tenant {'|'.join(known)}", f"Welcher Mandant? --tenant {'|'.join(known)}")


def named(things: Sequence[N], given: str, what: Text) -> N:
    """The thing with this id or, if no id fits, the only one with this name."""
    found = [t for t in things if t.id == given] or [t for t in things if t.name == given]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(thing.id for thing in found)
        raise usage(f"{what.en} {given} is not unique, use its id: {ids}", f"{what.de} {given} ist mehrdeutig: {ids}")
    known = ", ".join(sorted(thing.name for thing in things)) or "–"
    raise CommandError(
        Text(f"{what.en} {given} does not exist.", f"{what.de} {given} gibt es nicht."),
        Text(f"There are: {known}", f"Vorhanden: {known}"),
        ExitCode.FAILED,
        code="not-found",
    )


def restore_point(gateway: Gateway, tenant: str, given: str) -> RestorePoint:
    """The restore point with this id, or the newest one of this mailbox."""
    points = gateway.restore_points(tenant)
    found = [p for p in points if p.id == given]
    if not found:
        mine = [p for p in points if given in (p.resource, p.resource_name)]
        found = sorted(mine, key=lambda p: p.taken_at)[-1:]
    if found:
        return found[0]
    raise CommandError(
        Text(f"There is no restore point {given}.", f"Es gibt keinen Wiederherstellungspunkt {given}."),
        Text("List them: tenantkeep backup restore-points", "Anzeigen: tenantkeep backup restore-points"),
        code="not-found",
    )
