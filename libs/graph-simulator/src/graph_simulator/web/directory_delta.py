"""Change tracking in the directory's dialect: users, groups with their members, organisational contacts.

$select fixes what is tracked: a change of anything else gives no entry. A deleted object is `changed` while it can be
restored, and `deleted` afterwards. Tokens live for seven days. The page size is the server's.
https://learn.microsoft.com/graph/delta-query-overview · https://learn.microsoft.com/graph/api/user-delta
"""

import json
import re
import sqlite3
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from starlette.responses import Response

from graph_simulator import directory_objects
from graph_simulator.database import last_seq
from graph_simulator.directory_objects import CREATED, MEMBER_ADDED, MEMBER_REMOVED, Kind, State
from graph_simulator.fault_rules import FaultKind
from graph_simulator.times import now
from graph_simulator.web import sealing
from graph_simulator.web.call import Call, Json
from graph_simulator.web.delta_faults import Links, disturbed, page_size
from graph_simulator.web.directory_view import DEFAULTS, render, selected
from graph_simulator.web.problems import GraphProblem, bad_request, json_response

PAGE = 100
TOKEN_LIFE = timedelta(days=7)
LATEST = "latest"
_MOST_IDS = 50
_ID = re.compile(r"\s*id\s+eq\s+'([^']+)'\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a reader stands; `since` is where the round before ended, 0 in an initial round. `issued` in seconds."""

    kind: str
    after: int
    since: int
    select: str
    ids: list[str]
    issued: float
    turn: int = 0
    """Makes another link to the same place."""


async def user_delta(call: Call) -> Response:
    return _answer(call, Kind.USER)


async def group_delta(call: Call) -> Response:
    return _answer(call, Kind.GROUP)


async def org_contact_delta(call: Call) -> Response:
    return _answer(call, Kind.ORG_CONTACT)


def _answer(call: Call, kind: Kind) -> Response:
    position = _position(call, kind)
    call.options["select"] = position.select
    select = selected(call, kind)
    size = page_size(call, PAGE)
    horizon = last_seq(call.connection)
    rows = directory_objects.changed_since(call.connection, call.caller.tenant_id, kind, position.after, size)
    if call.options.get("deltatoken") == LATEST:
        rows = []
    chosen = [row for row in rows if not position.ids or row["id"] in position.ids]
    entries = [entry for row in chosen if (entry := _entry(call, kind, row, position, select)) is not None]
    content: Json = {"@odata.context": f"{call.graph_url}/$metadata#{kind}s", "value": entries}
    if kind is Kind.ORG_CONTACT:
        content["@odata.context"] = f"{call.graph_url}/$metadata#contacts"
    if len(rows) == size:
        following = replace(position, after=rows[-1]["seq"])
        content["@odata.nextLink"] = call.next_link(skiptoken=_sealed(call, following))
    else:
        finished = replace(position, after=horizon, since=horizon, issued=now().timestamp(), turn=0)
        content["@odata.deltaLink"] = call.next_link(deltatoken=_sealed(call, finished))
    again = replace(position, turn=position.turn + 1)
    links = Links(str(call.request.url), lambda: call.next_link(skiptoken=_sealed(call, again)))
    return json_response(disturbed(call, content, entries, links))


def _entry(call: Call, kind: Kind, row: sqlite3.Row, position: Position, select: frozenset[str] | None) -> Json | None:
    changes = directory_objects.changes_of(call.connection, row["id"], position.since)
    if row["state"] != State.LIVE:
        reason = "changed" if row["state"] == State.DELETED else "deleted"
        # What came and went between two rounds is only told as gone; an initial round names what can be restored.
        known = position.since > 0 or row["state"] == State.DELETED
        return {"id": row["id"], "@removed": {"reason": reason}} if known else None
    names = DEFAULTS[kind] if select is None else select | {"id"}
    fresh = position.since == 0 or CREATED in changes or f"@{State.LIVE}" in changes
    with_members = kind is Kind.GROUP and (select is None or "members" in select)
    members = _members(call, row["id"], changes, everything=fresh) if with_members else []
    tracked = names & set(changes)
    if not fresh and not tracked and not members:
        return None
    minimal = call.preferences.get("return") == "minimal" and not fresh
    view = render(kind, json.loads(row["profile"]), frozenset(tracked | {"id"} if minimal else names - {"members"}))
    # What never had a value is left out; what has lost it is null.
    view = {name: value for name, value in view.items() if value not in (None, []) or name in tracked}
    return view | ({"members@delta": members} if members else {})


def _members(call: Call, group_id: str, changes: list[str], *, everything: bool) -> list[Json]:
    if everything:
        rows = directory_objects.members(call.connection, group_id)
        return [{"@odata.type": f"#microsoft.graph.{kind}", "id": row["id"]} for kind, row in rows]
    told = [change for change in changes if change.startswith((MEMBER_ADDED, MEMBER_REMOVED))]
    last = {change[len(MEMBER_ADDED) :]: change for change in told}
    return [
        {"@odata.type": f"#microsoft.graph.{_kind_of(call, member)}", "id": member}
        | ({"@removed": {"reason": "deleted"}} if change.startswith(MEMBER_REMOVED) else {})
        for member, change in last.items()
    ]


def _kind_of(call: Call, member: str) -> str:
    row = call.connection.execute("SELECT kind FROM directory_object WHERE id = ?", (member,)).fetchone()
    return Kind.USER if row is None else str(row["kind"])


def _position(call: Call, kind: Kind) -> Position:
    token = call.options.get("deltatoken") or call.options.get("skiptoken")
    if "top" in call.options:
        raise bad_request("'$top' is not supported by this delta query.", "Request_UnsupportedQuery")
    if not token or token == LATEST:
        start = last_seq(call.connection) if token == LATEST else 0
        return Position(kind, start, start, call.options.get("select", ""), _ids(call), now().timestamp())
    if call.faults.take(FaultKind.GONE_DELTA, call.request.method, call.request.url.path) is not None:
        raise _expired(call)
    try:
        position = Position(**sealing.unseal(call.connection, token))
    except (sealing.SealBrokenError, TypeError) as error:
        raise bad_request("Badly formed token.", "Request_BadRequest") from error
    if position.kind != kind:
        raise bad_request("Badly formed token.", "Request_BadRequest")
    if now().timestamp() - position.issued > TOKEN_LIFE.total_seconds():
        raise _expired(call)
    return position


def _ids(call: Call) -> list[str]:
    """Return the ids that `$filter=id eq '…' or id eq '…'` names: the only filter there is."""
    text = call.options.get("filter", "")
    matches = [_ID.fullmatch(piece) for piece in re.split(r"\bor\b", text)] if text else []
    ids = [match[1] for match in matches if match is not None]
    if len(ids) != len(matches) or len(ids) > _MOST_IDS:
        raise bad_request("Unsupported or invalid query filter clause specified.", "Request_UnsupportedQuery")
    return ids


def _expired(call: Call) -> GraphProblem:
    text = "The delta token is expired or no longer valid; begin again."
    location = f"{call.base_url}{call.request.url.path}?$deltatoken="
    return GraphProblem(410, "syncStateNotFound", text, {"Location": location})


def _sealed(call: Call, position: Position) -> str:
    return sealing.seal(call.connection, asdict(position))
