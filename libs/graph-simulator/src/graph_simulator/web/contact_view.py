"""How a stored contact and its folder look as Graph JSON, and what a client may write into them.

https://learn.microsoft.com/graph/api/resources/contact
"""

import json
import sqlite3
from collections.abc import Iterable

from graph_simulator import contacts, published
from graph_simulator.fault_rules import FaultKind
from graph_simulator.identifiers import change_key
from graph_simulator.messages import normalized_property
from graph_simulator.web.call import Call, Json
from graph_simulator.web.problems import GraphProblem, bad_request
from graph_simulator.web.selection import parse_expand, parse_select, property_ids

_LISTS = ("businessPhones", "categories", "children", "emailAddresses", "homePhones", "imAddresses")
_ADDRESSES = ("businessAddress", "homeAddress", "otherAddress")
_NUMBERED = ("primaryEmailAddress", "secondaryEmailAddress", "tertiaryEmailAddress")
_READ_ONLY = frozenset({"id", "changeKey", "createdDateTime", "lastModifiedDateTime", "parentFolderId", *_NUMBERED})
_NAVIGATION = frozenset({"photo", "singleValueExtendedProperties", "multiValueExtendedProperties"})
PROPERTIES = frozenset(published.properties("contact")) - _NAVIGATION
WRITABLE = PROPERTIES - _READ_ONLY
FOLDER_PROPERTIES = frozenset({"id", "displayName", "parentFolderId"})


def written(body: Json) -> Json:
    """Return the properties a client writes, checked against the published types; what is read-only is ignored."""
    sent = {name: value for name, value in body.items() if "@" not in name and name not in _NAVIGATION}
    for name, value in sent.items():
        if name not in PROPERTIES:
            text = f"The property '{name}' does not exist on type 'microsoft.graph.contact'."
            raise bad_request(text, "RequestBodyRead")
        if wrong := next(published.problems(value, published.properties("contact")[name], name), None):
            raise bad_request(f"Cannot convert the value: {wrong}.", "RequestBodyRead")
    return {name: value for name, value in sent.items() if name in WRITABLE}


def selected(call: Call) -> frozenset[str] | None:
    return parse_select(call.options.get("select"), PROPERTIES, "microsoft.graph.contact")


def listed(call: Call, row: sqlite3.Row) -> Json:
    """Return one contact of a list or delta page; one that cannot be listed costs the page a 500 that names no item."""
    if call.faults.take(FaultKind.UNLISTABLE_ITEM, "GET", "", item=f"contact/{row['pk']}") is not None:
        raise GraphProblem(500, "InternalServerError", "An internal server error occurred.")
    return render(call, row)


def refuse_unreadable(call: Call, row: sqlite3.Row) -> None:
    kinds = (FaultKind.UNREADABLE_ITEM, FaultKind.UNLISTABLE_ITEM)
    rules = (call.faults.take(kind, "GET", "", item=f"contact/{row['pk']}") for kind in kinds)
    if (rule := next(filter(None, rules), None)) is not None:
        raise GraphProblem(500, str(rule.spec.get("code", "ErrorCorruptData")), "The item cannot be read.")


def render(call: Call, row: sqlite3.Row) -> Json:
    """Return one contact with the wanted properties; id and etag are always there."""
    select, key = selected(call), change_key(row["seq"])
    view: Json = {"@odata.etag": f'W/"{key}"', "id": row["immutable_id" if call.immutable else "id"]}
    everything = _properties(call, row, key, select)
    view |= {name: value for name, value in everything.items() if select is None or name in select}
    expanded = parse_expand(call.options.get("expand"))
    if "singleValueExtendedProperties" in expanded:
        wanted = property_ids(expanded["singleValueExtendedProperties"])
        if found := _extended(call.connection, row, wanted):
            view["singleValueExtendedProperties"] = found
    return view


def render_folder(call: Call, row: sqlite3.Row) -> Json:
    parent = None if row["parent_pk"] is None else contacts.folder_by_pk(call.connection, row["parent_pk"])["id"]
    view: Json = {"id": row["id"], "displayName": row["name"], "parentFolderId": parent or call.mailbox_root()}
    select = parse_select(call.options.get("select"), FOLDER_PROPERTIES, "microsoft.graph.contactFolder")
    return {name: value for name, value in view.items() if select is None or name in select | {"id"}}


def _properties(call: Call, row: sqlite3.Row, key: str, select: Iterable[str] | None) -> Json:
    stored = json.loads(row["properties"])
    view: Json = {
        "createdDateTime": row["created"],
        "lastModifiedDateTime": row["modified"],
        "changeKey": key,
        "parentFolderId": contacts.folder_by_pk(call.connection, row["folder_pk"])["id"],
    }
    for name in sorted(WRITABLE):
        empty: object = [] if name in _LISTS else {} if name in _ADDRESSES else None
        view[name] = stored.get(name) or empty
    if select is not None:
        addresses = [*stored.get("emailAddresses", []), None, None, None]
        view |= dict(zip(_NUMBERED, addresses, strict=False))
    return view


def _extended(connection: sqlite3.Connection, row: sqlite3.Row, wanted: list[str]) -> list[Json]:
    rows = connection.execute("SELECT match, value FROM contact_property WHERE contact_pk = ?", (row["pk"],))
    values = {found["match"]: found["value"] for found in rows}
    matches = {property_id: normalized_property(property_id) for property_id in wanted}
    return [{"id": name, "value": values[match]} for name, match in matches.items() if match in values]
