"""`tenantkeep backup restore`: into a mailbox, whole or in parts, and what became of it."""

from collections.abc import Sequence
from typing import Annotated

import typer
from pydantic import ValidationError

from contracts.api import RestoreBody
from contracts.names import Source
from contracts.restoring import RestoreConflict, RestorePlace, RestoreSelection
from tenantkeep.commands.choose import restore_point, tenant_of
from tenantkeep.commands.client import connect
from tenantkeep.commands.errors import usage
from tenantkeep.commands.following import Key, follow_or_tell
from tenantkeep.commands.options import Json, Lang, TenantName, Timeout, Wait
from tenantkeep.commands.output import Screen, reported

_HOUR = 3600.0
_WHAT, _WHERE = "What", "Where to"

Items = Annotated[
    list[str] | None,
    typer.Option("--item", help="Only this item, by id; several times for several.", rich_help_panel=_WHAT),
]
Folders = Annotated[
    list[str] | None,
    typer.Option("--folder", help="Only this folder with all below it, by id; repeatable.", rich_help_panel=_WHAT),
]
Sources = Annotated[
    list[Source] | None, typer.Option("--source", help="Only this source; repeatable.", rich_help_panel=_WHAT)
]
To = Annotated[
    str,
    typer.Option(
        help="User: address or object id.  [default: the mailbox it was taken of]",
        show_default=False,
        rich_help_panel=_WHERE,
    ),
]
Into = Annotated[
    str,
    typer.Option(
        help="Name of a folder everything goes below.  [default: Restored …]",
        show_default=False,
        rich_help_panel=_WHERE,
    ),
]
Original = Annotated[
    bool, typer.Option("--original", help="Into the folders the items were in.", rich_help_panel=_WHERE)
]
Conflict = Annotated[
    RestoreConflict | None,
    typer.Option(
        help="What is there already: skip leaves it; copy creates another one; replace creates the stored one, "
        "compares it, and then deletes what was there.  [default: skip with --original, else copy]",
        show_default=False,
        rich_help_panel=_WHERE,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and write nothing.")]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("restore")(restore)


@reported
def restore(
    *,
    point: Annotated[str, typer.Argument(metavar="RESTORE_POINT", help="Id, or a mailbox for its newest one.")],
    items: Items = None,
    folders: Folders = None,
    sources: Sources = None,
    to: To = "",
    into: Into = "",
    original: Original = False,
    conflict: Conflict = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = 24 * _HOUR,
    key: Key = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Restore a mailbox, or parts of it. Every restored item is read back and compared.

    Without --original everything goes below a folder of its own, beside what is there. Repeating a restore that was
    interrupted is safe; with skip it is safe at any time. Exit code 3: some items are missing, the list says why.

    Example: tenantkeep backup restore anna@contoso.com --to archive@contoso.com --wait

    Example: tenantkeep backup restore anna@contoso.com --original --dry-run --wait

    Example: tenantkeep backup restore 01JD… --folder AAMk… --original --conflict replace --wait
    """
    screen = Screen(lang, as_json=as_json)
    if original and into:
        raise usage("Give --into or --original.", "--into oder --original angeben.")
    place = RestorePlace.ORIGINAL if original else RestorePlace.FOLDER
    chosen = conflict or (RestoreConflict.SKIP if original else RestoreConflict.COPY)
    parts = selection(items or (), folders or (), sources or ())
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        found = restore_point(gateway, slug, point)
        body = RestoreBody(
            restore_point=found.id,
            target_user=to,
            target_folder=into,
            place=place,
            conflict=chosen,
            selection=parts,
            dry_run=dry_run,
        )
        started = gateway.start_restore(slug, body, key)
        follow_or_tell(screen, gateway, slug, started, wait=wait, timeout=timeout)


def selection(items: Sequence[str], folders: Sequence[str], sources: Sequence[Source]) -> RestoreSelection:
    try:
        return RestoreSelection(items=tuple(items), folders=tuple(folders), sources=tuple(sources))
    except ValidationError:
        raise usage(
            "Too many ids for one restore: name their folders, or restore in parts.",
            "Zu viele IDs für eine Wiederherstellung: Ordner angeben oder in Teilen wiederherstellen.",
        ) from None
