"""The tenant's directory over Graph, in the directory's dialect of delta.

Facts: learn.microsoft.com/graph/delta-query-overview, /graph/api/user-delta, /graph/api/group-delta,
/graph/api/orgcontact-delta.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from backup_service.domain.address_book import GROUP, ORG_CONTACT, USER, Entry
from backup_service.domain.change_page import ChangePage
from graph_client import GraphClient, segment

_COLLECTIONS = {USER: "users", GROUP: "groups", ORG_CONTACT: "contacts"}
_COMMON = "id,displayName,mail,proxyAddresses"
_PERSON = f"{_COMMON},givenName,surname,jobTitle,department,companyName"
_SELECT = {
    USER: f"{_PERSON},userPrincipalName,mobilePhone,businessPhones,officeLocation,streetAddress,city,postalCode,state,"
    "country,preferredLanguage,userType,showInAddressList",
    GROUP: f"{_COMMON},description,mailEnabled,mailNickname,securityEnabled,groupTypes,visibility",
    ORG_CONTACT: f"{_PERSON},mailNickname,phones,addresses",
}


class GraphAddressBook:
    """Implements ports.AddressBook on one client, that is, one tenant and one app profile."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    async def changes(self, kind: str, link: str | None) -> AsyncIterator[ChangePage[Entry]]:
        # A change of members is told only to who tracks them; who they are is asked for group by group, because one
        # group's members may come in parts, on one page or on several.
        tracked = _SELECT[kind] + (",members" if kind == GROUP else "")
        params = None if link else {"$select": tracked}
        async for page in self._client.delta(link or f"/{_COLLECTIONS[kind]}/delta", params=params):
            yield ChangePage(
                tuple(_entry(entry, kind) for entry in page.items),
                tuple(entry["id"] for entry in page.removed),
                page.next_link,
                page.delta_link,
            )

    async def entry(self, kind: str, identity: str) -> Entry:
        path = f"/{_COLLECTIONS[kind]}/{segment(identity)}"
        return _entry(await self._client.get(path, params={"$select": _SELECT[kind]}), kind)

    async def members(self, group: str) -> list[str]:
        path, params = f"/groups/{segment(group)}/members", {"$select": "id", "$top": "999"}
        return [entry["id"] async for page in self._client.pages(path, params=params) for entry in page.items]


def _entry(entry: Mapping[str, Any], kind: str) -> Entry:
    return Entry(entry["id"], kind, {name: value for name, value in entry.items() if "@" not in name})
