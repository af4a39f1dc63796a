"""`tenantkeep backup …`: configure, run, look, export, restore."""

from pathlib import Path
from typing import Annotated

import typer

from contracts.api import ExportBody
from contracts.names import ExportFormat
from contracts.texts import Text
from contracts.views import RestorePoint
from tenantkeep.commands import browsing, configurations, figures, holds, labels, restore, retention, upkeep
from tenantkeep.commands.choose import named, restore_point, tenant_of
from tenantkeep.commands.client import connect
from tenantkeep.commands.download import holds_nothing, to_folder, to_zip
from tenantkeep.commands.following import Key, follow_or_tell
from tenantkeep.commands.options import Json, Lang, TenantName, Timeout, Wait
from tenantkeep.commands.output import Screen, reported
from tenantkeep.commands.progress import download_bar

app = typer.Typer(help="Back up, look at restore points, export, restore, verify and maintain.", no_args_is_help=True)
configurations.add_to(app)
restore.add_to(app)
upkeep.add_to(app)
browsing.add_to(app)
app.add_typer(holds.app, name="hold")
app.add_typer(retention.app, name="retention")

_HOUR = 3600.0


@app.command("run")
@reported
def run(
    *,
    configuration: Annotated[str, typer.Argument(help="Configuration, by name or id.")],
    wait: Wait = False,
    timeout: Timeout = 24 * _HOUR,
    key: Key = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Start a backup now. With --wait the exit code says how it ended: 0, 1 failed, 3 partial, 4 still running.

    Example: tenantkeep backup run nightly --wait --timeout 3600
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        chosen = named(gateway.configurations(slug), configuration, labels.NAME)
        started = gateway.start_backup(slug, chosen.id, key)
        follow_or_tell(screen, gateway, slug, started, wait=wait, timeout=timeout)


@app.command("restore-points")
@reported
def restore_points(
    *,
    configuration: Annotated[str | None, typer.Option(help="Only of this configuration, by name or id.")] = None,
    mailbox: Annotated[str | None, typer.Option(help="Only of this mailbox, by id or address.")] = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """List restore points with their verified coverage, newest first. Each one is complete by itself.

    Example: tenantkeep backup restore-points --mailbox anna@contoso.com
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        only = None if configuration is None else named(gateway.configurations(slug), configuration, labels.NAME).id
        points = gateway.restore_points(slug, configuration=only)
    points = [p for p in points if mailbox is None or mailbox in (p.resource, p.resource_name)]
    points.sort(key=lambda p: p.taken_at, reverse=True)
    if as_json:
        screen.document({"items": points})
        return
    headers = (
        labels.RESTORE_POINT,
        labels.MAILBOX,
        labels.TAKEN,
        labels.RETENTION,
        labels.EXPIRES,
        labels.IMMUTABLE,
        labels.HELD,
        labels.COMPLETE,
        labels.ITEMS,
        labels.SIZE,
        labels.VERIFIED,
    )
    screen.table(headers, [_point_row(point, screen) for point in points])


@app.command("export")
@reported
def export(
    *,
    point: Annotated[str, typer.Argument(metavar="RESTORE_POINT", help="Id, or a mailbox for its newest one.")],
    out: Annotated[Path, typer.Option(help="New ZIP file, or a folder to unpack into.")],
    kind: Annotated[
        ExportFormat,
        typer.Option("--format", help="eml: a file per mail; mbox: one per folder; maildir; ics: calendars; vcf."),
    ] = ExportFormat.EML,
    items: restore.Items = None,
    folders: restore.Folders = None,
    sources: restore.Sources = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Save a mailbox or parts of it: mail byte for byte (EML, mboxrd, Maildir), calendars, vCards.

    Example: tenantkeep backup export anna@contoso.com --out anna.zip
    Example: tenantkeep backup export anna@contoso.com --format maildir --out ~/Maildir-anna

    Example: tenantkeep backup export anna@contoso.com --folder AAMk… --out projects.zip
    """
    screen = Screen(lang, as_json=as_json)
    wanted = ExportBody(format=kind, selection=restore.selection(items or (), folders or (), sources or ()))
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        chosen = restore_point(gateway, slug, point)
        with download_bar(screen, chosen.bytes) as watch:
            if out.suffix.lower() == ".zip":
                to_zip(gateway, slug, chosen.id, out, watch, wanted=wanted)
            else:
                to_folder(gateway, slug, chosen.id, out, watch, wanted=wanted)
    if as_json:
        screen.document({"restore_point": chosen, "out": str(out)})
        return
    screen.say(
        Text("{} of {} is in {}.", "{} von {} liegt in {}."), chosen.resource_name, figures.moment(chosen.taken_at), out
    )
    if holds_nothing(out):
        screen.say(
            Text(
                "It is empty: the restore point holds nothing of what was asked for.",
                "Er ist leer: Der Wiederherstellungspunkt enthält nichts von dem, was verlangt war.",
            )
        )


def _mailbox_of(point: RestorePoint, screen: Screen) -> str:
    name = point.resource_name or point.resource
    if point.departed_since is None:
        return name
    return f"{name} ({screen.text(labels.DEPARTED).format(figures.moment(point.departed_since))})"


def _point_row(point: RestorePoint, screen: Screen) -> tuple[str, ...]:
    verified = ", ".join(f"V{v.level} {figures.coverage(v.covered, v.denominator)}" for v in point.verified)
    return (
        point.id,
        _mailbox_of(point, screen),
        figures.moment(point.taken_at),
        point.retention_class,
        figures.moment(point.expires_at),
        "" if point.immutable_until is None else figures.moment(point.immutable_until),
        screen.text(labels.YES if point.held else labels.NO),
        screen.text(labels.YES if point.complete else labels.NO),
        str(point.items),
        figures.size(point.bytes),
        verified,
    )
