"""Take over a credential: prove it by a token, only then keep it."""

import asyncio
import dataclasses
from dataclasses import dataclass

import structlog

from chassis.clock import Clock
from chassis.vault import Vault, VaultError
from contracts import rpc
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.errors import ErrorClass
from contracts.events import AuditRecorded
from contracts.problem import Problem, ProblemError, conflict, invalid, not_found, unavailable
from token_service.domain import places
from token_service.domain.connection import Connection
from token_service.domain.credential import Credential, credential_in
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
from token_service.usecases.keep_token import KeepToken

log = structlog.get_logger(__name__)

_ATTEMPTS = 5


@dataclass(frozen=True)
class _Proven:
    """A credential with the token that proved it, and what Graph said to that token."""

    credential: Credential
    issued: Issued
    proof: Proof


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
            return await self._take_over(tenant, wish, caller)
        except VaultError as error:
            raise unavailable("the vault does not answer; set the credential again shortly") from error

    async def _take_over(self, tenant: str, wish: rpc.SetCredential, caller: Caller) -> Connection:
        record = await self._tenants.get(tenant)
        if record is None:
            raise not_found("tenant")
        path = places.intake(tenant, wish.intake)
        credential = await self._waiting(path)
        if credential is None:
            return await self._answered_before(tenant, wish)
        try:
            issued = await self._prove(record.entra_tenant_id, wish.client_id, credential)
            proof = await self._try(wish, issued)
            connection = await self._keep_both(tenant, wish, _Proven(credential, issued, proof), caller)
        finally:
            # A refused secret must not lie about, and an accepted one lies in its own place now.
            await self._vault.kv_delete(path)
        self._announcements.soon(connection.id)
        log.info("credential proven and kept", tenant=tenant, profile=wish.profile.value, client_id=wish.client_id)
        return connection

    async def _waiting(self, path: str) -> Credential | None:
        found = await self._vault.kv_read(path)
        if found is None:
            return None
        credential = credential_in(found[0])
        if credential is None:
            await self._vault.kv_delete(path)
            raise invalid("the intake holds neither secret nor certificate; set the credential again")
        return credential

    async def _answered_before(self, tenant: str, wish: rpc.SetCredential) -> Connection:
        known = await self._connections.get(tenant, wish.profile)
        if known is not None and known.intake == wish.intake:
            return known
        raise invalid("nothing waits in the intake; set the credential again")

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

    async def _try(self, wish: rpc.SetCredential, issued: Issued) -> Proof:
        """A token without consent is issued all the same: only Graph knows. What it leaves open is tried again."""
        try:
            async with asyncio.timeout(self._proof_patience):
                return await self._workloads.prove(wish.profile, issued.token)
        except TimeoutError:
            return Unproven(ErrorClass.CONNECTION_TIMEOUT, "Microsoft Graph did not answer in time")

    async def _keep_both(self, tenant: str, wish: rpc.SetCredential, proven: _Proven, caller: Caller) -> Connection:
        stored = {"client_id": wish.client_id, **proven.credential.stored()}
        for _ in range(_ATTEMPTS):
            known = await self._connections.get(tenant, wish.profile) or Connection(tenant, wish.profile)
            if known.retired is not None and known.is_claimed(self._clock.now()):
                raise conflict("the token before is being destroyed; set the credential again in a minute")
            await self._vault.kv_write(places.credentials(tenant, wish.profile), stored)
            if known.intake != wish.intake:  # else this is a repeat, whose record exists
                kind, now = proven.credential.kind, self._clock.now()
                known = known.generated(wish.client_id, kind, by=caller.subject, now=now)
            known = dataclasses.replace(known, intake=wish.intake)
            told = self._told(tenant, wish, proven.credential, caller)
            kept = await self._keep(known, wish.client_id, proven.issued, proven.proof, [told])
            if kept is not None:
                return kept
        raise conflict("the connection is being changed by others; set the credential again")

    def _told(self, tenant: str, wish: rpc.SetCredential, credential: Credential, caller: Caller) -> AuditRecorded:
        """Recorded also where the app stays the same: of a credential's value nothing can be compared."""
        return recorded(
            AuditAction.PROFILE_SET_CREDENTIAL,
            wish.profile,
            tenant=tenant,
            caller=caller,
            at=self._clock.now(),
            after={"client_id": wish.client_id, "signs_in_with": credential.kind.value},
        )
