"""Is a token any good, right now? Asked of Graph, whose answer is the state from then on."""

import asyncio
import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import SecretStr

from chassis.clock import Clock
from chassis.vault import Vault, VaultError
from contracts.errors import ErrorClass
from contracts.names import Profile
from contracts.problem import not_found, unavailable
from token_service.domain import places
from token_service.domain.connection import Connection, RenewalPolicy
from token_service.ports import Announcements, Connections, Effective, NotEffective, Proof, Unproven, Workloads
from token_service.usecases.keep_token import consent_events

_ATTEMPTS = 5


@dataclass(frozen=True)
class Verdict:
    """`proof` is None without a token that could be tried."""

    at: datetime
    connection: Connection
    proof: Proof | None


class VerifyToken:
    """`patience` (seconds) bounds Graph's answers, because the asker waits for ours."""

    def __init__(
        self,
        connections: Connections,
        vault: Vault,
        workloads: Workloads,
        announcements: Announcements,
        *,
        clock: Clock,
        rng: random.Random,
        policy: RenewalPolicy,
        patience: float = 3.5,
    ) -> None:
        self._connections = connections
        self._vault = vault
        self._workloads = workloads
        self._announcements = announcements
        self._clock = clock
        self._rng = rng
        self._policy = policy
        self._patience = patience

    async def __call__(self, tenant: str, profile: Profile) -> Verdict:
        """Try the stored token in every workload of the profile. Raises ProblemError: not found, unavailable."""
        known = await self._connections.get(tenant, profile)
        if known is None:
            raise not_found("token")
        token = None if known.retired is not None else await self._stored(known)
        if token is None:
            return Verdict(self._clock.now(), known, None)
        proof = await self._proof(profile, token)
        return Verdict(self._clock.now(), await self._recorded(known, proof), proof)

    async def _stored(self, known: Connection) -> SecretStr | None:
        try:
            found = await self._vault.kv_read(places.token(known.tenant, known.profile))
        except VaultError as error:
            raise unavailable("the vault does not answer; verify the token again shortly") from error
        return None if found is None else SecretStr(str(found[0]["access_token"]))

    async def _proof(self, profile: Profile, token: SecretStr) -> Proof:
        try:
            async with asyncio.timeout(self._patience):
                return await self._workloads.prove(profile, token)
        except TimeoutError:
            return Unproven(ErrorClass.CONNECTION_TIMEOUT, "Microsoft Graph did not answer in time")

    async def _recorded(self, known: Connection, proof: Proof) -> Connection:
        """Save what Graph said, unless the token was replaced or retired meanwhile: then it says nothing of the new."""
        generation = None if known.token is None else known.token.generation
        for _ in range(_ATTEMPTS):
            judged = self._judged(known, proof)
            events = consent_events(known, judged, self._clock.now())
            saved = await self._connections.save(judged, events)
            if saved is not None:
                if events:
                    self._announcements.soon(saved.id)
                return saved
            known = await self._connections.get(known.tenant, known.profile) or known
            if known.retired is not None or known.token is None or known.token.generation != generation:
                break
        return known

    def _judged(self, known: Connection, proof: Proof) -> Connection:
        now = self._clock.now()
        match proof:
            case Effective() if known.consent_missing:
                # A renewal proves it again and tells all who wait.
                return replace(known, proof_wanted=True).due(now)
            case Effective(without=without):
                return known.proven(now, without)
            case NotEffective(detail=detail):
                retry_at = now + timedelta(seconds=self._policy.retry_after(1, self._rng))
                return known.failed(ErrorClass.CONSENT_REQUIRED, detail, now=now, retry_at=retry_at)
            case Unproven():
                return known
