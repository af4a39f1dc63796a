"""Let people work in their mailboxes: new mail, deletions, state changes, moves; deterministic from a seed."""

import json
import random
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from graph_simulator import folders, messages
from graph_simulator.directory import Tenant
from graph_simulator.folders import DELETIONS
from graph_simulator.seed import texts
from graph_simulator.seed.change_contacts import change_contacts
from graph_simulator.seed.change_events import change_events
from graph_simulator.seed.generator import NEWEST, MailGenerator
from graph_simulator.seed.load import Mailboxes, batched

KINDS = ("created", "deleted", "updated", "moved")
SHARES = (40, 20, 20, 20)


@dataclass(slots=True)
class Changes:
    """How many changes of each kind were made, in all and per user principal name."""

    total: Counter[str] = field(default_factory=Counter)
    users: dict[str, Counter[str]] = field(default_factory=dict)
    bytes_created: int = 0
    events: Counter[str] = field(default_factory=Counter)
    contacts: Counter[str] = field(default_factory=Counter)

    def note(self, upn: str, kind: str) -> None:
        self.total[kind] += 1
        self.users.setdefault(upn, Counter())[kind] += 1

    def as_json(self) -> dict[str, object]:
        totals: dict[str, object] = {kind: self.total[kind] for kind in KINDS}
        return totals | {
            "bytes_created": self.bytes_created,
            "events": dict(sorted(self.events.items())),
            "contacts": dict(sorted(self.contacts.items())),
            "users": {upn: {kind: counts[kind] for kind in KINDS} for upn, counts in sorted(self.users.items())},
        }


def change(connection: sqlite3.Connection, tenant: Tenant, *, seed: int, fraction: float) -> Changes:
    """Change about this fraction of each mailbox's messages, at least one of each kind; each message at most once."""
    rng = random.Random(seed)  # noqa: S311 - reproducible on purpose
    changes = Changes()
    mailboxes = Mailboxes(connection, tenant)
    rows = connection.execute("SELECT pk, upn FROM user WHERE tenant_id = ? ORDER BY pk", (tenant.id,)).fetchall()
    for user in rows:
        seeded = _seeded_messages(connection, user["pk"])
        if not seeded:
            continue
        generator = MailGenerator(rng.getrandbits(32), tenant.domain, [user["upn"].split("@")[0]])
        with batched(connection) as wrote:
            for kind, row in _plan(rng, seeded, fraction):
                if kind == "created":
                    changes.bytes_created += _create(mailboxes, generator, changes.total[kind])
                else:
                    CHANGE[kind](connection, row, rng)
                changes.note(user["upn"], kind)
                wrote(row["size"])
    for user in rows:
        changes.events.update(change_events(connection, tenant, user, rng, fraction))
    for user in rows:
        changes.contacts.update(change_contacts(connection, user, rng, fraction))
    return changes


def _seeded_messages(connection: sqlite3.Connection, user_pk: int) -> list[sqlite3.Row]:
    return connection.execute(
        "SELECT message.* FROM message JOIN folder ON folder.pk = folder_pk WHERE message.user_pk = ?"
        " AND sha256 IS NOT NULL AND coalesce(well_known, '') <> ? ORDER BY message.pk",
        (user_pk, DELETIONS),
    ).fetchall()


def _plan(rng: random.Random, rows: list[sqlite3.Row], fraction: float) -> list[tuple[str, sqlite3.Row]]:
    wanted = max(len(KINDS), round(len(rows) * fraction))
    kinds = [*KINDS, *rng.choices(KINDS, SHARES, k=wanted - len(KINDS))]
    return list(zip(kinds, rng.sample(rows, min(len(rows), wanted)), strict=False))


def _create(mailboxes: Mailboxes, generator: MailGenerator, number: int) -> int:
    mail = generator.mail(generator.mailboxes[0], ("inbox",), NEWEST + timedelta(days=1, minutes=number))
    mailboxes.store(mail)
    return len(mail.raw)


def _delete(connection: sqlite3.Connection, row: sqlite3.Row, _rng: random.Random) -> None:
    messages.delete(connection, row)


def _update(connection: sqlite3.Connection, row: sqlite3.Row, rng: random.Random) -> None:
    category = rng.choice(texts.CATEGORIES)
    before = json.loads(row["summary"])["categories"]
    categories = [name for name in before if name != category] if category in before else [*before, category]
    messages.update(connection, row, {"categories": categories}, is_read=not row["is_read"])


def _move(connection: sqlite3.Connection, row: sqlite3.Row, rng: random.Random) -> None:
    root = folders.find_folder(connection, row["user_pk"], folders.ROOT)["pk"]
    others = [folder["pk"] for folder in folders.children(connection, root) if folder["pk"] != row["folder_pk"]]
    messages.move(connection, row, rng.choice(others))


CHANGE = {"deleted": _delete, "updated": _update, "moved": _move}
