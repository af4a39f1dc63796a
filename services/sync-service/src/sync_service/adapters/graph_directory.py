"""Users and groups of a tenant over Graph.

Facts: learn.microsoft.com/graph/delta-query-overview, /graph/api/user-delta, /graph/api/group-delta,
/graph/api/group-list-transitivemembers.
"""

from collections.abc import AsyncIterator

from graph_client import GraphClient, segment
from graph_client.errors import NotFound, ResyncRequired
from sync_service.adapters.graph_fields import SELECT, directory_user
from sync_service.domain.directory_user import DirectoryUser
from sync_service.ports import CursorExpired, GroupsSince, UserPage

_GROUP = "id,displayName,securityEnabled"
_USER = "#microsoft.graph.user"


class GraphDirectory:
    """Implements ports.Directory on one client, that is, one tenant and the profile `directory`."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    @property
    def requests(self) -> int:
        return self._client.counters.requests

    async def pages(self, link: str | None) -> AsyncIterator[UserPage]:
        params = None if link else {"$select": SELECT}
        try:
            async for page in self._client.delta(link or "/users/delta", params=params):
                yield UserPage(
                    tuple(directory_user(entry) for entry in page.items),
                    tuple(str(entry["id"]) for entry in page.removed),
                    page.next_link,
                    page.delta_link,
                )
        except ResyncRequired as error:
            raise CursorExpired from error

    async def user(self, user: str) -> DirectoryUser | None:
        try:
            return directory_user(await self._client.get(f"/users/{segment(user)}", params={"$select": SELECT}))
        except NotFound:
            return None

    async def groups_since(self, link: str | None) -> GroupsSince:
        # Members of every group are tracked, because a group in a group of ours changes who is in ours.
        params = None if link else {"$select": "displayName,securityEnabled,members", "$deltatoken": "latest"}
        changed, latest = False, ""
        try:
            async for page in self._client.delta(link or "/groups/delta", params=params):
                changed = changed or bool(page.items or page.removed)
                latest = page.delta_link or ""
        except ResyncRequired as error:
            raise CursorExpired from error
        return GroupsSince(changed, latest)

    async def groups_named(self, name: str) -> tuple[str, ...]:
        quoted = name.replace("'", "''")
        params = {"$filter": f"displayName eq '{quoted}'", "$select": _GROUP}
        found = [entry async for page in self._client.pages("/groups", params=params) for entry in page.items]
        return tuple(sorted(str(entry["id"]) for entry in found if entry.get("securityEnabled")))

    async def group_is_named(self, group: str, name: str) -> bool:
        try:
            found = await self._client.get(f"/groups/{segment(group)}", params={"$select": _GROUP})
        except NotFound:
            return False
        return bool(found.get("securityEnabled")) and str(found.get("displayName")).lower() == name.lower()

    async def members(self, group: str) -> frozenset[str]:
        # Without the cast to users, which would be an advanced query: those are answered from an index that lags.
        return await self._ids(f"/groups/{segment(group)}/transitiveMembers", _USER)

    async def groups_of(self, user: str) -> frozenset[str]:
        return await self._ids(f"/users/{segment(user)}/transitiveMemberOf", "#microsoft.graph.group")

    async def _ids(self, path: str, type_name: str) -> frozenset[str]:
        pages = self._client.pages(path, params={"$select": "id", "$top": "999"})
        try:
            found = [entry async for page in pages for entry in page.items]
        except NotFound:  # deleted since it was found: nobody is in it, and the next sync is told so
            return frozenset()
        return frozenset(str(entry["id"]) for entry in found if entry.get("@odata.type") == type_name)
