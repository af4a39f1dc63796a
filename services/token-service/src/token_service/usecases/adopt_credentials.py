"""Take up the credentials that the vault still holds for a tenant whose documents were lost."""

import structlog

from chassis.clock import Clock
from chassis.vault import Vault, VaultError
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.names import Profile
from contracts.problem import unavailable
from token_service.domain import places
from token_service.domain.connection import Connection
from token_service.domain.credential import VaultKey, credential_in
from token_service.ports import Connections

log = structlog.get_logger(__name__)


class AdoptCredentials:
    def __init__(self, connections: Connections, vault: Vault, clock: Clock) -> None:
        self._connections = connections
        self._vault = vault
        self._clock = clock

    async def __call__(self, tenant: str, caller: Caller) -> None:
        """Make a connection, due at once, for each profile with a credential and without one.

        Repeating it changes nothing. Its token counts only when Graph lets it in. Raises ProblemError: unavailable.
        """
        known = {connection.profile for connection in await self._connections.of_tenant(tenant)}
        for profile in Profile:
            if profile not in known:
                await self._adopt(tenant, profile, caller)

    async def _adopt(self, tenant: str, profile: Profile, caller: Caller) -> None:
        try:
            found = await self._vault.kv_read(places.credentials(tenant, profile))
        except VaultError as error:
            raise unavailable("the vault did not say which credentials it holds; try again shortly") from error
        credential = None if found is None else credential_in(found[0])
        if found is None or credential is None or not isinstance(found[0].get("client_id"), str):
            return
        now, client_id = self._clock.now(), found[0]["client_id"]
        key = credential.number if isinstance(credential, VaultKey) else None
        due = Connection(tenant, profile, client_id=client_id, due_at=now, proof_wanted=True, keys=key or 0, key=key)
        told = recorded(
            AuditAction.PROFILE_ADOPT_CREDENTIAL,
            profile,
            tenant=tenant,
            caller=caller,
            at=now,
            after={"client_id": client_id},
        )
        await self._connections.save(due, [told])  # None: somebody else was faster, with the same or a newer credential
        log.info("credential of before adopted", tenant=tenant, profile=profile)
