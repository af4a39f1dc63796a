"""What the control API knows of calendars: letters that went out, and what people do in Outlook that Graph cannot."""

import sqlite3
from typing import Any

from graph_simulator import calendars, directory, events
from graph_simulator.directory import UnknownNameError
from graph_simulator.occurrences import find_event


def invitations(connection: sqlite3.Connection, tenant_id: str) -> list[dict[str, object]]:
    """Return every invitation, update and cancellation that went to an attendee, oldest first."""
    rows = connection.execute(
        "SELECT upn AS organizer, event_id, kind, recipient FROM invitation JOIN user ON user.pk = user_pk"
        " WHERE tenant_id = ? ORDER BY invitation.pk",
        (tenant_id,),
    )
    return [dict(row) for row in rows]


def move_event(connection: sqlite3.Connection, tenant_id: str, body: dict[str, Any]) -> dict[str, object]:
    """Move `event` of `user` to `calendar` (ids): Graph has no call for it. Raises UnknownNameError."""
    user = directory.find_user(connection, tenant_id, str(body.get("user")))
    try:
        event = find_event(connection, user["pk"], str(body.get("event")))
        calendar = calendars.find_calendar(connection, user["pk"], str(body.get("calendar")))
    except LookupError as error:
        raise UnknownNameError(str(error)) from error
    events.move(connection, event, calendar["pk"])
    return {"immutable_id": event.immutable_id}
