"""Let people work in their address books; deterministic from a seed."""

import random
import sqlite3

from graph_simulator import contacts
from graph_simulator.database import transaction
from graph_simulator.seed.contacts import ContactGenerator

KINDS = ("created", "deleted", "updated", "moved")
SHARES = (30, 15, 40, 15)


def change_contacts(
    connection: sqlite3.Connection, user: sqlite3.Row, rng: random.Random, fraction: float
) -> list[str]:
    """Change about this fraction of a mailbox's contacts, at least one of each kind; return what was done, by kind."""
    rows = connection.execute("SELECT * FROM contact WHERE user_pk = ? ORDER BY pk", (user["pk"],)).fetchall()
    if not rows:
        return []
    folders = connection.execute(
        "SELECT pk FROM contact_folder WHERE user_pk = ? ORDER BY pk", (user["pk"],)
    ).fetchall()
    wanted = max(len(KINDS), round(len(rows) * fraction))
    kinds = [*KINDS, *rng.choices(KINDS, SHARES, k=wanted - len(KINDS))]
    generator = ContactGenerator(rng.getrandbits(32))
    done: list[str] = []
    with transaction(connection):
        for number, (kind, row) in enumerate(zip(kinds, rng.sample(rows, min(len(rows), wanted)), strict=False)):
            others = [folder["pk"] for folder in folders if folder["pk"] != row["folder_pk"]]
            if kind == "created":
                properties = contacts.with_names(generator.contact(number, ()).properties)
                contacts.insert(connection, user["pk"], row["folder_pk"], properties, {})
            elif kind == "deleted":
                contacts.delete(connection, row)
            elif kind == "moved" and others:
                contacts.move(connection, row, rng.choice(others))
            else:
                contacts.update(connection, row, {"personalNotes": f"besprochen, {number}"}, {})
            done.append(kind if kind != "moved" or others else "updated")
    return done
