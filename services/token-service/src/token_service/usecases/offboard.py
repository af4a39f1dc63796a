"""Offboard a tenant: stop, export, shred, proof. What can be checked is checked, the rest is attested by name.

This service destroys no key: the transit key goes by an operator's own role of the vault, which no service has, and the
recovery key by the customer. It says when that may happen, checks that it did, and keeps the record.
"""

from collections.abc import Callable
from dataclasses import replace

import structlog

from chassis.clock import Clock
from chassis.vault import Vault, VaultError
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller, itself
from contracts.names import Profile
from contracts.offboarding import Holdings, OffboardingBlock, OffboardingDeed, OffboardingState
from contracts.operations.offboarding import AttestKey, DecideExport, OrderShredding
from contracts.problem import Problem, ProblemError, conflict, invalid, not_found, unavailable
from token_service.domain.offboarding import Offboarding, shred_block, stop_block
from token_service.ports import Announcements, Backups, Connections, Offboardings, Tenants
from token_service.usecases.retire_token import RetireToken

log = structlog.get_logger(__name__)

_ATTEMPTS = 5
SERVICE = itself("token-service")
Step = Callable[[Offboarding], Offboarding]


class Offboard:
    """Every command may be repeated: what is done already stays as it was done."""

    def __init__(
        self,
        *,
        tenants: Tenants,
        connections: Connections,
        offboardings: Offboardings,
        backups: Backups,
        retire: RetireToken,
        vault: Vault,
        announcements: Announcements,
        clock: Clock,
    ) -> None:
        self._tenants = tenants
        self._connections = connections
        self._offboardings = offboardings
        self._backups = backups
        self._retire = retire
        self._vault = vault
        self._announcements = announcements
        self._clock = clock

    async def look(self, tenant: str) -> tuple[Offboarding, Holdings | None]:
        """Check what can be checked, and give the record with what is still held. Raises ProblemError: not found."""
        record = await self._known(tenant)
        holdings = None if record.over else await self._backups.holdings(tenant, keys=False)
        if record.state is OffboardingState.STOPPING and record.did(OffboardingDeed.TOKENS_DEACTIVATED):
            if stop_block(holdings) is None:
                record = await self._step(tenant, _stopped, SERVICE, OffboardingDeed.STOPPED)
        elif record.state is OffboardingState.SHREDDING:
            record = await self._checked(record)
        return record, holdings

    async def begin(self, tenant: str, caller: Caller) -> tuple[Offboarding, Holdings | None]:
        """Take the tokens out of use; the asker has stopped the backups before. Raises ProblemError."""
        if await self._tenants.get(tenant) is None:
            raise not_found("tenant")
        record = await self._offboardings.get(tenant) or Offboarding(tenant)
        if record.version == 0 or record.state is OffboardingState.CANCELLED:
            action = AuditAction.OFFBOARDING_BEGIN
            await self._step(tenant, _begun, caller, OffboardingDeed.BEGUN, action)
            log.info("offboarding begun", tenant=tenant)
        if not (await self._known(tenant)).did(OffboardingDeed.TOKENS_DEACTIVATED):
            await self._deactivate(tenant, caller)
            await self._step(tenant, _same, caller, OffboardingDeed.TOKENS_DEACTIVATED)
        return await self.look(tenant)

    async def cancel(self, tenant: str, caller: Caller) -> tuple[Offboarding, Holdings | None]:
        """Give the tenant back to life, as long as nothing was ordered that cannot be undone. Raises ProblemError."""
        record = await self._known(tenant)
        if record.state in {OffboardingState.SHREDDING, OffboardingState.SHREDDED}:
            raise conflict("shredding was ordered; that cannot be taken back")
        if record.state is not OffboardingState.CANCELLED:
            action = AuditAction.OFFBOARDING_CANCEL
            record = await self._step(tenant, _cancelled, caller, OffboardingDeed.CANCELLED, action)
        return record, None

    async def decide_export(
        self, tenant: str, wanted: DecideExport, caller: Caller
    ) -> tuple[Offboarding, Holdings | None]:
        """Record what became of the offer to export. Raises ProblemError."""
        record, _ = await self.look(tenant)
        if record.state not in {OffboardingState.STOPPED, OffboardingState.EXPORT_DECIDED}:
            raise conflict("this is decided between the stop and the order to shred")
        deed = OffboardingDeed.EXPORTED if wanted.exported else OffboardingDeed.EXPORT_DECLINED
        action = AuditAction.OFFBOARDING_DECIDE_EXPORT
        await self._step(tenant, _decided, caller, deed, action, note=wanted.note)
        return await self.look(tenant)

    async def order_shredding(
        self, tenant: str, wanted: OrderShredding, caller: Caller
    ) -> tuple[Offboarding, Holdings | None]:
        """Allow the keys to be destroyed, and list them from the repositories. Raises ProblemError.

        Refused while a legal hold or the least retention covers anything, or while that is not known.
        """
        if wanted.confirm != tenant:
            raise invalid("the name typed to confirm is not the tenant's")
        record, _ = await self.look(tenant)
        if record.state in {OffboardingState.SHREDDING, OffboardingState.SHREDDED}:
            return await self.look(tenant)
        if record.state is not OffboardingState.EXPORT_DECIDED:
            raise conflict("stop the tenant and decide about the export first")
        holdings = await self._backups.holdings(tenant, keys=True)
        block = shred_block(holdings, self._clock.now())
        if block is not None or holdings is None:
            raise _held(block or OffboardingBlock.BACKUPS_UNKNOWN, holdings)
        deed, action = OffboardingDeed.SHREDDING_ORDERED, AuditAction.OFFBOARDING_ORDER_SHREDDING
        await self._step(tenant, lambda one: one.ordered(holdings), caller, deed, action)
        log.info("shredding ordered", tenant=tenant)
        return await self.look(tenant)

    async def attest_key(self, tenant: str, wanted: AttestKey, caller: Caller) -> tuple[Offboarding, Holdings | None]:
        """Record that the customer destroyed every copy of a recovery key. Raises ProblemError."""
        record = await self._known(tenant)
        if wanted.fingerprint not in {key.name for key in record.keys if key.kind == "recovery"}:
            raise invalid("no repository of this tenant is opened by that recovery key, or shredding is not ordered")
        if wanted.fingerprint in record.left("recovery"):
            now = self._clock.now()
            action = AuditAction.OFFBOARDING_ATTEST_KEY
            note = f"{wanted.fingerprint} {wanted.by}"
            await self._step(
                tenant,
                lambda one: one.destroyed([wanted.fingerprint], at=now, by=wanted.by),
                caller,
                OffboardingDeed.RECOVERY_KEY_DESTROYED,
                action,
                note=note,
            )
        return await self.look(tenant)

    async def _deactivate(self, tenant: str, caller: Caller) -> None:
        """The directory's token last: it reads the grants of the others."""
        found = await self._connections.of_tenant(tenant)
        known = [one for one in found if one.client_id is not None or one.offered is not None]
        for connection in sorted(known, key=lambda one: one.profile is Profile.DIRECTORY):
            await self._retire.deactivate(tenant, connection.profile, caller)

    async def _checked(self, record: Offboarding) -> Offboarding:
        """See which transit keys are gone; when every key is, it is shredded."""
        gone = [name for name in record.left("transit") if not await self._has_key(name)]
        if gone:
            now = self._clock.now()
            record = await self._step(
                record.tenant,
                lambda one: one.destroyed(gone, at=now, by=SERVICE.subject),
                SERVICE,
                OffboardingDeed.TRANSIT_KEY_GONE,
                note=" ".join(gone),
            )
        if record.state is OffboardingState.SHREDDING and not record.left("transit") and not record.left("recovery"):
            deed, action = OffboardingDeed.SHREDDED, AuditAction.OFFBOARDING_SHRED
            record = await self._step(record.tenant, _shredded, SERVICE, deed, action)
            log.info("tenant shredded", tenant=record.tenant)
        return record

    async def _has_key(self, name: str) -> bool:
        try:
            return await self._vault.transit_has_key(name)
        except VaultError as error:
            raise unavailable("the vault does not say whether the key is gone; try again shortly") from error

    async def _step(
        self,
        tenant: str,
        change: Step,
        caller: Caller,
        deed: OffboardingDeed,
        action: AuditAction | None = None,
        *,
        note: str = "",
    ) -> Offboarding:
        """Write one line, with the change it stands for and its audit record."""
        for _ in range(_ATTEMPTS):
            now = self._clock.now()
            before = await self._offboardings.get(tenant) or Offboarding(tenant)
            if before.did(deed) and deed not in _REPEATABLE:
                return before
            after = change(before).done(deed, at=now, by=caller.subject, note=note)
            events = []
            if action is not None:
                facts = {"state": after.state.value, "note": note, "keys": [key.name for key in after.keys]}
                events = [recorded(action, tenant, tenant=tenant, caller=caller, at=now, after=facts)]
            saved = await self._offboardings.save(after, events)
            if saved is not None:
                self._announcements.soon(tenant)
                return saved
        raise conflict("the offboarding is being changed by others; try again")

    async def _known(self, tenant: str) -> Offboarding:
        record = await self._offboardings.get(tenant)
        if record is None:
            raise not_found("offboarding")
        return record


_REPEATABLE = frozenset(
    {
        OffboardingDeed.EXPORTED,
        OffboardingDeed.EXPORT_DECLINED,
        OffboardingDeed.TRANSIT_KEY_GONE,
        OffboardingDeed.RECOVERY_KEY_DESTROYED,
    }
)
"""Deeds that may have several lines in one offboarding."""


def _same(record: Offboarding) -> Offboarding:
    return record


def _begun(record: Offboarding) -> Offboarding:
    return replace(record, state=OffboardingState.STOPPING)


def _stopped(record: Offboarding) -> Offboarding:
    return replace(record, state=OffboardingState.STOPPED)


def _decided(record: Offboarding) -> Offboarding:
    return replace(record, state=OffboardingState.EXPORT_DECIDED)


def _shredded(record: Offboarding) -> Offboarding:
    return replace(record, state=OffboardingState.SHREDDED)


def _cancelled(record: Offboarding) -> Offboarding:
    return replace(record, state=OffboardingState.CANCELLED)


def _held(block: OffboardingBlock, holdings: Holdings | None) -> ProblemError:
    until = None if holdings is None else holdings.held_until
    facts = {"block": block.value, **({} if until is None else {"held_until": until.isoformat()})}
    return ProblemError(
        Problem(
            code="shredding-refused",
            status=409,
            title="What is stored must not be made unreadable now",
            detail=f"{block.value}; nothing was ordered",
            errors=(facts,),
        )
    )
