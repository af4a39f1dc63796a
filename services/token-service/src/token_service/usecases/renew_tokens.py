"""Renew what is due. One worker per connection, whatever the number of replicas; the last good token is kept."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from chassis.clock import Clock
from chassis.vault import Vault, VaultError
from contracts.errors import ErrorClass
from contracts.names import Profile
from token_service.domain import places
from token_service.domain.connection import Connection, RenewalPolicy, Result
from token_service.domain.credential import Credential, credential_in
from token_service.ports import (
    Announcements,
    Authority,
    Connections,
    Issued,
    NoAnswer,
    NotEffective,
    Proof,
    Refused,
    Tenants,
    Unproven,
    Workloads,
)
from token_service.usecases.destroy_keys import destroy_keys
from token_service.usecases.keep_token import KeepToken, consent_events

log = structlog.get_logger(__name__)

_AT_ONCE = 8
_PER_ROUND = 64


class RenewTokens:
    """`count` hears the result of every attempt; `empty` destroys what the vault holds of a retired token."""

    def __init__(
        self,
        *,
        tenants: Tenants,
        connections: Connections,
        vault: Vault,
        authority: Authority,
        workloads: Workloads,
        keep: KeepToken,
        empty: Callable[[Connection], Awaitable[bool]],
        announcements: Announcements,
        clock: Clock,
        rng: random.Random,
        policy: RenewalPolicy,
        count: Callable[[Result], None],
    ) -> None:
        self._tenants = tenants
        self._connections = connections
        self._vault = vault
        self._authority = authority
        self._workloads = workloads
        self._keep = keep
        self._empty = empty
        self._announcements = announcements
        self._clock = clock
        self._rng = rng
        self._policy = policy
        self._count = count

    async def sweep(self) -> int:
        """Renew some of what is due now; gives how many attempts this replica made."""
        due = await self._connections.due(self._clock.now(), _PER_ROUND)
        places_left = asyncio.Semaphore(_AT_ONCE)

        async def one(connection: Connection) -> bool:
            async with places_left:
                return await self._renew(connection)

        async with asyncio.TaskGroup() as group:
            attempts = [group.create_task(one(connection)) for connection in due]
        return sum(attempt.result() for attempt in attempts)

    async def now(self, tenant: str, profile: Profile) -> None:
        """Renew one connection if it is due and nobody else does."""
        connection = await self._connections.get(tenant, profile)
        if connection is not None and connection.is_due(self._clock.now()):
            await self._renew(connection)

    async def _renew(self, connection: Connection) -> bool:
        if connection.retired is not None:
            return await self._emptied(connection)
        until = self._clock.now() + timedelta(seconds=self._policy.claim)
        claimed = await self._connections.save(connection.claimed(until))
        if claimed is None:
            return False
        result = await self._attempt(claimed)
        self._count(result)
        # Plain facts only: neither token nor secret is anywhere near this line.
        log.info("token renewal", tenant=claimed.tenant, profile=claimed.profile.value, result=result)
        return True

    async def _emptied(self, retired: Connection) -> bool:
        try:
            return await self._empty(retired)
        except VaultError as lost:
            log.warning("a retired token is destroyed later", tenant=retired.tenant, reason=type(lost).__name__)
            return True

    async def _attempt(self, claimed: Connection) -> Result:
        try:
            claimed = await destroy_keys(self._vault, claimed, self._clock.now())  # saved with the outcome
            credential = await self._credential(claimed)
            if credential is None:
                detail = "the vault holds no credential; set it again"
                return await self._fail(claimed, ErrorClass.NO_VALID_TOKEN, detail, "refused")
            outcome = await self._authority.acquire(*credential)
            match outcome:
                case Issued():
                    return await self._judge(claimed, credential[1], outcome)
                case Refused(error=error, detail=detail):
                    return await self._fail(claimed, error, detail, "refused")
                case NoAnswer(error=error, detail=detail, retry_after=asked):
                    return await self._fail(claimed, error, detail, "no_answer", asked)
        except VaultError as lost:
            detail = f"{type(lost).__name__} at {lost.operation}"
            return await self._fail(claimed, ErrorClass.VAULT_UNREACHABLE, detail, "vault")

    async def _credential(self, claimed: Connection) -> tuple[str, str, Credential] | None:
        tenant = await self._tenants.get(claimed.tenant)
        found = await self._vault.kv_read(places.credentials(claimed.tenant, claimed.profile))
        if tenant is None or found is None:
            return None
        client_id, credential = found[0].get("client_id"), credential_in(found[0])
        if not isinstance(client_id, str) or credential is None:
            return None
        return tenant.entra_tenant_id, client_id, credential

    async def _judge(self, claimed: Connection, client_id: str, issued: Issued) -> Result:
        """Sign-in issues tokens without permissions too: where consent is in doubt, Graph has the last word."""
        wanted = claimed.proof_wanted or bool(claimed.without)
        proof = await self._workloads.prove(claimed.profile, issued.token) if wanted else None
        match proof:
            case NotEffective(detail=detail):
                return await self._fail(claimed, ErrorClass.CONSENT_REQUIRED, detail, "refused")
            case Unproven(detail=detail) if claimed.consent_missing:
                return await self._fail(claimed, ErrorClass.CONSENT_REQUIRED, detail, "no_answer")
            case _:
                return await self._succeed(claimed, client_id, issued, proof)

    async def _succeed(self, claimed: Connection, client_id: str, issued: Issued, proof: Proof | None) -> Result:
        kept = await self._keep(claimed, client_id, issued, proof)
        if kept is None:
            # Somebody set a new credential meanwhile, and our token may have overwritten theirs: once more.
            await self._ask_again(claimed)
            return "superseded"
        self._announcements.soon(kept.id)
        return "renewed"

    async def _fail(
        self, claimed: Connection, error: ErrorClass, detail: str, result: Result, asked: float = 0.0
    ) -> Result:
        """Try again after a pause of our own, or after the one Microsoft asked for (seconds) where that is longer."""
        now = self._clock.now()
        pause = max(self._policy.retry_after(claimed.failures + 1, self._rng), min(asked, self._policy.longest))
        failed = claimed.failed(error, detail, now=now, retry_at=now + timedelta(seconds=pause))
        events = consent_events(claimed, failed, now)
        if await self._connections.save(failed, events) is None:
            return "superseded"
        if events:
            self._announcements.soon(failed.id)
        return result

    async def _ask_again(self, claimed: Connection) -> None:
        current = await self._connections.get(claimed.tenant, claimed.profile)
        if current is not None:
            await self._connections.save(current.due(self._clock.now()))
