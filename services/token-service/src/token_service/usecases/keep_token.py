"""Keep a token that was just issued: into the vault first, then the state that announces it."""

import random
from datetime import timedelta

from chassis.clock import Clock
from chassis.vault import Vault
from contracts.events.tokens import TokenRefreshed
from token_service.domain import places
from token_service.domain.connection import Connection, RenewalPolicy
from token_service.ports import Connections, Issued

_FORGOTTEN_AFTER = timedelta(hours=2)


class KeepToken:
    def __init__(
        self,
        connections: Connections,
        vault: Vault,
        clock: Clock,
        rng: random.Random,
        policy: RenewalPolicy,
    ) -> None:
        self._connections = connections
        self._vault = vault
        self._clock = clock
        self._rng = rng
        self._policy = policy

    async def __call__(self, connection: Connection, client_id: str, issued: Issued) -> Connection | None:
        """Keep `issued` as the next generation; None when somebody else changed the connection meanwhile.

        The vault comes first: whoever hears TokenRefreshed finds a token at least as new. Raises VaultError.
        """
        now = self._clock.now()
        lifetime = (issued.expires_at - now).total_seconds()
        value = issued.token.get_secret_value()
        renewed = connection.renewed(
            client_id,
            value,
            now=now,
            expires_at=issued.expires_at,
            due_at=now + timedelta(seconds=self._policy.due_after(lifetime, self._rng)),
        )
        facts = renewed.token
        assert facts is not None
        path = places.token(connection.tenant, connection.profile)
        await self._vault.kv_metadata(path, max_versions=1, delete_version_after=_FORGOTTEN_AFTER)
        await self._vault.kv_write(
            path,
            {
                "access_token": value,
                "expires_at": issued.expires_at.isoformat(),
                "generation": facts.generation,
                "fingerprint": facts.fingerprint,
            },
        )
        event = TokenRefreshed(
            tenant=connection.tenant,
            at=now,
            profile=connection.profile,
            generation=facts.generation,
            fingerprint=facts.fingerprint,
            expires_at=issued.expires_at,
        )
        return await self._connections.save(renewed, [event])
