"""Take over a credential: prove it by a token, only then keep it. The one before works until then."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from chassis.clock import Clock
from chassis.vault import Vault, VaultError
from contracts import rpc
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.errors import ErrorClass
from contracts.events import AuditRecorded
from contracts.names import Profile
from contracts.problem import Problem, ProblemError, conflict, invalid, not_found, unavailable
from token_service.domain import places
from token_service.domain.connection import Connection
from token_service.domain.credential import Credential, VaultKey, brought_in
from token_service.ports import (
    Announcements,
    Authority,
    Connections,
    Issued,
    NoAnswer,
    Proof,
    Refused,
    Tenants,
    Unproven,
    Workloads,
)
from token_service.usecases.destroy_keys import destroy_keys
from token_service.usecases.keep_token import KeepToken

log = structlog.get_logger(__name__)

_ATTEMPTS = 5


@dataclass(frozen=True)
class _Wish:
    """Whose credential it is to become, and who wishes it."""

    tenant: str
    profile: Profile
    client_id: str
    caller: Caller


@dataclass(frozen=True)
class _Proven:
    """A credential with the token that proved it, and what Graph said to that token."""

    credential: Credential
    issued: Issued
    proof: Proof


Fresh = Callable[[Connection], bool]
"""Whether the credential still is to take the place of what the connection has; False: it has done so already."""


class SetCredential:
    """`patience` and `proof_patience` (seconds) bound the answers of authority and Graph: the asker waits for ours."""

    def __init__(
        self,
        *,
        tenants: Tenants,
        connections: Connections,
        vault: Vault,
        authority: Authority,
        workloads: Workloads,
        keep: KeepToken,
        announcements: Announcements,
        clock: Clock,
        patience: float = 3.5,
        proof_patience: float = 1.0,
    ) -> None:
        self._tenants = tenants
        self._connections = connections
        self._vault = vault
        self._authority = authority
        self._workloads = workloads
        self._keep = keep
        self._announcements = announcements
        self._clock = clock
        self._patience = patience
        self._proof_patience = proof_patience

    async def __call__(self, tenant: str, wish: rpc.SetCredential, caller: Caller) -> Connection:
        """Prove and keep the credential that waits in the intake; the intake is empty afterwards in any case.

        `caller` is who generates the token. A repeat of a question that was answered before gives the same connection.
        Raises ProblemError.
        """
        try:
            return await self._take_over(_Wish(tenant, wish.profile, wish.client_id, caller), wish.intake)
        except VaultError as error:
            raise unavailable("the vault does not answer; set the credential again shortly") from error

    async def vault_key(self, tenant: str, profile: Profile, client_id: str, caller: Caller) -> Connection:
        """Prove the key that is offered, whose certificate was uploaded meanwhile, and sign in with it from now on.

        Until it is proven the credential before is in use, and nothing of it is touched; afterwards its key, if it was
        one in the vault, is destroyed. A repeat gives the same connection. Raises ProblemError.
        """
        wish = _Wish(tenant, profile, client_id, caller)
        try:
            return await self._sign_in_with_key(wish)
        except VaultError as error:
            raise unavailable("the vault does not answer; try again shortly") from error

    async def _take_over(self, wish: _Wish, intake: str) -> Connection:
        entra_tenant_id = await self._entra_tenant_id(wish)
        path = places.intake(wish.tenant, intake)
        credential = await self._waiting(path)
        if credential is None:
            return await self._answered_before(wish, intake)
        try:
            proven = await self._proven(entra_tenant_id, wish, credential)
            return await self._keep_both(wish, proven, lambda known: known.intake != intake, intake)
        finally:
            # A refused secret must not lie about, and an accepted one lies in its own place now.
            await self._vault.kv_delete(path)

    async def _sign_in_with_key(self, wish: _Wish) -> Connection:
        entra_tenant_id = await self._entra_tenant_id(wish)
        known = await self._connections.get(wish.tenant, wish.profile)
        offer = None if known is None else known.offered
        if known is None or offer is None:
            if known is not None and known.key is not None and known.client_id == wish.client_id:
                return known
            raise invalid("no key is offered; ask for its certificate and upload that first")
        credential = VaultKey(offer.certificate, places.app_key(wish.tenant, wish.profile, offer.number))
        proven = await self._proven(entra_tenant_id, wish, credential)
        return await self._keep_both(wish, proven, lambda now: now.offered == offer)

    async def _entra_tenant_id(self, wish: _Wish) -> str:
        record = await self._tenants.get(wish.tenant)
        if record is None:
            raise not_found("tenant")
        return record.entra_tenant_id

    async def _waiting(self, path: str) -> Credential | None:
        found = await self._vault.kv_read(path)
        if found is None:
            return None
        credential = brought_in(found[0])
        if credential is None:
            await self._vault.kv_delete(path)
            raise invalid("the intake holds neither secret nor certificate; set the credential again")
        return credential

    async def _answered_before(self, wish: _Wish, intake: str) -> Connection:
        known = await self._connections.get(wish.tenant, wish.profile)
        if known is not None and known.intake == intake:
            return known
        raise invalid("nothing waits in the intake; set the credential again")

    async def _proven(self, entra_tenant_id: str, wish: _Wish, credential: Credential) -> _Proven:
        issued = await self._prove(entra_tenant_id, wish.client_id, credential)
        return _Proven(credential, issued, await self._try(wish.profile, issued))

    async def _prove(self, entra_tenant_id: str, client_id: str, credential: Credential) -> Issued:
        try:
            async with asyncio.timeout(self._patience):
                outcome = await self._authority.acquire(entra_tenant_id, client_id, credential)
        except TimeoutError as error:
            raise unavailable("Microsoft's sign-in did not answer in time; set the credential again") from error
        match outcome:
            case Issued():
                return outcome
            case NoAnswer(detail=detail):
                raise unavailable(f"Microsoft's sign-in gave no answer ({detail}); set the credential again")
            case Refused(error=reason, detail=detail):
                raise ProblemError(
                    Problem(
                        code="credential-refused",
                        status=422,
                        title="Microsoft refuses the credential",
                        detail=f"{detail}; nothing was saved. Check client id, secret or certificate, and consent.",
                        errors=({"class": reason.value, "detail": detail},),
                    )
                )

    async def _try(self, profile: Profile, issued: Issued) -> Proof:
        """A token without consent is issued all the same: only Graph knows. What it leaves open is tried again."""
        try:
            async with asyncio.timeout(self._proof_patience):
                return await self._workloads.prove(profile, issued.token)
        except TimeoutError:
            return Unproven(ErrorClass.CONNECTION_TIMEOUT, "Microsoft Graph did not answer in time")

    async def _keep_both(self, wish: _Wish, proven: _Proven, fresh: Fresh, intake: str | None = None) -> Connection:
        stored = {"client_id": wish.client_id, **proven.credential.stored()}
        for _ in range(_ATTEMPTS):
            now = self._clock.now()
            known = await self._connections.get(wish.tenant, wish.profile) or Connection(wish.tenant, wish.profile)
            if known.retired is not None and known.is_claimed(now):
                raise conflict("the token before is being destroyed; set the credential again in a minute")
            if isinstance(proven.credential, VaultKey) and not fresh(known):
                if known.key == proven.credential.number:
                    return known
                raise conflict("the key was withdrawn meanwhile; ask for a new certificate")
            await self._vault.kv_write(places.credentials(wish.tenant, wish.profile), stored)
            if fresh(known):  # else this is a repeat, whose record exists
                known = known.generated(wish.client_id, proven.credential, by=wish.caller.subject, now=now)
            known = replace(known, intake=intake or known.intake)
            kept = await self._keep(known, wish.client_id, proven.issued, proven.proof, [self._told(wish, proven)])
            if kept is not None:
                self._announcements.soon(kept.id)
                log.info("credential proven and kept", tenant=wish.tenant, profile=wish.profile.value)
                return await self._without_spent_keys(kept)
        raise conflict("the connection is being changed by others; set the credential again")

    async def _without_spent_keys(self, kept: Connection) -> Connection:
        """The key before goes now that the new credential is proven; what fails here the next renewal does."""
        try:
            destroyed = await destroy_keys(self._vault, kept, self._clock.now())
        except VaultError as error:
            log.warning("a key that was replaced is destroyed later", tenant=kept.tenant, reason=type(error).__name__)
            return kept
        return kept if destroyed == kept else await self._connections.save(destroyed) or kept

    def _told(self, wish: _Wish, proven: _Proven) -> AuditRecorded:
        """Recorded also where the app stays the same: of a credential's value nothing can be compared."""
        return recorded(
            AuditAction.PROFILE_SET_CREDENTIAL,
            wish.profile,
            tenant=wish.tenant,
            caller=wish.caller,
            at=self._clock.now(),
            after={"client_id": wish.client_id, "signs_in_with": proven.credential.kind.value},
        )
