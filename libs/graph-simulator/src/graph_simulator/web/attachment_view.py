"""How an attachment looks in Graph's answers, whatever it hangs on.

https://learn.microsoft.com/graph/api/resources/attachment · https://learn.microsoft.com/graph/api/attachment-get
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from graph_simulator.attachments import Attachment, AttachmentKind
from graph_simulator.identifiers import attachment_id
from graph_simulator.mime_writer import nested_mime
from graph_simulator.web.call import Call, Json
from graph_simulator.web.problems import GraphProblem, json_response
from graph_simulator.web.selection import parse_expand, parse_select

_OF_FILES = "microsoft.graph.fileAttachment/"
# Of the type that all kinds have in common; a list takes those of one kind only with its name before them
# (microsoft-graph-explorer-v4#3916).
_PROPERTIES = frozenset(
    ["id", "lastModifiedDateTime", "name", "contentType", "size", "isInline"]
    + [f"{_OF_FILES}{name}" for name in ("contentId", "contentLocation", "contentBytes")]
)
_ITEM_EXPANSIONS = {"microsoft.graph.itemattachment/item", "item"}


@dataclass(frozen=True, slots=True)
class Owner:
    """The item that has the attachment: its id in the format asked for, and when it changed last."""

    id: str
    modified: str


def selected(entries: list[Json], select: str | None) -> list[Json]:
    """Return of each entry of a list what `select` names."""
    wanted = parse_select(select, _PROPERTIES, "microsoft.graph.attachment")
    if wanted is None:
        return entries
    names = {"id", *(name.removeprefix(_OF_FILES) for name in wanted)}
    return [{name: value for name, value in entry.items() if "@" in name or name in names} for entry in entries]


def list_response(call: Call, entries: Sequence[Json]) -> Response:
    """Answer with the whole list: Exchange does not page it."""
    entries = selected(list(entries), call.options.get("select"))
    return json_response({"@odata.context": f"{call.graph_url}/$metadata#attachments", "value": entries})


def response(call: Call, owner: Owner, attachment: Attachment) -> Response:
    with_item = any(name.lower() in _ITEM_EXPANSIONS for name in parse_expand(call.options.get("expand")))
    context = {"@odata.context": f"{call.graph_url}/$metadata#attachments/$entity"}
    return json_response(context | render(owner, attachment, with_item=with_item))


def content_response(attachment: Attachment) -> Response:
    """Answer with the file, or the MIME of an attached item."""
    if attachment.kind is AttachmentKind.REFERENCE:
        raise GraphProblem(405, "ErrorInvalidRequest", "A link has no content.")
    if attachment.kind is AttachmentKind.ITEM:
        return Response(nested_mime(attachment), media_type="text/plain")
    return Response(attachment.content, media_type=attachment.content_type or "application/octet-stream")


def render(owner: Owner, attachment: Attachment, *, with_item: bool = False) -> Json:
    view: Json = {
        "@odata.type": attachment.kind.value,
        "id": attachment_id(owner.id, attachment.ordinal),
        "lastModifiedDateTime": owner.modified,
        "name": attachment.name,
        "contentType": attachment.content_type,
        "size": len(attachment.content),
        "isInline": attachment.inline,
    }
    if attachment.kind is AttachmentKind.FILE:
        view["@odata.mediaContentType"] = attachment.content_type
        view["contentId"] = attachment.content_id
        view["contentLocation"] = None
        view["contentBytes"] = base64.b64encode(attachment.content).decode()
    elif with_item and attachment.kind is AttachmentKind.ITEM:
        view["item"] = attachment.item()
    return view
