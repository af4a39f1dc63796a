"""Mailboxes of the simulated tenant as their owners see them: asked of Graph, past all that backs up and restores."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Self
from urllib.parse import quote

import httpx

from contracts.api import CredentialBody
from contracts.names import Profile, Source
from tenantkeep.commands import trust
from tenantkeep.commands.apps_file import AppsFile
from tenantkeep.stack import ports as stack_ports
from tenantkeep.stack import simulator as stack_simulator
from tenantkeep.stack.home import Home

_SERIES = "seriesMaster"
_LISTS: Mapping[Source, str] = {Source.MAIL: "messages", Source.CALENDAR: "events", Source.CONTACTS: "contacts"}
_FACTS: Mapping[Source, tuple[str, ...]] = {
    Source.MAIL: ("subject", "internetMessageId", "receivedDateTime", "isRead", "categories"),
    Source.CALENDAR: (
        "subject",
        "start",
        "end",
        "isAllDay",
        "showAs",
        "sensitivity",
        "categories",
        "recurrence",
        "type",
    ),
    Source.CONTACTS: ("displayName", "emailAddresses", "businessPhones", "companyName", "birthday", "personalNotes"),
}
_PAGE = 999
_YEAR = 366
"""So many days after its first one a series is looked at."""

Entry = dict[str, Any]


class Outlook:
    """Reads with the app that may read all mailboxes; one token for all of it. Raises httpx.HTTPError."""

    def __init__(self, home: Home, apps: AppsFile) -> None:
        url = stack_simulator.url(stack_ports.running(home))
        self._http = httpx.Client(base_url=f"{url}/v1.0/", verify=trust.context(home.ca_bundle), trust_env=False)
        app = apps.apps[Profile.EXCHANGE_BACKUP]
        assert isinstance(app, CredentialBody)  # the simulator gives secrets
        form = {
            "grant_type": "client_credentials",
            "client_id": app.client_id,
            "client_secret": app.client_secret.get_secret_value(),
            "scope": "https://graph.microsoft.com/.default",
        }
        answer = self._http.post(f"{url}/{apps.tenant_id}/oauth2/v2.0/token", data=form).raise_for_status()
        headers = {"authorization": f"Bearer {answer.json()['access_token']}", "prefer": 'IdType="ImmutableId"'}
        self._http.headers.update(headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def items(self, user: str, source: Source) -> dict[str, Entry]:
        """All mail, or the default calendar or contact folder, by immutable id; with the facts that count."""
        select = ",".join(("id", *_FACTS[source], *(("hasAttachments",) if source is Source.CALENDAR else ())))
        found = self._list(f"users/{_part(user)}/{_LISTS[source]}", {"$top": _PAGE, "$select": select})
        return {str(entry["id"]): entry for entry in found}

    def facts(self, user: str, source: Source, entry: Entry) -> Entry:
        """What must be equal of two entries that are the same thing; of a series also each of its days."""
        return {name: entry.get(name) for name in _FACTS[source]} | {"days": self._days(user, entry)}

    def days(self, user: str, entry: Entry) -> int:
        """How many days a series has in its first year; 0 of what is no series."""
        return len(self._days(user, entry))

    def _days(self, user: str, series: Entry) -> list[Entry]:
        if series.get("type") != _SERIES:
            return []
        first = date.fromisoformat(series["recurrence"]["range"]["startDate"])
        window: dict[str, str | int] = {
            "startDateTime": f"{first - timedelta(days=1)}T00:00:00Z",
            "endDateTime": f"{first + timedelta(days=_YEAR)}T00:00:00Z",
            "$top": _PAGE,
        }
        found = self._list(f"users/{_part(user)}/events/{_part(series['id'])}/instances", window)
        return [{name: day[name] for name in ("subject", "start", "end")} for day in found]

    def _list(self, path: str, asked: Mapping[str, str | int]) -> list[Entry]:
        page = self._http.get(path, params=dict(asked)).raise_for_status().json()
        found: list[Entry] = page["value"]
        while next_link := page.get("@odata.nextLink"):
            page = self._http.get(next_link).raise_for_status().json()
            found += page["value"]
        return found


def _part(value: str) -> str:
    return quote(value, safe="")
