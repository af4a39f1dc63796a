"""O365, a client nobody here wrote, against the simulator."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msal
import pytest
from O365 import Account, MSGraphProtocol
from O365.calendar import EventType
from O365.utils.token import MemoryTokenBackend


@pytest.fixture
def account(contoso: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Signed in as the app exchange-restore; the library is told where Graph and the authority are, nothing else."""
    yield from _accounts(contoso, monkeypatch)


@pytest.fixture
def northwind_account(northwind: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The same for the tenant with calendars."""
    yield from _accounts(northwind, monkeypatch)


def _accounts(tenant: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:

    class Protocol(MSGraphProtocol):  # type: ignore[misc] # the library has no types
        _protocol_url = f"{tenant.simulator.url}/"

    app = tenant.credentials["apps"]["exchange-restore"]
    ca = str(tenant.simulator.ca_file)
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)  # requests would prefer them to what it is told

    def connect(user: str) -> Account:
        account = Account(
            (app["client_id"], app["client_secret"]),
            auth_flow_type="credentials",
            tenant_id=tenant.credentials["tenant_id"],
            protocol=Protocol(),
            verify_ssl=ca,
            token_backend=MemoryTokenBackend(),
            main_resource=f"{user}@{tenant.name}.onmicrosoft.com",
            requests_delay=0,
        )
        account.con._msal_client = msal.ConfidentialClientApplication(
            app["client_id"],
            client_credential=app["client_secret"],
            authority=f"{tenant.simulator.url}/{tenant.credentials['tenant_id']}",
            instance_discovery=False,
            token_cache=account.con.token_backend,
            verify=ca,
        )
        assert account.authenticate()
        opened.append(account)
        return account

    opened: list[Account] = []
    yield connect
    for made in opened:
        made.con.session.close()
        made.con._msal_client.http_client.close()


def test_users(account: Any) -> None:
    users = list(account("anna.gross").directory().get_users(limit=10))
    assert {user.mail.split("@")[0] for user in users} == {"anna.gross", "mehmet.yildiz", "restore-target"}


def test_folders_messages_mime_and_paging(contoso: Any, account: Any) -> None:
    mailbox = account("mehmet.yildiz").mailbox()
    known = contoso.get(f"{contoso.user('mehmet.yildiz')}/mailFolders?$top=100")["value"]
    assert {folder.name for folder in mailbox.get_folders(limit=50)} == {folder["displayName"] for folder in known}
    assert mailbox.inbox_folder().folder_id == "Inbox"
    messages = list(mailbox.get_messages(limit=None, batch=9))
    mine = [line for line in contoso.manifest if line["user"].startswith("mehmet")]
    assert len({message.object_id for message in messages}) == len(mine)
    raw = messages[0].get_mime_content()
    assert messages[0].internet_message_id.encode() in raw


def test_writing_and_deleting(account: Any) -> None:
    mailbox = account("restore-target").mailbox()
    folder = mailbox.create_child_folder("From O365")
    assert folder.name == "From O365"
    message = folder.new_message()
    message.subject, message.body = "Grüße", "<p>Hallo</p>"
    message.to.add("anna.gross@contoso.onmicrosoft.com")
    assert message.save_draft(target_folder=folder)
    [found] = list(folder.get_messages(limit=5, download_attachments=False))
    assert (found.subject, found.to[0].address) == ("Grüße", "anna.gross@contoso.onmicrosoft.com")
    assert found.delete()
    assert list(folder.get_messages(limit=5)) == []
    assert folder.delete()


def test_calendars_and_events(northwind: Any, northwind_account: Any) -> None:
    schedule = northwind_account("anna.gross").schedule()
    calendars = schedule.list_calendars(limit=50)
    assert [calendar.name for calendar in calendars].count("Projekte") == 2
    seen = 0
    for calendar in calendars:
        found = list(calendar.get_events(limit=None, batch=7, include_recurring=False))
        seen += len(found)
        for event in found:
            assert event.subject
            assert event.start <= event.end
    assert seen == 48
    default = schedule.get_default_calendar()
    window = {"start_recurring": datetime(2025, 1, 1, tzinfo=UTC), "end_recurring": datetime(2026, 1, 1, tzinfo=UTC)}
    expanded = list(default.get_events(limit=None, batch=50, include_recurring=True, **window))
    assert any(event.event_type is EventType.Occurrence for event in expanded)


def test_writing_an_event(northwind: Any, northwind_account: Any) -> None:
    calendar = northwind_account("restore-target").schedule().get_default_calendar()
    event = calendar.new_event("Grüße")
    event.start = datetime(2026, 7, 1, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    event.end = datetime(2026, 7, 1, 10, tzinfo=ZoneInfo("Europe/Berlin"))
    event.recurrence.set_weekly(
        1, days_of_week=["wednesday"], first_day_of_week="monday", start=date(2026, 7, 1), occurrences=3
    )
    assert event.save()
    again = calendar.get_event(event.object_id)
    assert (again.subject, again.recurrence.occurrences) == ("Grüße", 3)
    assert event.delete()


def test_a_throttled_call_is_repeated_by_the_library(account: Any, faults: Any) -> None:
    faults(kind="throttle", match="/messages$", count=2, retry_after="1")
    assert len(list(account("mehmet.yildiz").mailbox().get_messages(limit=3))) == 3


def test_address_books_and_contacts(contoso: Any, account: Any) -> None:
    book = account("anna.gross").address_book()
    known = contoso.get(f"{contoso.user('anna.gross')}/contacts?$top=100")["value"]
    contacts = list(book.get_contacts(limit=None, batch=9))
    assert {contact.object_id for contact in contacts} == {contact["id"] for contact in known}
    assert {folder.name for folder in book.get_folders(limit=50)} >= {"Kunden", "Privat"}
    mine = account("restore-target").address_book()
    contact = mine.new_contact()
    contact.name, contact.surname, contact.job_title = "Łukasz", "Groß", "Prüfer"
    contact.emails.add("lukasz@carter.example")
    assert contact.save()
    [found] = [each for each in mine.get_contacts(limit=None) if each.surname == "Groß" and each.name == "Łukasz"]
    assert found.main_email == "lukasz@carter.example"
    assert found.delete()
