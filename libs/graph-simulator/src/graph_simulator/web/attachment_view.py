"""How an attachment looks as Graph JSON, whatever it hangs on.

https://learn.microsoft.com/graph/api/resources/attachment
"""

import base64
from dataclasses import dataclass

from graph_simulator.attachments import Attachment, AttachmentKind
from graph_simulator.identifiers import attachment_id
from graph_simulator.web.call import Json


@dataclass(frozen=True, slots=True)
class Owner:
    """The item that has the attachment: its id in the format asked for, and when it changed last."""

    id: str
    modified: str


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
