"""Users of a tenant over Graph, and whether they have a mailbox.

Facts: learn.microsoft.com/graph/api/user-list. A user without a licence, a guest and one whose mailbox is on premises
answer 404, with MailboxNotEnabledForRESTAPI or ResourceNotFound, even in turn (microsoft-graph-docs#10481).
"""

from backup_service.domain.discovery import MailboxFinding, User
from graph_client import GraphClient, segment
from graph_client.errors import Forbidden, NotFound

_SELECT = "id,userPrincipalName,mail,userType"


class GraphDirectory:
    """Implements ports.Directory."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    async def users(self) -> list[User]:
        return [
            User(user["id"], user.get("mail") or "", user.get("userType") == "Guest")
            async for page in self._client.pages("/users", params={"$select": _SELECT, "$top": "999"})
            for user in page.items
        ]

    async def mailbox_of(self, user: str) -> MailboxFinding:
        path = f"/users/{segment(user)}/mailFolders/inbox"
        try:
            await self._client.get(path, params={"$select": "id"})
        except NotFound:
            return MailboxFinding.MISSING
        except Forbidden:
            return MailboxFinding.DENIED
        return MailboxFinding.THERE
