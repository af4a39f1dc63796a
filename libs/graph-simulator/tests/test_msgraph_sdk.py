"""Microsoft's own SDK against the simulator: a client nobody here wrote, told nothing but our addresses."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgraph.graph_request_adapter
import pytest
from azure.identity import ClientSecretCredential
from kiota_abstractions.api_error import APIError
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.headers_collection import HeadersCollection
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.groups.item.transitive_members.graph_user.graph_user_request_builder import (
    GraphUserRequestBuilder,
)
from msgraph.generated.models.contact import Contact
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.event import Event
from msgraph.generated.models.event_type import EventType
from msgraph.generated.models.mail_folder import MailFolder
from msgraph.generated.models.message import Message
from msgraph.generated.models.recurrence_pattern_type import RecurrencePatternType
from msgraph.generated.users.item.calendar_view.delta.delta_request_builder import DeltaRequestBuilder as CalendarDelta
from msgraph.generated.users.item.events.item.event_item_request_builder import EventItemRequestBuilder
from msgraph.generated.users.item.events.item.instances.instances_request_builder import InstancesRequestBuilder
from msgraph.generated.users.item.mail_folders.item.messages.delta.delta_request_builder import DeltaRequestBuilder
from msgraph.generated.users.item.messages.messages_request_builder import MessagesRequestBuilder
from msgraph.generated.users.users_request_builder import UsersRequestBuilder
from msgraph_core import GraphClientFactory, PageIterator

SCOPES = ["https://graph.microsoft.com/.default"]


@pytest.fixture
async def connect(contoso: Any) -> AsyncIterator[Any]:
    """The SDK's client of an app profile, with its own middleware."""
    async for client in _clients(contoso):
        yield client


@pytest.fixture
async def connect_northwind(northwind: Any) -> AsyncIterator[Any]:
    """The same for the tenant with calendars."""
    async for client in _clients(northwind):
        yield client


@pytest.fixture
async def connect_globex(globex: Any) -> AsyncIterator[Any]:
    """The same for the tenant with a directory."""
    async for client in _clients(globex):
        yield client


async def _clients(tenant: Any) -> AsyncIterator[Any]:
    transports: list[httpx.AsyncBaseTransport] = []
    credentials = []

    def client(profile: str = "exchange-restore") -> GraphServiceClient:
        app = tenant.credentials["apps"][profile]
        credential = ClientSecretCredential(
            tenant.credentials["tenant_id"],
            app["client_id"],
            app["client_secret"],
            authority=tenant.simulator.url,
            disable_instance_discovery=True,
            connection_verify=str(tenant.simulator.ca_file),
        )
        credentials.append(credential)
        plain = httpx.AsyncClient(verify=tenant.simulator.tls(), base_url=tenant.simulator.graph_url, trust_env=False)
        transports.append(plain._transport)  # the SDK wraps it, and its wrapper does not close it
        http = GraphClientFactory.create_with_default_middleware(
            client=plain, options=msgraph.graph_request_adapter.options
        )
        provider = AzureIdentityAuthenticationProvider(credential, scopes=SCOPES)
        return GraphServiceClient(request_adapter=GraphRequestAdapter(provider, client=http))

    yield client
    for credential in credentials:
        credential.close()
    for transport in transports:
        await transport.aclose()


def unknown(model: Any) -> set[str]:
    """Fields of an answer that the SDK's model does not have; annotations are always among them."""
    return {name for name in model.additional_data if "@" not in name}


async def test_users(contoso: Any, connect: Any) -> None:
    graph = connect("directory")
    page = await graph.users.get()
    assert {user.mail.split("@")[0] for user in page.value} == {"anna.gross", "mehmet.yildiz", "restore-target"}
    assert set().union(*(unknown(user) for user in page.value)) == set()
    [anna] = [user for user in page.value if user.mail.startswith("anna")]
    assert (await graph.users.by_user_id(anna.id).get()).user_principal_name == anna.user_principal_name
    narrow = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(select=["id", "mail"], top=1)
    first = await graph.users.get(RequestConfiguration(query_parameters=narrow))
    seen: list[str] = []
    pages = PageIterator(first, graph.request_adapter)
    await pages.iterate(lambda user: seen.append(user.mail) or True)
    assert len(seen) == 3


async def test_folders_messages_mime_and_paging(contoso: Any, connect: Any) -> None:
    graph = connect()
    mehmet = graph.users.by_user_id(f"mehmet.yildiz@{contoso.name}.onmicrosoft.com")
    page = await mehmet.mail_folders.get()
    folders: list[MailFolder] = []
    await PageIterator(page, graph.request_adapter).iterate(lambda folder: folders.append(folder) or True)
    known = contoso.get(f"{contoso.user('mehmet.yildiz')}/mailFolders?$top=100")["value"]
    assert {folder.display_name for folder in folders} == {folder["displayName"] for folder in known}
    inbox = await mehmet.mail_folders.by_mail_folder_id("inbox").get()
    assert inbox.id in {folder.id for folder in folders}
    assert set().union(*(unknown(folder) for folder in folders)) == set()
    narrow = MessagesRequestBuilder.MessagesRequestBuilderGetQueryParameters(top=7)
    first = await mehmet.messages.get(RequestConfiguration(query_parameters=narrow))
    found: list[Message] = []
    await PageIterator(first, graph.request_adapter).iterate(lambda message: found.append(message) or True)
    mine = [line for line in contoso.manifest if line["user"].startswith("mehmet")]
    assert len({message.id for message in found}) == len(mine)
    assert set().union(*(unknown(message) for message in found)) == set()
    raw = await mehmet.messages.by_message_id(found[0].id).content.get()
    whole = await mehmet.messages.by_message_id(found[0].id).get()
    assert whole.internet_message_id.encode() in raw
    assert whole.received_date_time is not None


async def test_delta_to_its_end_and_on(contoso: Any, connect: Any) -> None:
    graph = connect()
    target = graph.users.by_user_id(f"restore-target@{contoso.name}.onmicrosoft.com")
    folder = await target.mail_folders.post(MailFolder(display_name="From the SDK"))
    delta = target.mail_folders.by_mail_folder_id(folder.id).messages.delta
    made = await target.mail_folders.by_mail_folder_id(folder.id).messages.post(Message(subject="one", is_read=True))
    page = await delta.get()
    listed = list(page.value)
    while page.odata_next_link:
        page = await delta.with_url(page.odata_next_link).get()
        listed += page.value
    assert [message.id for message in listed] == [made.id]
    await target.messages.by_message_id(made.id).delete()
    page = await DeltaRequestBuilder(graph.request_adapter, {}).with_url(page.odata_delta_link).get()
    [gone] = page.value
    assert (gone.id, gone.additional_data["@removed"]) == (made.id, {"reason": "deleted"})


async def test_calendars_events_series_and_attachments(northwind: Any, connect_northwind: Any) -> None:
    graph = connect_northwind("exchange-backup")
    anna = graph.users.by_user_id(f"anna.gross@{northwind.name}.onmicrosoft.com")
    calendars = (await anna.calendars.get()).value
    assert {each.owner.address.split("@")[0] for each in calendars} == {"anna.gross", "mehmet.yildiz"}
    models: list[Any] = list(calendars)
    events: list[Event] = []
    for calendar in calendars:
        page = await anna.calendars.by_calendar_id(calendar.id).events.get()
        await PageIterator(page, graph.request_adapter).iterate(lambda event: events.append(event) or True)
    assert len(events) == 48
    assert {event.type for event in events} == {EventType.SingleInstance, EventType.SeriesMaster}
    masters = [event for event in events if event.type is EventType.SeriesMaster]
    assert {event.recurrence.pattern.type for event in masters} == set(RecurrencePatternType)
    whole = EventItemRequestBuilder.EventItemRequestBuilderGetQueryParameters(
        select=["subject", "cancelledOccurrences"], expand=["exceptionOccurrences"]
    )
    cancelled = apart = 0
    for master in masters:
        found = await anna.events.by_event_id(master.id).get(RequestConfiguration(query_parameters=whole))
        cancelled += len(found.cancelled_occurrences)
        apart += len(found.exception_occurrences or [])
        models += [found, *(found.exception_occurrences or [])]
    assert cancelled > 2
    assert apart > 2
    window = InstancesRequestBuilder.InstancesRequestBuilderGetQueryParameters(
        start_date_time="2025-01-01T00:00:00", end_date_time="2027-01-01T00:00:00"
    )
    days = await anna.events.by_event_id(masters[0].id).instances.get(RequestConfiguration(query_parameters=window))
    assert {day.series_master_id for day in days.value} == {masters[0].id}
    [attached, *_] = [event for event in events if event.has_attachments]
    attachments = (await anna.events.by_event_id(attached.id).attachments.get()).value
    assert set().union(*(unknown(model) for model in [*models, *events, *attachments])) == set()


async def test_calendar_delta_to_its_end(northwind: Any, connect_northwind: Any) -> None:
    anna = connect_northwind("exchange-backup").users.by_user_id(f"anna.gross@{northwind.name}.onmicrosoft.com")
    window = CalendarDelta.DeltaRequestBuilderGetQueryParameters(
        start_date_time="2025-01-01T00:00:00", end_date_time="2026-01-01T00:00:00"
    )
    delta = anna.calendar_view.delta
    page = await delta.get(RequestConfiguration(query_parameters=window))
    found = list(page.value)
    while page.odata_next_link:
        page = await delta.with_url(page.odata_next_link).get()
        found += page.value
    assert EventType.Occurrence in {event.type for event in found}
    assert page.odata_delta_link


async def test_users_and_groups_of_a_directory(connect_globex: Any) -> None:
    graph = connect_globex("directory")
    groups = (await graph.groups.get()).value
    assert {group.display_name for group in groups} >= {"KlarKonform-Globex-Admin", "Verteiler unified"}
    assert set().union(*(unknown(group) for group in groups)) == set()
    role = next(group for group in groups if group.display_name == "KlarKonform-Globex-User")
    members = (await graph.groups.by_group_id(role.id).members.get()).value
    assert {type(member).__name__ for member in members} == {"User", "Group"}
    query = GraphUserRequestBuilder.GraphUserRequestBuilderGetQueryParameters(count=True, select=["id", "displayName"])
    eventual = RequestConfiguration(query_parameters=query)
    eventual.headers.add("ConsistencyLevel", "eventual")
    people = await graph.groups.by_group_id(role.id).transitive_members.graph_user.get(eventual)
    assert people.odata_count == len(people.value) >= len(members) - 1
    page = await graph.users.delta.get()
    seen = list(page.value)
    while page.odata_next_link:
        page = await graph.users.delta.with_url(page.odata_next_link).get()
        seen += page.value
    assert len({user.id for user in seen}) > 100
    person = next(user for user in seen if user.display_name)
    assert (await graph.users.by_user_id(person.id).get()).display_name == person.display_name


async def test_organisational_contacts(connect_globex: Any) -> None:
    contacts = (await connect_globex("exchange-backup").contacts.get()).value
    assert contacts[0].phones[0].number.startswith("+49")
    assert set().union(*(unknown(contact) for contact in contacts)) == set()


async def test_a_throttled_call_is_repeated_by_the_sdk(contoso: Any, connect: Any, faults: Any) -> None:
    faults(kind="throttle", match="/users$", count=2, retry_after="1")
    assert len((await connect("directory").users.get()).value) == 3


async def test_an_error_is_typed(contoso: Any, connect: Any) -> None:
    with pytest.raises(APIError) as missing:
        await connect("directory").users.by_user_id("nobody@contoso.onmicrosoft.com").get()
    assert (missing.value.response_status_code, missing.value.error.code) == (404, "Request_ResourceNotFound")


async def test_contacts_folders_and_photo(contoso: Any, connect: Any) -> None:
    graph = connect()
    anna = graph.users.by_user_id(f"anna.gross@{contoso.name}.onmicrosoft.com")
    first = await anna.contacts.get()
    found: list[Contact] = []
    await PageIterator(first, graph.request_adapter).iterate(lambda contact: found.append(contact) or True)
    folders = (await anna.contact_folders.get()).value
    for folder in folders:
        found += (await anna.contact_folders.by_contact_folder_id(folder.id).contacts.get()).value
    assert set().union(*(unknown(model) for model in [*found, *folders])) == set()
    assert {contact.parent_folder_id for contact in found} >= {folders[0].parent_folder_id}
    target = graph.users.by_user_id(f"restore-target@{contoso.name}.onmicrosoft.com")
    address = EmailAddress(name="Änne", address="aenne@carter.example")
    made = await target.contacts.post(Contact(given_name="Änne", email_addresses=[address], personal_notes="ß"))
    photo = target.contacts.by_contact_id(made.id).photo.content
    await photo.put(b"\xff\xd8\xff\xe0", request_configuration=RequestConfiguration(headers=_image()))
    assert await photo.get() == b"\xff\xd8\xff\xe0"
    read = await target.contacts.by_contact_id(made.id).get()
    assert (read.display_name, read.email_addresses[0].address) == ("Änne", "aenne@carter.example")
    page = await target.contacts.delta.get()
    while page.odata_next_link:
        page = await target.contacts.delta.with_url(page.odata_next_link).get()
    await target.contacts.by_contact_id(made.id).delete()
    page = await target.contacts.delta.with_url(page.odata_delta_link).get()
    assert [contact.id for contact in page.value] == [made.id]


def _image() -> HeadersCollection:
    headers = HeadersCollection()
    headers.add("Content-Type", "image/jpeg")
    return headers
