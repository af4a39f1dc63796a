"""Keep a token that was just issued: into the vault first, then the state that announces it."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chassis.clock import Clock
from chassis.vault import Vault
from contracts.errors import ErrorClass
from contracts.events import Event
from contracts.events.tokens import ConsentChanged, TokenRefreshed
from token_service.domain import places
from token_service.domain.connection import Connection, RenewalPolicy
from token_service.ports import Connections, Effective, Issued, NotEffective, Proof, Unproven

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

    async def __call__(
        self,
        connection: Connection,
        client_id: str,
        issued: Issued,
        proof: Proof | None,
        events: Sequence[Event] = (),
    ) -> Connection | None:
        """Keep `issued` as the next generation, with `events`; None when somebody else changed the connection.

        `proof` is what Graph said to it, None when it was not asked. A token that Graph refuses is kept, and the
        connection says that consent is missing.

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
        judged = self._judged(renewed, proof, now, missing=connection.consent_missing)
        return await self._connections.save(judged, [event, *consent_events(connection, judged, now), *events])

    def _judged(self, renewed: Connection, proof: Proof | None, now: datetime, *, missing: bool) -> Connection:
        match proof:
            case Effective(without=without):
                return renewed.proven(now, without)
            case NotEffective(detail=detail) | Unproven(detail=detail) if missing or isinstance(proof, NotEffective):
                # What was missing stays missing until it is proven; what was not is only tried again.
                retry_at = now + timedelta(seconds=self._policy.retry_after(1, self._rng))
                return renewed.failed(ErrorClass.CONSENT_REQUIRED, detail, now=now, retry_at=retry_at)
            case Unproven():
                return replace(renewed, proof_wanted=True)
            case None:
                return renewed


def consent_events(before: Connection, after: Connection, now: datetime) -> list[Event]:
    """Tell others when consent went missing or came back; nothing when it is as it was."""
    if before.consent_missing == after.consent_missing:
        return []
    effective = not after.consent_missing
    change = before.version + 1
    return [ConsentChanged(tenant=after.tenant, at=now, profile=after.profile, effective=effective, change=change)]
