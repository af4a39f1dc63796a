"""Compare a tenant's onboarding with the facts, and tell when it changed. Looking twice changes nothing."""

from dataclasses import replace
from datetime import datetime

import structlog

from chassis.clock import Clock
from contracts.events import Event
from contracts.events.tenants import OnboardingChanged
from contracts.onboarding import NEXT_STEPS, OnboardingStep
from token_service.domain.onboarding import (
    NEEDED,
    Findings,
    LookPolicy,
    Onboarding,
    backup_findings,
    offboarded_findings,
    sign_in_findings,
)
from token_service.domain.tenant import TenantRecord
from token_service.ports import (
    Announcements,
    Backups,
    Connections,
    Offboardings,
    Onboardings,
    PermissionRecords,
    Tenants,
)

log = structlog.get_logger(__name__)

_ATTEMPTS = 5
_PER_ROUND = 50


class LookAtOnboarding:
    """Events ask for a look, people do by their question, and the sweep does for all: a lost event blocks nobody."""

    def __init__(
        self,
        *,
        tenants: Tenants,
        connections: Connections,
        onboardings: Onboardings,
        offboardings: Offboardings,
        permissions: PermissionRecords,
        backups: Backups,
        announcements: Announcements,
        clock: Clock,
        policy: LookPolicy,
    ) -> None:
        self._tenants = tenants
        self._connections = connections
        self._onboardings = onboardings
        self._offboardings = offboardings
        self._permissions = permissions
        self._backups = backups
        self._announcements = announcements
        self._clock = clock
        self._policy = policy
        self._enrolled_to: str | None = None

    async def __call__(self, tenant: TenantRecord) -> Onboarding:
        """Look now, and give what was found."""
        for _ in range(_ATTEMPTS):
            now = self._clock.now()
            before = await self._onboardings.get(tenant.slug) or _begun(tenant)
            after = before.looked(await self._findings(tenant, before, now), now)
            after = replace(after, due_at=self._policy.next(after, now))
            events = [_changed(after, now)] if after.differs(before) else []
            saved = await self._onboardings.save(after, events)
            if saved is None:
                continue  # another replica looked meanwhile: look at what it found
            if events:
                self._announcements.soon(tenant.slug)
                log.info("onboarding changed", tenant=tenant.slug, state=saved.state.value)
            return saved
        return after

    async def sweep(self) -> int:
        """Look at some tenants that are due."""
        due = await self._onboardings.due(self._clock.now(), _PER_ROUND)
        for slug in due:
            tenant = await self._tenants.get(slug)
            if tenant is not None:
                await self(tenant)
        return len(due)

    async def enrol(self) -> int:
        """Begin with tenants that have no onboarding yet: of before there was one, or registered by who then died.

        One page of the register per round, again and again.
        """
        page = await self._tenants.page(self._enrolled_to, _PER_ROUND)
        self._enrolled_to = page[-1].slug if len(page) == _PER_ROUND else None
        known = await self._onboardings.known([tenant.slug for tenant in page])
        missing = [tenant for tenant in page if tenant.slug not in known]
        for tenant in missing:
            await self(tenant)
        return len(missing)

    async def _findings(self, tenant: TenantRecord, before: Onboarding, now: datetime) -> Findings:
        ended = await self._offboardings.get(tenant.slug)
        if ended is not None and ended.ends_the_tenant:
            return offboarded_findings(tenant.created_at)
        connection = await self._connections.get(tenant.slug, NEEDED)
        checked = await self._permissions.get(tenant.slug, NEEDED)
        signed_in = sign_in_findings(tenant.created_at, connection, checked, before, now)
        if signed_in.missing is not None:
            return signed_in
        consented_at = before.reached.get(OnboardingStep.CONSENT_EFFECTIVE)
        consented_at = consented_at or signed_in.held[OnboardingStep.CONSENT_EFFECTIVE]
        proven = before.test_backup is not None
        return backup_findings(
            signed_in, before, await self._backups.protection(tenant.slug, None if proven else consented_at)
        )


def _begun(tenant: TenantRecord) -> Onboarding:
    return Onboarding(tenant.slug, tenant.created_at, tenant.created_at, tenant.created_at)


def _changed(after: Onboarding, now: datetime) -> Event:
    missing = after.missing
    return OnboardingChanged(
        tenant=after.tenant,
        at=now,
        state=after.state,
        missing=None if missing is None else missing.step,
        cause=None if missing is None else missing.cause,
        next_step=None if missing is None else NEXT_STEPS[missing.cause],
        change=after.version + 1,
    )
