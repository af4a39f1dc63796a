"""The command line: serve, seed, change, dump."""

import itertools
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from graph_simulator import directory, fault_rules
from graph_simulator.database import open_database
from graph_simulator.directory import UnknownNameError, create_tenant, find_tenant, find_user
from graph_simulator.permissions import CONSENTED, PROFILES
from graph_simulator.seed import change as changing
from graph_simulator.seed import contacts as seed_contacts
from graph_simulator.seed import directory as seed_directory
from graph_simulator.seed import dump as dumping
from graph_simulator.seed import ics, maildir, mbox, texts, vcf
from graph_simulator.seed.contacts import ContactGenerator
from graph_simulator.seed.directory import Invented
from graph_simulator.seed.event_generator import EventGenerator
from graph_simulator.seed.generator import EMPTY_FOLDER, MailGenerator
from graph_simulator.seed.load import Mailboxes, create_restore_target, limited, load, load_events, write_manifest
from graph_simulator.seed.mail import SeedMail, SourceInvalidError
from graph_simulator.web import app as web_app
from graph_simulator.web import server
from graph_simulator.web.limits import OutlookLimits

app = typer.Typer(no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
EXIT_USAGE = 2

StateOption = Annotated[Path, typer.Option(help="State folder; created if missing.")]
TenantOption = Annotated[str, typer.Option(help="Name of the tenant, such as contoso.")]
ManifestOption = Annotated[Path | None, typer.Option(help="Write one JSON line per message here.")]


@dataclass(frozen=True, slots=True)
class Source:
    """Mails to come, and the total of their messages or of their bytes, whichever is known beforehand."""

    mails: Iterable[SeedMail]
    messages: int | None = None
    bytes: int | None = None


@app.command()
def serve(
    *,
    state: StateOption,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8444,
    token_lifetime: Annotated[
        int, typer.Option(min=1, envvar="TENANTKEEP_SIMULATOR_TOKEN_LIFETIME", help="Seconds a token is valid.")
    ] = 3599,
    opaque_tokens: Annotated[bool, typer.Option(help="Issue access tokens that are no JWT.")] = False,
    mailbox_concurrency: Annotated[
        int, typer.Option(min=0, help="Requests of one app at a time in one mailbox, as Exchange allows; 0: any.")
    ] = 4,
    mailbox_requests: Annotated[
        int,
        typer.Option(
            min=0,
            envvar="TENANTKEEP_SIMULATOR_MAILBOX_REQUESTS",
            help="Requests of one app in one mailbox in 10 minutes, as Exchange allows; 0: any.",
        ),
    ] = 10_000,
    time_scale: Annotated[
        float, typer.Option(min=0.0001, envvar="TENANTKEEP_GRAPH_TIME_SCALE", help="Factor on the windows of limits.")
    ] = 1.0,
    faults_file: Annotated[Path | None, typer.Option(help="JSON list of faults to add at the start.")] = None,
    check_answers: Annotated[bool, typer.Option(help="Compare every answer with Graph's published types.")] = False,
) -> None:
    """Serve sign-in and Graph over TLS until SIGTERM."""
    with _usage_errors():
        simulator = web_app.build(
            state,
            token_lifetime=timedelta(seconds=token_lifetime),
            opaque_tokens=opaque_tokens,
            limits=OutlookLimits(mailbox_concurrency, mailbox_requests, time_scale=time_scale),
            check_answers=check_answers,
        )
        _add_faults(simulator.faults, json.loads(faults_file.read_text()) if faults_file else [])
        server.run(simulator, state, host, port)


@app.command()
def seed(
    *,
    state: StateOption,
    tenant: TenantOption,
    mbox_file: Annotated[Path | None, typer.Option("--mbox", help="An mboxrd file.", exists=True)] = None,
    maildir_path: Annotated[Path | None, typer.Option("--maildir", help="A Maildir++ folder.", exists=True)] = None,
    generate: Annotated[int | None, typer.Option(min=0, help="Invent this many mails.")] = None,
    mailboxes: Annotated[int, typer.Option(min=1, help="Mailboxes to spread invented mail over.")] = 4,
    contacts: Annotated[int, typer.Option(min=0, help="Invent this many contacts per seeded mailbox.")] = 0,
    people: Annotated[int, typer.Option(min=0, help="Invent a directory of so many users, of every sort.")] = 0,
    vcf_file: Annotated[Path | None, typer.Option("--vcf", help="A vCard file.", exists=True)] = None,
    events: Annotated[int, typer.Option("--calendars", min=0, help="Invent this many calendar events.")] = 0,
    ics_file: Annotated[Path | None, typer.Option("--ics", help="An iCalendar file.", exists=True)] = None,
    user: Annotated[str, typer.Option(help="Mailbox that receives --mbox, --maildir, --ics or --vcf.")] = "owner",
    random_seed: Annotated[int, typer.Option("--seed", help="Same seed, same mail.")] = 1,
    manifest: ManifestOption = None,
    apps: Annotated[Path | None, typer.Option(help="Write ids and secrets of the apps here (mode 0600).")] = None,
    every_app: Annotated[
        bool, typer.Option("--every-app", help="Consent to and write down the apps that no service uses yet as well.")
    ] = False,
    without_consent: Annotated[
        bool, typer.Option("--without-consent", help="A new tenant whose administrator has not been asked yet.")
    ] = False,
    max_messages: Annotated[int | None, typer.Option(help="Stop after this many messages.")] = None,
    max_bytes: Annotated[int | None, typer.Option(help="Stop before this many bytes.")] = None,
    unreadable: Annotated[int, typer.Option(min=0, help="Make this many messages impossible to read.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Create a tenant with its apps and put mail and contacts into it."""
    started = monotonic()
    with _usage_errors():
        if sum(source is not None for source in (mbox_file, maildir_path, vcf_file, generate)) != 1:
            raise SourceInvalidError("give exactly one of --mbox, --maildir, --vcf and --generate")
        connection = open_database(state)
        wanted = tuple(PROFILES) if every_app else CONSENTED
        created = create_tenant(connection, tenant, () if without_consent else wanted)
        boxes = Mailboxes(connection, created)
        if generate is not None:
            source = Source(_invented(boxes, generate, mailboxes, random_seed), messages=generate)
        else:
            source = _imported(mbox_file, maildir_path, user)
        names = [user] if generate is None else _mailbox_names(mailboxes)
        cards = _load_contacts(boxes, names, contacts, random_seed)
        cards += _load_cards(boxes, user, vcf_file)
        company = seed_directory.invent(connection, created, people, random_seed) if people else Invented(0, 0, 0)
        create_restore_target(boxes)
        with _open_manifest(manifest) as stream, _progress(source, quiet=as_json) as advance:
            loaded = load(boxes, limited(source.mails, max_messages, max_bytes), stream, advance)
        invented = EventGenerator(random_seed, created.domain, names).events(events)
        imported = ics.read(ics_file, user) if ics_file is not None else ()
        stored = load_events(boxes, itertools.chain(invented, imported))
        marked = [_mark_unreadable(boxes, names[0], number) for number in range(1, unreadable + 1)]
        if apps is not None:
            _write_private(apps, json.dumps(directory.credentials(connection, created, wanted), indent=2))
    summary: dict[str, object] = {
        "tenant": created.name,
        "tenant_id": created.id,
        "domain": created.domain,
        "messages": loaded.messages,
        "bytes": loaded.bytes,
        "contacts": cards,
        "directory": asdict(company),
        "events": stored,
        "mailboxes": _mailbox_counts(boxes),
        "unreadable": marked,
        "seconds": round(monotonic() - started, 2),
    }
    _print(summary, as_json=as_json)


@app.command()
def change(
    *,
    state: StateOption,
    tenant: TenantOption,
    random_seed: Annotated[int, typer.Option("--seed", help="Same seed, same changes.")],
    fraction: Annotated[float, typer.Option(min=0, max=1, help="Part of each mailbox to change.")] = 0.01,
    manifest: ManifestOption = None,
) -> None:
    """Change some mail, events and contacts as people do, and print what changed."""
    with _usage_errors():
        connection = open_database(state)
        found = find_tenant(connection, tenant)
        changes = changing.change(connection, found, seed=random_seed, fraction=fraction)
        with _open_manifest(manifest) as stream:
            if stream is not None:
                write_manifest(connection, found, stream)
    _print(changes.as_json(), as_json=True)


@app.command()
def dump(
    *,
    state: StateOption,
    tenant: TenantOption,
    user: Annotated[str, typer.Option(help="User principal name or id.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
) -> None:
    """Write a mailbox to files as it truly is."""
    with _usage_errors():
        connection = open_database(state)
        found = find_user(connection, find_tenant(connection, tenant).id, user)
        count = dumping.dump(connection, found, out)
    _print({"user": found["upn"], "messages": count, "out": str(out)}, as_json=True)


@contextmanager
def _usage_errors() -> Iterator[None]:
    try:
        yield
    except (SourceInvalidError, UnknownNameError, fault_rules.FaultInvalidError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(EXIT_USAGE) from error


def _add_faults(faults: fault_rules.FaultRules, specs: list[dict[str, Any]]) -> None:
    """Add what is not there yet: rules outlive the process, and a restart must not double them."""
    known = [{name: value for name, value in rule.spec.items() if name != "item"} for rule in faults.rules()]
    for spec in specs:
        if spec not in known:
            faults.add(spec)


def _mailbox_names(count: int) -> list[str]:
    people = len(texts.PEOPLE)
    return [texts.PEOPLE[n % people][1] + (f".{n // people + 1}" if n >= people else "") for n in range(count)]


def _invented(boxes: Mailboxes, count: int, mailboxes: int, random_seed: int) -> Iterable[SeedMail]:
    names = _mailbox_names(mailboxes)
    boxes.display_names.update({local: name for name, local in texts.PEOPLE})
    for name in names:
        boxes.folder(name, EMPTY_FOLDER)
    return MailGenerator(random_seed, boxes.tenant.domain, names).mails(count)


def _load_contacts(boxes: Mailboxes, mailboxes: list[str], count: int, random_seed: int) -> int:
    """Give each of the mailboxes an address book of its own."""
    for name in mailboxes if count else []:
        seed_contacts.create_folders(boxes, name)
    made = [
        seed_contacts.load(boxes, name, ContactGenerator(random_seed + number).contacts(count))
        for number, name in enumerate(mailboxes if count else [])
    ]
    return sum(made)


def _load_cards(boxes: Mailboxes, mailbox: str, path: Path | None) -> int:
    return 0 if path is None else seed_contacts.load(boxes, mailbox, vcf.read(path))


def _imported(mbox_file: Path | None, maildir_path: Path | None, user: str) -> Source:
    if mbox_file is not None:
        return Source(mbox.read(mbox_file, user), bytes=mbox_file.stat().st_size)
    if maildir_path is None:
        return Source([], messages=0)
    return Source(maildir.read(maildir_path, user), bytes=maildir.total_size(maildir_path))


def _mark_unreadable(boxes: Mailboxes, mailbox: str, number: int) -> dict[str, object]:
    spec: dict[str, Any] = {"kind": "unreadable-item", "user": boxes.upn(mailbox), "nth": number}
    pk = fault_rules.add_fault(boxes.connection, spec)
    row = boxes.connection.execute(
        "SELECT id, immutable_id, summary, sha256 FROM message"
        " WHERE 'message/' || pk = (SELECT json_extract(spec, '$.item') FROM fault WHERE pk = ?)",
        (pk,),
    ).fetchone()
    subject = json.loads(row["summary"])["subject"]
    return {
        "user": boxes.upn(mailbox),
        "id": row["id"],
        "immutable_id": row["immutable_id"],
        "subject": subject,
        "sha256": row["sha256"],
    }


def _mailbox_counts(boxes: Mailboxes) -> dict[str, int]:
    rows = boxes.connection.execute(
        "SELECT upn, count(message.pk) AS messages FROM user LEFT JOIN message ON user_pk = user.pk"
        " WHERE tenant_id = ? GROUP BY user.pk ORDER BY user.pk",
        (boxes.tenant.id,),
    )
    return {row["upn"]: row["messages"] for row in rows}


def _open_manifest(path: Path | None) -> Any:
    return nullcontext(None) if path is None else path.open("w", encoding="utf-8")


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text + "\n")


@contextmanager
def _progress(source: Source, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _size: None
        return
    amount = DownloadColumn() if source.messages is None else MofNCompleteColumn()
    columns = (TextColumn("seeding"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("seed", total=source.messages or source.bytes)
        yield lambda size: bar.advance(task, size if source.messages is None else 1)


def _print(summary: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(summary, ensure_ascii=False) + "\n")
        return
    for name, value in summary.items():
        sys.stdout.write(f"{name:<11} {json.dumps(value, ensure_ascii=False)}\n")
