"""Write a mailbox to files as it truly is, for comparisons that must not go through Graph."""

import hashlib
import json
import sqlite3
from pathlib import Path

from graph_simulator import folders, messages, mime_writer
from graph_simulator.folders import DELETIONS


def dump(connection: sqlite3.Connection, user: sqlite3.Row, out: Path) -> int:
    """Write `messages.jsonl` and one `mime/NNNNNN.eml` per message; return the number of messages.

    MIME of JSON-made messages is what `$value` generates for them.
    """
    (out / "mime").mkdir(parents=True, exist_ok=True)
    rows = connection.execute(
        "SELECT message.* FROM message JOIN folder ON folder.pk = folder_pk WHERE message.user_pk = ?"
        " AND coalesce(well_known, '') <> ? ORDER BY message.pk",
        (user["pk"], DELETIONS),
    ).fetchall()
    with (out / "messages.jsonl").open("w", encoding="utf-8") as index:
        for number, row in enumerate(rows, start=1):
            stored = messages.mime_of(connection, row["pk"])
            raw = mime_writer.generate(connection, row) if stored is None else stored
            file = out / "mime" / f"{number:06d}.eml"
            file.write_bytes(raw)
            line = {
                "user": user["upn"],
                "file": str(file.relative_to(out)),
                "id": row["id"],
                "immutable_id": row["immutable_id"],
                "folder_path": folders.folder_path(connection, row["folder_pk"]),
                "sha256": hashlib.sha256(raw).hexdigest(),
                "stored_mime": stored is not None,
                "size": len(raw),
                "received": row["received"],
                "sent": row["sent"],
                "is_read": bool(row["is_read"]),
                "is_draft": bool(row["is_draft"]),
                "internet_message_id": row["internet_id"],
                **json.loads(row["summary"]),
            }
            index.write(json.dumps(line, ensure_ascii=False) + "\n")
    return len(rows)
