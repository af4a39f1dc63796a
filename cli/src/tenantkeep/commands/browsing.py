"""`tenantkeep backup browse|search|show|compare`: look into restore points without restoring anything."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.browsing import Folder, Item, ItemChange, ItemKind, Message
from contracts.texts import Text
from contracts.views import Listing
from tenantkeep.commands import figures, labels
from tenantkeep.commands.choose import restore_point, tenant_of
from tenantkeep.commands.client import Gateway, connect
from tenantkeep.commands.download import to_file
from tenantkeep.commands.errors import CommandError, Refused, usage
from tenantkeep.commands.options import Json, Lang, TenantName
from tenantkeep.commands.output import Screen, reported

Point = Annotated[str, typer.Argument(metavar="RESTORE_POINT", help="Id, or a mailbox for its newest one.")]
Limit = Annotated[int, typer.Option(min=1, max=200, help="Items on a page.")]
Cursor = Annotated[str | None, typer.Option(help="Go on where the page before ended: its last line says how.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"])]

_LONG = 60  # characters of a subject in a table


def add_to(app: typer.Typer) -> None:
    """Register the four commands."""
    app.command("browse")(browse)
    app.command("search")(search)
    app.command("show")(show)
    app.command("compare")(compare)


@reported
def browse(
    *,
    point: Point,
    folder: Annotated[str | None, typer.Argument(help="Path (Inbox/Projects) or id; without it all folders.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Show the folders of a restore point, or what lies in one of them, newest first.

    Example: tenantkeep backup browse anna@contoso.com
    Example: tenantkeep backup browse anna@contoso.com Inbox/Projects --limit 20
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        chosen = restore_point(gateway, slug, point).id
        folders = gateway.folders(slug, chosen)
        if folder is None:
            _show_folders(screen, folders)
            return
        page = gateway.items(slug, chosen, _folder(folders, folder).id, limit=limit, cursor=cursor)
    _show_items(screen, page)


@reported
def search(
    *,
    point: Point,
    words: Annotated[list[str] | None, typer.Argument(help='Words, "a phrase", begin*: anywhere in the item.')] = None,
    subject: Annotated[str, typer.Option(help="Words in the subject.")] = "",
    sender: Annotated[str, typer.Option("--from", help="Name or address it comes from.")] = "",
    people: Annotated[str, typer.Option(help="Name or address of anybody in it.")] = "",
    attachment: Annotated[str, typer.Option(help="Words in the name of an attachment.")] = "",
    since: Day = None,
    until: Day = None,
    has_attachment: Annotated[
        bool | None, typer.Option("--with-attachment/--without-attachment", help="Only with, or only without.")
    ] = None,
    folder: Annotated[str | None, typer.Option(help="Only in this folder: path or id.")] = None,
    kind: Annotated[ItemKind | None, typer.Option(help="Only items of this kind.")] = None,
    everywhere: Annotated[bool, typer.Option("--everywhere", help="In all restore points of the mailbox.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Search a restore point: everything given must hold. Müller, Mueller and Muller are one word.

    Example: tenantkeep backup search anna@contoso.com angebot strassen* --from ben --since 2026-01-01
    Example: tenantkeep backup search anna@contoso.com --attachment invoice --everywhere
    """
    screen = Screen(lang, as_json=as_json)
    asked: dict[str, Any] = {
        "q": " ".join(_phrase(word) for word in words or ()),
        "subject": subject,
        "sender": sender,
        "people": people,
        "attachment": attachment,
        "since": None if since is None else since.astimezone().isoformat(),
        "until": None if until is None else until.astimezone().isoformat(),
        "has_attachment": has_attachment,
        "kind": "" if kind is None else kind.value,
        "everywhere": everywhere or None,
    }
    if folder is None and not any(value not in {None, ""} for value in asked.values()):
        raise usage("Say what to search for: words or an option.", "Wonach suchen? Wörter oder eine Option angeben.")
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        chosen = restore_point(gateway, slug, point).id
        if folder is not None:
            asked["folder"] = _folder(gateway.folders(slug, chosen), folder).id
        page = gateway.search(slug, chosen, **asked, limit=limit, cursor=cursor)
    _show_items(screen, page, everywhere=everywhere, searched=True)


@reported
def show(
    *,
    point: Point,
    item: Annotated[str, typer.Argument(help="Id of the item, as browse and search list it.")],
    html: Annotated[Path | None, typer.Option(help="Write the sanitised HTML into this new file.")] = None,
    save: Annotated[Path | None, typer.Option(help="Save the item as it is stored into this new file.")] = None,
    attachment: Annotated[
        int | None, typer.Option(min=1, help="With --save: this attachment, by its number, instead of the item.")
    ] = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Show an item: its people, its attachments and its text. HTML is shown without scripts and remote content.

    Example: tenantkeep backup show anna@contoso.com AAkALg… --html message.html

    Example: tenantkeep backup show anna@contoso.com AAkALg… --save offer.pdf --attachment 1
    """
    screen = Screen(lang, as_json=as_json)
    if attachment is not None and save is None:
        raise usage("Say where to: --save FILE", "Wohin? --save DATEI angeben")
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        chosen = restore_point(gateway, slug, point).id
        message = _message(gateway, slug, chosen, item)
        if save is not None:
            to_file(gateway, gateway.open_item(slug, chosen, item, attachment), save)
    if html is not None:
        with html.open("x", encoding="utf-8") as file:
            file.write(f'<!doctype html><meta charset="utf-8">{message.html}')
    if as_json:
        screen.document(message)
        return
    _show_message(screen, message)


@reported
def compare(
    *,
    point: Point,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Id of another restore point of the same mailbox.")],
    only: Annotated[ItemChange | None, typer.Option(help="Only these changes.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Compare two restore points of a mailbox: what was added, removed, changed or moved from the earlier one.

    Example: tenantkeep backup compare 01KJQ… 01KJS… --only removed
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        ids = [restore_point(gateway, slug, one).id for one in (point, other)]
        found = gateway.compare(slug, ids[0], ids[1], change=only, limit=limit, cursor=cursor)
    if as_json:
        screen.document(found)
        return
    screen.say(
        Text("{} added, {} removed, {} changed, {} moved.", "{} neu, {} entfernt, {} geändert, {} verschoben."),
        *(found.added, found.removed, found.changed, found.moved),
    )
    rows = []
    for change in found.items:
        shown = change.after or change.before
        if shown is not None:
            rows.append((screen.text(labels.CHANGES[change.change]), *_item_row(shown)))
    if rows:
        screen.table((labels.CHANGE, *_ITEM_HEADERS), rows)
    _say_more(screen, found.cursor)


_ITEM_HEADERS = (labels.DATE, labels.FROM, labels.WHAT, labels.SIZE, labels.ATTACHMENTS, labels.ID)


def _item_row(item: Item) -> tuple[str, ...]:
    sender = "" if item.sender is None else item.sender.name or item.sender.address
    subject = item.subject if len(item.subject) <= _LONG else f"{item.subject[: _LONG - 1]}…"
    attachments = str(item.attachment_count) if item.attachment_count else ""
    return (figures.moment(item.date), sender, subject, figures.size(item.size), attachments, item.id)


def _show_folders(screen: Screen, folders: list[Folder]) -> None:
    if screen.as_json:
        screen.document({"items": folders})
        return
    rows = [("/".join(one.path), one.kind, str(one.items), figures.size(one.bytes), one.id) for one in folders]
    screen.table((labels.FOLDER, labels.KIND, labels.ITEMS, labels.SIZE, labels.ID), rows)


def _show_items(screen: Screen, page: Listing[Item], *, everywhere: bool = False, searched: bool = False) -> None:
    if screen.as_json:
        screen.document(page)
        return
    if not page.items:
        screen.say(Text("Nothing found.", "Nichts gefunden."))
        return
    more = ((labels.EXCERPT,) if searched else ()) + ((labels.SEEN,) if everywhere else ())
    rows = []
    for item in page.items:
        seen = item.first_seen if item.first_seen == item.last_seen else f"{item.first_seen} – {item.last_seen}"
        rows.append((*_item_row(item), *((item.excerpt,) if searched else ()), *((seen,) if everywhere else ())))
    screen.table((*_ITEM_HEADERS, *more), rows)
    _say_more(screen, page.cursor)


def _say_more(screen: Screen, cursor: str | None) -> None:
    if cursor is not None:
        screen.say(Text("There is more: --cursor {}", "Es gibt mehr: --cursor {}"), cursor)


def _show_message(screen: Screen, message: Message) -> None:
    item = message.item
    people = {labels.FROM: [item.sender] if item.sender else [], labels.TO: item.to, labels.CC: message.cc}
    for label, found in people.items():
        names = ", ".join(f"{one.name} <{one.address}>".strip() for one in found)
        if names:
            screen.say(Text("{}: {}", "{}: {}"), screen.text(label), names)
    screen.say(Text("{}: {}", "{}: {}"), screen.text(labels.WHAT), item.subject)
    screen.say(Text("{}: {}", "{}: {}"), screen.text(labels.DATE), figures.moment(item.date))
    for one in item.attachments:
        size = "" if one.size is None else figures.size(one.size)
        number = "-" if one.number is None else one.number
        screen.say(
            Text("{} {}: {} {} {}", "{} {}: {} {} {}"),
            screen.text(labels.ATTACHMENTS),
            number,
            one.name,
            one.content_type,
            size,
        )
    screen.say(Text("\n{}", "\n{}"), message.text)
    if message.truncated:
        screen.say(Text("(longer than what is shown)", "(länger als das Gezeigte)"))


def _message(gateway: Gateway, tenant: str, point: str, item: str) -> Message:
    try:
        return gateway.message(tenant, point, item)
    except Refused as error:
        if error.code != "not-found":
            raise
        raise CommandError(
            Text(
                f"There is no item {item} in this restore point.",
                f"{item} gibt es in diesem Wiederherstellungspunkt nicht.",
            ),
            Text(
                "Find its id: tenantkeep backup browse|search RESTORE_POINT …",
                "Die ID finden: tenantkeep backup browse|search WIEDERHERSTELLUNGSPUNKT …",
            ),
            code="not-found",
        ) from None


def _folder(folders: list[Folder], given: str) -> Folder:
    """By id, or by path whatever its case."""
    wanted = given.strip("/").casefold()
    found = [one for one in folders if one.id == given] or [
        one for one in folders if "/".join(one.path).casefold() == wanted
    ]
    if found:
        return found[0]
    raise CommandError(
        Text(f"There is no folder {given}.", f"Es gibt keinen Ordner {given}."),
        Text(
            "List them: tenantkeep backup browse RESTORE_POINT",
            "Anzeigen: tenantkeep backup browse WIEDERHERSTELLUNGSPUNKT",
        ),
        code="not-found",
    )


def _phrase(word: str) -> str:
    """What the shell handed over as one argument with blanks is a phrase."""
    return f'"{word}"' if " " in word and '"' not in word else word
