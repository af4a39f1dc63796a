"""Change tracking in the Outlook dialect, for the items of a folder and for the folders of a mailbox.

A round lists everything that changed after a number, oldest change first, and ends with a deltaLink that carries
the number reached. What changes again during the round moves to its end, hence may appear twice: last one wins.
https://learn.microsoft.com/graph/delta-query-messages
"""

import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from starlette.responses import Response

from graph_simulator.database import last_seq
from graph_simulator.fault_rules import FaultKind
from graph_simulator.web import sealing
from graph_simulator.web.call import Call, Json
from graph_simulator.web.delta_faults import Links, disturbed, page_size
from graph_simulator.web.message_view import listed, read_state, selected
from graph_simulator.web.problems import GraphProblem, bad_request, json_response
from graph_simulator.web.selection import parse_expand

DEFAULT_PAGE = 10
LARGEST_PAGE = 1000
_BAKED = ("select", "filter", "changetype", "expand", "orderby", "startdatetime", "enddatetime")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a reader stands.

    `after` is the last change seen, `since` where the previous round ended (0 in an initial round), `started` the
    newest change when this round began.
    """

    scope: str
    after: int
    since: int
    started: int
    options: dict[str, str]
    turn: int = 0
    """Makes another link to the same place."""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the feed: a live row, or the tombstone of what left the scope."""

    seq: int
    row: sqlite3.Row
    removed: bool


def answer(
    call: Call,
    scope: str,
    live: Callable[[int, int], list[sqlite3.Row]],
    view: Callable[[sqlite3.Row], Json],
    type_name: str,
    *,
    brief: Callable[[sqlite3.Row, int], Json | None] = lambda _row, _since: None,
) -> Response:
    """Answer one page of a type's feed. `live(after, limit)` reads rows by change number, `view` renders one of them.

    `brief(row, since)` renders one of which only a part has changed since the round before, or answers None.
    Rows have `seq`; tombstones of the scope are read here.
    """
    return answer_many(call, scope, live, lambda row, since: [brief(row, since) or view(row)], type_name)


def answer_many(
    call: Call,
    scope: str,
    live: Callable[[int, int], list[sqlite3.Row]],
    view: Callable[[sqlite3.Row, int], list[Json]],
    type_name: str,
) -> Response:
    """Answer one page as `answer` does, with any number of entries per row.

    `view(row, since)` is told where the round before ended, 0 if there was none.
    """
    position = _position(call, scope)

    call.options.update(position.options)
    size = page_size(call, _page_size(call))
    horizon = last_seq(call.connection)
    changes = _changes(call, position, live, size)
    entries = [entry for change in changes for entry in _entries(call, change, view, position.since)]
    content: Json = {
        "@odata.context": f"{call.graph_url}/$metadata#Collection({type_name})",
        "value": entries,
    }
    # As Exchange does, an initial round ends with a page of its own that is empty but for the deltaLink.
    if len(changes) == size or (changes and position.since == 0):
        following = replace(position, after=changes[-1].seq)
        content["@odata.nextLink"] = call.next_link(skiptoken=_seal(call, following))
    else:
        reached = max(horizon, position.after)
        finished = Position(scope, reached, reached, reached, position.options)
        content["@odata.deltaLink"] = call.next_link(deltatoken=_seal(call, finished))
    again = replace(position, turn=position.turn + 1)
    links = Links(str(call.request.url), lambda: call.next_link(skiptoken=_seal(call, again)))
    return json_response(disturbed(call, content, entries, links))


async def message_delta(call: Call) -> Response:
    """GET /users/{user}/mailFolders/{folder}/messages/delta.

    `$expand=attachments` delivers them whole, whatever is selected of them (microsoft-graph-docs-contrib#8431).
    """
    folder = call.folder(call.user()["pk"])

    def live(after: int, limit: int) -> list[sqlite3.Row]:
        return call.connection.execute(
            "SELECT * FROM message WHERE folder_pk = ? AND seq > ? ORDER BY seq LIMIT ?",
            (folder["pk"], after, limit),
        ).fetchall()

    def brief(row: sqlite3.Row, since: int) -> Json | None:
        return read_state(call, row) if row["key_seq"] is not None and row["key_seq"] <= since else None

    return answer(
        call,
        f"m{folder['pk']}",
        live,
        lambda row: listed(call, row, selected(call), dict.fromkeys(parse_expand(call.options.get("expand")), "")),
        "message",
        brief=brief,
    )


def _changes(call: Call, position: Position, live: Callable[[int, int], list[sqlite3.Row]], size: int) -> list[Change]:
    changes = [Change(row["seq"], row, removed=False) for row in live(position.after, size)]
    # An initial round has nothing to take back, except what vanished after it had begun.
    gone = call.connection.execute(
        "SELECT * FROM tombstone WHERE scope = ? AND seq > ? ORDER BY seq LIMIT ?",
        (position.scope, max(position.after, position.started), size),
    )
    changes += [Change(row["seq"], row, removed=True) for row in gone]
    return sorted(changes, key=lambda change: change.seq)[:size]


def _entries(call: Call, change: Change, view: Callable[[sqlite3.Row, int], list[Json]], since: int) -> list[Json]:
    wanted = call.options.get("changetype", "")
    if change.removed:
        item_id = change.row["immutable_id" if call.immutable else "id"]
        skip = wanted not in ("", "deleted")
        return [] if skip else [{"id": item_id, "@removed": {"reason": "deleted"}}]
    return [] if wanted == "deleted" else view(change.row, since)


def _position(call: Call, scope: str) -> Position:
    token = call.options.get("deltatoken") or call.options.get("skiptoken")
    if token is None:
        options = {name: call.options[name] for name in _BAKED if name in call.options}
        return Position(scope, 0, 0, last_seq(call.connection), options)
    rule = call.faults.take(FaultKind.GONE_DELTA, call.request.method, call.request.url.path)
    if rule is not None:
        text = "The sync state generation is not found; generation=605;[highest=841]"
        raise GraphProblem(410, "SyncStateNotFound", text)
    position = _unseal(call, token)
    if position.scope != scope:
        raise _invalid_token()
    return position


def _page_size(call: Call) -> int:
    wanted = call.preferences.get("odata.maxpagesize", str(DEFAULT_PAGE))
    if not wanted.isdecimal() or int(wanted) < 1:
        raise bad_request(f"Invalid odata.maxpagesize '{wanted}'.")
    return min(int(wanted), LARGEST_PAGE)


def _seal(call: Call, position: Position) -> str:
    return sealing.seal(call.connection, asdict(position))


def _unseal(call: Call, token: str) -> Position:
    try:
        return Position(**sealing.unseal(call.connection, token))
    except (sealing.SealBrokenError, TypeError) as error:
        raise _invalid_token() from error


def _invalid_token() -> GraphProblem:
    return GraphProblem(400, "SyncStateInvalid", "The sync state is invalid or belongs to another collection.")
