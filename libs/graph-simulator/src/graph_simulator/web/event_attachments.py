"""Attachment requests of events.

https://learn.microsoft.com/graph/api/event-list-attachments · https://learn.microsoft.com/graph/api/event-post-attachments
"""

from starlette.responses import Response

from graph_simulator import event_attachments, events
from graph_simulator.attachments import Attachment
from graph_simulator.events import Event
from graph_simulator.identifiers import attachment_id
from graph_simulator.web import attachment_view, calendar_call, uploads
from graph_simulator.web.call import Call
from graph_simulator.web.event_view import attachment_views
from graph_simulator.web.mail_attachments import LARGEST_POST, parse_attachment
from graph_simulator.web.problems import GraphProblem, item_not_found, json_response


async def list_attachments(call: Call) -> Response:
    """GET …/events/{event}/attachments."""
    return attachment_view.list_response(call, attachment_views(call, calendar_call.event(call, readable=True)))


async def get_attachment(call: Call) -> Response:
    event, attachment = _find(call)
    return attachment_view.response(call, _owner(call, event), attachment)


async def get_attachment_content(call: Call) -> Response:
    """GET …/attachments/{attachment}/$value."""
    return attachment_view.content_response(_find(call)[1])


async def post_attachment(call: Call) -> Response:
    """POST …/events/{event}/attachments: below 3 MB; larger ones need an upload session."""
    event = calendar_call.event(call)
    attachment = parse_attachment(await call.json())
    if len(attachment.content) >= LARGEST_POST:
        raise GraphProblem(413, "ErrorMessageSizeExceeded", "The attachment needs an upload session.")
    ordinal = event_attachments.add_attachment(call.connection, event, attachment)
    found = calendar_call.event(call)
    made = next(each for each in event_attachments.attachments_of(call.connection, found) if each.ordinal == ordinal)
    context = {"@odata.context": f"{call.graph_url}/$metadata#attachments/$entity"}
    return json_response(context | attachment_view.render(_owner(call, found), made), 201)


async def create_upload_session(call: Call) -> Response:
    """POST …/events/{event}/attachments/createUploadSession {"AttachmentItem": {…}}."""
    event = calendar_call.event(call)
    pk = events.update(call.connection, event, {}) if event.pk is None else event.pk
    return await uploads.open_session(call, event_pk=pk)


async def remove_attachment(call: Call) -> Response:
    event, attachment = _find(call)
    event_attachments.delete_attachment(call.connection, event, attachment)
    return Response(status_code=204)


def _owner(call: Call, event: Event) -> attachment_view.Owner:
    return attachment_view.Owner(event.immutable_id if call.immutable else event.id, event.modified)


def _find(call: Call) -> tuple[Event, Attachment]:
    event = calendar_call.event(call, readable=True)
    for attachment in event_attachments.attachments_of(call.connection, event):
        ids = {attachment_id(key, attachment.ordinal) for key in (event.id, event.immutable_id)}
        if call.path["attachment"] in ids:
            return event, attachment
    raise item_not_found()
