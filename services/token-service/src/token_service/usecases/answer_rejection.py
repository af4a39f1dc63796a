"""Graph refused a token: renew it, unless the stored one differs already."""

from datetime import datetime, timedelta

from chassis.clock import Clock
from chassis.errors import RetryLater
from chassis.vault import Vault, VaultError
from contracts.errors import ErrorClass
from contracts.events.tokens import TokenRejected
from token_service.domain import places
from token_service.domain.connection import Connection, RenewalPolicy
from token_service.ports import Connections
from token_service.usecases.renew_tokens import RenewTokens

_CONTENDED = 1.0


class AnswerRejection:
    def __init__(
        self, connections: Connections, vault: Vault, renew: RenewTokens, clock: Clock, policy: RenewalPolicy
    ) -> None:
        self._connections = connections
        self._vault = vault
        self._renew = renew
        self._clock = clock
        self._policy = policy

    async def __call__(self, rejection: TokenRejected) -> None:
        """Have the token renewed if it is the one that was refused. Raises RetryLater.

        A token that is refused as soon as it is issued is renewed after a pause: the cause is not the token.
        """
        connection = await self._connections.get(rejection.tenant, rejection.profile)
        if connection is None or connection.client_id is None or connection.retired is not None:
            return
        if connection.is_claimed(self._clock.now()):
            return
        if not await self._still_stored(rejection):
            return
        if await self._connections.save(connection.due(self._earliest(connection))) is None:
            raise RetryLater(_CONTENDED, "the connection is being changed")
        await self._renew.now(rejection.tenant, rejection.profile)

    async def _still_stored(self, rejection: TokenRejected) -> bool:
        """Compare with what readers get, which a crash may have left one step ahead of the document."""
        try:
            found = await self._vault.kv_read(places.token(rejection.tenant, rejection.profile))
        except VaultError as error:
            raise RetryLater(self._policy.retry_base, "vault unreachable") from error
        return found is None or found[0].get("fingerprint") == rejection.fingerprint

    def _earliest(self, connection: Connection) -> datetime:
        now = self._clock.now()
        trouble = connection.trouble
        if trouble is not None and trouble.error is ErrorClass.RATE_LIMITED and connection.due_at is not None:
            return connection.due_at  # Microsoft asked for a pause: no complaint shortens it
        if connection.token is None:
            return now
        return max(now, connection.token.acquired_at + timedelta(seconds=self._policy.rejected_pause))
