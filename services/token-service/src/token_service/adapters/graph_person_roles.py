"""The directory roles of the person behind a delegated token (graph/api/user-list-transitivememberof)."""

from http import HTTPStatus

import httpx
from pydantic import SecretStr

from contracts.names import AdminRole
from contracts.profiles import ROLE_TEMPLATES
from token_service.adapters.graph_probes import body_of

_ROLES = {template: role for role, template in ROLE_TEMPLATES.items()}


class GraphPersonRoles:
    """A `token_service.ports.PersonRoles` on a client whose base URL is Graph's with version."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def of(self, token: SecretStr) -> frozenset[AdminRole] | None:
        headers = {"Authorization": f"Bearer {token.get_secret_value()}", "ConsistencyLevel": "eventual"}
        path = "/me/transitiveMemberOf/microsoft.graph.directoryRole"
        try:
            answer = await self._client.get(path, params={"$count": "true"}, headers=headers)
        except httpx.HTTPError:
            return None
        if answer.status_code != HTTPStatus.OK:
            return None
        listed = [one for one in body_of(answer).get("value", []) if isinstance(one, dict)]
        found = (_ROLES.get(str(one.get("roleTemplateId"))) for one in listed)
        return frozenset(role for role in found if role is not None)
