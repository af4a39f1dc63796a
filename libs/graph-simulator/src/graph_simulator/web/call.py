"""One Graph request as its handlers see it."""

import json
import re
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote

from starlette.requests import Request

from graph_simulator import contacts, directory, folders, messages
from graph_simulator.directory import UnknownNameError
from graph_simulator.fault_rules import FaultRules
from graph_simulator.tokens import Caller
from graph_simulator.web.problems import GraphProblem, bad_request, item_not_found, user_not_found

_PREFERENCE = re.compile(r'([A-Za-z.\-]+)\s*(?:=\s*("[^"]*"|[^\s,;]+))?')
_APPLICABLE = {
    "idtype": 'IdType="{}"',
    "odata.maxpagesize": "odata.maxpagesize={}",
    "outlook.body-content-type": 'outlook.body-content-type="{}"',
    "outlook.timezone": 'outlook.timezone="{}"',
}

Json = dict[str, object]


@dataclass(slots=True)
class Call:
    """A request with its caller, path values, query options and preferences."""

    request: Request
    connection: sqlite3.Connection
    state: Path
    faults: FaultRules
    caller: Caller
    base_url: str
    path: dict[str, str]
    options: dict[str, str]
    preferences: dict[str, str] = field(default_factory=dict)

    @property
    def immutable(self) -> bool:
        """Whether the caller wants ids that survive moves; https://learn.microsoft.com/graph/outlook-immutable-id."""
        return self.preferences.get("idtype", "").lower() == "immutableid"

    @property
    def graph_url(self) -> str:
        return f"{self.base_url}/v1.0"

    def integer(self, option: str, default: int, highest: int) -> int:
        """Return a query option as a number between 0 and `highest`; anything else is a 400."""
        text = self.options.get(option)
        if text is None:
            return default
        if not text.isdecimal() or int(text) > highest:
            raise bad_request(f"Invalid value '{text}' for {option}, expected 0 to {highest}.")
        return int(text)

    def user(self) -> sqlite3.Row:
        try:
            return directory.find_user(self.connection, self.caller.tenant_id, self.path["user"])
        except UnknownNameError as error:
            raise user_not_found(self.path["user"]) from error

    def require_mailbox(self, lookup: int) -> None:
        """Refuse the mail, calendars and contacts of a user without a mailbox, in turn as the two say who look it up.

        Reported in microsoftgraph/microsoft-graph-docs#10481.
        """
        user = self.user()
        if self.connection.execute("SELECT 1 FROM folder WHERE user_pk = ? LIMIT 1", (user["pk"],)).fetchone():
            return
        if lookup % 2:
            raise GraphProblem(404, "ResourceNotFound", "Resource could not be discovered.")
        text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
        raise GraphProblem(404, "MailboxNotEnabledForRESTAPI", text)

    def folder(self, user_pk: int, key: str | None = None) -> sqlite3.Row:
        try:
            return folders.find_folder(self.connection, user_pk, key or self.path["folder"])
        except folders.FolderNotFoundError as error:
            raise item_not_found() from error

    def contact_folder(self) -> sqlite3.Row:
        """Find the contact folder of the path; a path without one means the default folder."""
        try:
            return contacts.find_folder(
                self.connection, self.user()["pk"], self.path.get("contactFolder", contacts.DEFAULT_FOLDER)
            )
        except folders.FolderNotFoundError as error:
            raise item_not_found() from error

    def mailbox_root(self) -> str:
        """Return the id of the folder above all others."""
        root: str = self.folder(self.user()["pk"], folders.ROOT)["id"]
        return root

    def message(self) -> sqlite3.Row:
        """Find the message of the path, also checking the folder when the path names one."""
        user_pk = self.user()["pk"]
        try:
            row = messages.find_message(self.connection, user_pk, self.path["message"])
        except messages.MessageNotFoundError as error:
            raise item_not_found() from error
        # What was deleted can be reached only through the folder that keeps it recoverable.
        deleted = self.folder(user_pk, folders.DELETIONS)["pk"] == row["folder_pk"]
        if self.folder(user_pk)["pk"] != row["folder_pk"] if "folder" in self.path else deleted:
            raise item_not_found()
        return row

    async def json(self) -> Json:
        """Return the body as a JSON object; anything else is a 400."""
        try:
            body = json.loads(await self.request.body())
            json.dumps(body, ensure_ascii=False).encode()  # a lone surrogate is no text
        except ValueError as error:
            raise bad_request("Unable to read JSON request payload.", "BadRequest") from error
        if not isinstance(body, dict):
            raise bad_request("Unable to read JSON request payload.", "BadRequest")
        return body

    def applied_preferences(self) -> str:
        """Return the value of Preference-Applied for this call."""
        applied = [_APPLICABLE[name].format(value) for name, value in self.preferences.items() if name in _APPLICABLE]
        return ", ".join(applied)

    def next_link(self, **options: str) -> str:
        """Return this call's own address with other query options; clients follow it without looking inside."""
        raw_path: bytes = self.request.scope["raw_path"]
        query = "&".join(f"${name}={quote(value, safe='')}" for name, value in options.items())
        return f"{self.base_url}{raw_path.decode('ascii')}?{query}"


def parse_options(query_string: bytes) -> dict[str, str]:
    """Return query options by lower-case name without the dollar sign, so `%24top` and `$top` are the same."""
    pairs = parse_qsl(query_string.decode("ascii", "replace"), keep_blank_values=True)
    return {name.removeprefix("$").lower(): value for name, value in pairs}


def parse_preferences(headers: list[str]) -> dict[str, str]:
    """Return the preferences of all Prefer headers by lower-case name (RFC 7240)."""
    found = _PREFERENCE.findall(",".join(headers))
    return {name.lower(): value.strip('"') for name, value in found}


def forbidden(*, exchange: bool) -> GraphProblem:
    """The answer to a token that lacks the application permission; the code tells which workload refused."""
    if exchange:
        return GraphProblem(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
    text = "Insufficient privileges to complete the operation."
    return GraphProblem(403, "Authorization_RequestDenied", text)
