"""Take a token out of use: deactivate it, or delete it with its app. What the vault holds is destroyed."""

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from chassis.clock import Clock
from chassis.vault import Vault, VaultError
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.events.audit import AuditRecorded
from contracts.names import Profile, RecordEnd, TokenStatus
from contracts.problem import Problem, ProblemError, conflict, not_found, unavailable
from token_service.domain import places
from token_service.domain.connection import Connection, RenewalPolicy
from token_service.domain.records import Retirement
from token_service.ports import Announcements, Connections
from token_service.usecases.destroy_keys import destroy_keys

log = structlog.get_logger(__name__)

_ATTEMPTS = 5
Users = tuple[str, ...]
"""What works with a profile right now, by name."""
_VALID = frozenset({TokenStatus.ACTIVE, TokenStatus.EXPIRING})


class RetireToken:
    """State first, then the vault: from the first write on nothing renews the token.

    A renewal that was on its way may still write one into the vault; what it wrote is destroyed when its reservation is
    over, as is what a crash or a vault that was away left.
    """

    def __init__(
        self,
        connections: Connections,
        vault: Vault,
        announcements: Announcements,
        clock: Clock,
        policy: RenewalPolicy,
    ) -> None:
        self._connections = connections
        self._vault = vault
        self._announcements = announcements
        self._clock = clock
        self._policy = policy

    async def deactivate(self, tenant: str, profile: Profile, caller: Caller, used_by: Users = ()) -> Connection:
        """Switch it off, unless something works with it. Raises ProblemError; repeating it changes nothing."""
        known = await self._known(tenant, profile)
        if known.retired is not None:
            return known
        await self._refuse_if_used(known, used_by)
        return await self._retire(known, RecordEnd.DEACTIVATED, caller)

    async def delete(self, tenant: str, profile: Profile, caller: Caller, used_by: Users = ()) -> Connection:
        """Forget the app of the profile, too. Raises ProblemError; repeating it changes nothing."""
        known = await self._known(tenant, profile)
        if known.retired is not None and known.retired.end is RecordEnd.DELETED:
            return known
        await self._refuse_if_used(known, used_by)
        return await self._retire(known, RecordEnd.DELETED, caller)

    async def by_incident(self, tenant: str, profile: Profile, caller: Caller, incident: str) -> Connection:
        """Switch it off whatever works with it. Raises ProblemError; repeating it changes nothing."""
        known = await self._known(tenant, profile)
        if known.retired is not None:
            return known
        return await self._retire(known, RecordEnd.INCIDENT, caller, incident)

    async def empty(self, retired: Connection) -> bool:
        """Destroy what the vault holds of a retired token whose time has come; False when somebody else does.

        Raises VaultError; it is repeated when the reservation is over.
        """
        claimed = await self._connections.save(retired.claimed(self._claim_ends()))
        if claimed is None:
            return False
        await self._connections.save((await self._destroy(claimed)).emptied())
        return True

    async def _known(self, tenant: str, profile: Profile) -> Connection:
        known = await self._connections.get(tenant, profile)
        if known is None or (known.client_id is None and known.retired is None and known.offered is None):
            raise not_found("token")
        return known

    async def _refuse_if_used(self, known: Connection, used_by: Users) -> None:
        """First the new one, then the old one off; a token that is not valid is no loss."""
        if known.status(self._clock.now()) not in _VALID:
            return
        users = used_by
        if known.profile is Profile.DIRECTORY:  # reads the grants of all the others
            users = (*users, *[other.profile.value for other in await self._valid_others(known)])
        if users:
            raise _last_valid(users)

    async def _valid_others(self, known: Connection) -> list[Connection]:
        found, now = await self._connections.of_tenant(known.tenant), self._clock.now()
        return [other for other in found if other.profile is not known.profile and other.status(now) in _VALID]

    async def _retire(self, known: Connection, end: RecordEnd, caller: Caller, incident: str = "") -> Connection:
        for _ in range(_ATTEMPTS):
            now = self._clock.now()
            retired = known.switched_off(Retirement(end, now, caller.subject, incident)).claimed(self._claim_ends())
            off = await self._connections.save(retired, [_told(known, end, caller, now)])
            if off is not None:
                self._announcements.soon(off.id)
                log.info("token retired", tenant=known.tenant, profile=known.profile.value, end=end.value)
                return await self._destroyed(off)
            known = await self._known(known.tenant, known.profile)
        raise conflict("the connection is being changed by others; try again")

    async def _destroyed(self, off: Connection) -> Connection:
        try:
            destroyed = await self._destroy(off)
        except VaultError as error:
            raise unavailable("the token is off; it is destroyed as soon as the vault answers") from error
        # Still due when the reservation ends: a renewal that was on its way may have written once more by then.
        return await self._connections.save(replace(destroyed, claimed_until=None)) or off

    async def _destroy(self, off: Connection) -> Connection:
        await self._vault.kv_delete(places.token(off.tenant, off.profile))
        await self._vault.kv_delete(places.credentials(off.tenant, off.profile))
        return await destroy_keys(self._vault, off, self._clock.now())

    def _claim_ends(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self._policy.claim)


def _told(known: Connection, end: RecordEnd, caller: Caller, now: datetime) -> AuditRecorded:
    action = AuditAction.PROFILE_DELETE if end is RecordEnd.DELETED else AuditAction.PROFILE_DEACTIVATE
    before = {"client_id": known.client_id, "status": known.status(now)}
    after = {"client_id": None if end is RecordEnd.DELETED else known.client_id, "status": end}
    return recorded(action, known.profile, tenant=known.tenant, caller=caller, at=now, before=before, after=after)


def _last_valid(users: Users) -> ProblemError:
    """Answer: first the new token, then the old one off."""
    return ProblemError(
        Problem(
            code="token-in-use",
            status=409,
            title="This is the last valid token of a profile in use",
            detail="Generate a new one first; it takes this one's place once it is proven. "
            "If it may be in wrong hands, open an incident, which deactivates it at once.",
            errors=tuple({"used_by": user} for user in users),
        )
    )
