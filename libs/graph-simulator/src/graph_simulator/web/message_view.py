"""How a stored message looks as Graph JSON.

https://learn.microsoft.com/graph/api/resources/message
"""

import json
import sqlite3

from graph_simulator import messages, mime_properties
from graph_simulator.fault_rules import FaultKind
from graph_simulator.identifiers import change_key
from graph_simulator.web.call import Call, Json
from graph_simulator.web.mail_attachments import attachment_list
from graph_simulator.web.problems import GraphProblem
from graph_simulator.web.selection import nested_select, parse_expand, parse_select, property_ids

STORED = [
    "subject",
    "bodyPreview",
    "importance",
    "hasAttachments",
    "conversationId",
    "isReadReceiptRequested",
    "isDeliveryReceiptRequested",
    "from",
    "sender",
    "toRecipients",
    "ccRecipients",
    "bccRecipients",
    "replyTo",
    "categories",
    "flag",
    "inferenceClassification",
]
COLUMNS = {
    "createdDateTime": "created",
    "lastModifiedDateTime": "modified",
    "receivedDateTime": "received",
    "sentDateTime": "sent",
    "internetMessageId": "internet_id",
}
ON_REQUEST = {"internetMessageHeaders", "uniqueBody", "conversationIndex"}
PROPERTIES = frozenset(
    {"id", "changeKey", "parentFolderId", "isRead", "isDraft", "webLink", "body", *STORED, *COLUMNS, *ON_REQUEST}
)
# MAPI message flags: https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcmsg
FLAG_READ, FLAG_UNMODIFIED, FLAG_UNSENT, FLAG_ATTACHMENTS = 0x1, 0x2, 0x8, 0x10
MESSAGE_FLAGS, SENT_TIME, RECEIVED_TIME = "integer 0xe07", "systemtime 0x39", "systemtime 0xe06"


def selected(call: Call) -> frozenset[str] | None:
    return parse_select(call.options.get("select"), PROPERTIES, "microsoft.graph.message")


def render(call: Call, row: sqlite3.Row, select: frozenset[str] | None, expand: dict[str, str]) -> Json:
    """Return one message with the wanted properties; id and etag are always there."""
    key = change_key(row["key_seq"] or row["seq"])
    view: Json = {"@odata.etag": f'W/"{key}"', "id": row["immutable_id" if call.immutable else "id"]}
    everything = _properties(call, row, key, select)
    view |= {name: value for name, value in everything.items() if select is None or name in select}
    if "attachments" in expand:
        view["attachments"] = attachment_list(call, row, nested_select(expand["attachments"]))
    if "singleValueExtendedProperties" in expand:
        wanted = property_ids(expand["singleValueExtendedProperties"])
        if found := extended_properties(call.connection, row, wanted):
            view["singleValueExtendedProperties"] = found
    return view


def render_page(call: Call, rows: list[sqlite3.Row]) -> list[Json]:
    select, expand = selected(call), parse_expand(call.options.get("expand"))
    return [listed(call, row, select, expand) for row in rows]


def listed(call: Call, row: sqlite3.Row, select: frozenset[str] | None, expand: dict[str, str]) -> Json:
    """Return one message of a list; one that Exchange cannot list costs the whole page a 500, which names no item.

    Reported in microsoftgraph/microsoft-graph-docs#2913.
    """
    if call.faults.take(FaultKind.UNLISTABLE_ITEM, "GET", "", item=f"message/{row['pk']}") is not None:
        raise GraphProblem(500, "InternalServerError", "An internal server error occurred.")
    return render(call, row, select, expand)


def read_state(call: Call, row: sqlite3.Row) -> Json:
    """All that a delta tells of a message whose read state alone has changed since, whatever was selected.

    Reported in microsoftgraph/microsoft-graph-docs#7776.
    """
    wanted = frozenset({"isRead", "parentFolderId"})
    return {"@odata.type": "#microsoft.graph.message"} | render(call, row, wanted, {})


def extended_properties(connection: sqlite3.Connection, row: sqlite3.Row, wanted: list[str]) -> list[Json]:
    """Return those of the wanted MAPI properties that the message has."""
    stored = {
        found["match"]: found["value"]
        for found in connection.execute("SELECT match, value FROM extended_property WHERE message_pk = ?", (row["pk"],))
    }
    values = stored | _computed(row)
    matches = {property_id: messages.normalized_property(property_id) for property_id in wanted}
    return [{"id": name, "value": values[match]} for name, match in matches.items() if match in values]


def _computed(row: sqlite3.Row) -> dict[str, str]:
    flags = FLAG_READ if row["is_read"] else 0
    flags |= FLAG_UNSENT if row["is_draft"] else FLAG_UNMODIFIED
    flags |= FLAG_ATTACHMENTS if json.loads(row["summary"])["hasAttachments"] else 0
    return {MESSAGE_FLAGS: str(flags), SENT_TIME: row["sent"], RECEIVED_TIME: row["received"]}


def _properties(call: Call, row: sqlite3.Row, key: str, select: frozenset[str] | None) -> Json:
    view: Json = {name: row[column] for name, column in COLUMNS.items()}
    view["changeKey"] = key
    view |= json.loads(row["summary"])
    view["isRead"] = bool(row["is_read"])
    view["isDraft"] = bool(row["is_draft"])
    if select is None or "parentFolderId" in select:
        view["parentFolderId"] = folder_id(call.connection, row["folder_pk"])
    if select is None or "webLink" in select:
        view["webLink"] = f"https://outlook.office365.com/owa/?ItemID={row['id']}&exvsurl=1&viewmodel=ReadMessageItem"
    if select is None or select & {"body", "uniqueBody"}:
        view["body"] = view["uniqueBody"] = _body(call, row)
        if select is None:
            del view["uniqueBody"]
    if select is not None and "internetMessageHeaders" in select:
        mime = messages.mime_of(call.connection, row["pk"])
        view["internetMessageHeaders"] = mime_properties.internet_headers(mime) if mime is not None else []
    return view


def folder_id(connection: sqlite3.Connection, pk: int) -> str:
    value: str = connection.execute("SELECT id FROM folder WHERE pk = ?", (pk,)).fetchone()["id"]
    return value


def _body(call: Call, row: sqlite3.Row) -> Json:
    body = messages.body_of(call.connection, row["pk"])
    if call.preferences.get("outlook.body-content-type") == "text" and body["contentType"] == "html":
        return {"contentType": "text", "content": mime_properties.plain_text(str(body["content"]))}
    return body
