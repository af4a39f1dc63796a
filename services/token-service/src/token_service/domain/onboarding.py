"""Onboarding: what holds of a tenant, what is the first thing missing, and what was reached when. Pure facts in."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from contracts.entra_errors import APP_DISABLED
from contracts.errors import ErrorClass
from contracts.names import Answer, ConsentOutcome, PermissionKind, Profile, TokenStatus
from contracts.onboarding import BackupOutcome, OnboardingCause, OnboardingStep, Protection
from token_service.domain.connection import Connection
from token_service.domain.permissions import PermissionRecord

NEEDED = Profile.EXCHANGE_BACKUP
"""The profile without which there is no first backup; others may come later, or never."""

SIGN_IN = frozenset(
    {OnboardingStep.INTEGRATION_CONFIGURED, OnboardingStep.CONSENT_EFFECTIVE, OnboardingStep.PERMISSIONS_VERIFIED}
)
"""Steps that are about the token of the needed profile."""

_ORDER = tuple(OnboardingStep)
_VALID = frozenset({TokenStatus.ACTIVE, TokenStatus.EXPIRING})
_REFUSED = {
    ErrorClass.TOKEN_EXPIRED: OnboardingCause.CREDENTIAL_REFUSED,
    ErrorClass.NO_VALID_TOKEN: OnboardingCause.NO_CREDENTIAL,
}
"""What sign-in or vault say when waiting does not help."""

_UNANSWERED = {
    ConsentOutcome.DECLINED: OnboardingCause.CONSENT_DECLINED,
    ConsentOutcome.FAILED: OnboardingCause.CONSENT_FAILED,
    ConsentOutcome.EXPIRED: OnboardingCause.CONSENT_EXPIRED,
    ConsentOutcome.GRANTED: OnboardingCause.CONSENT_NOT_EFFECTIVE,
    ConsentOutcome.NOT_EFFECTIVE: OnboardingCause.CONSENT_NOT_EFFECTIVE,
    ConsentOutcome.EFFECTIVE: OnboardingCause.CONSENT_WITHDRAWN,
}

_ROLE_TOO_LOW = ("AADSTS90093", "AADSTS90094")
"""What Microsoft says when who opened the link may not consent (entra/identity-platform/reference-error-codes)."""

_APP_DISABLED = f"AADSTS{APP_DISABLED}"


@dataclass(frozen=True)
class Missing:
    """The first step that is not reached, and why."""

    step: OnboardingStep
    cause: OnboardingCause
    detail: str = ""


@dataclass(frozen=True)
class Findings:
    """What holds, each step with its time where the facts tell one, and what is missing first."""

    held: Mapping[OnboardingStep, datetime | None]
    missing: Missing | None
    test_backup: BackupOutcome | None = None


@dataclass(frozen=True)
class Onboarding:
    """How far one tenant is. `version` is the fence of a save."""

    tenant: str
    changed_at: datetime
    looked_at: datetime
    due_at: datetime
    version: int = 0
    reached: Mapping[OnboardingStep, datetime] = field(default_factory=dict)
    first_reached: Mapping[OnboardingStep, datetime] = field(default_factory=dict)
    missing: Missing | None = None
    test_backup: BackupOutcome | None = None

    @property
    def state(self) -> OnboardingStep:
        """The last step reached; the first one is the registration itself."""
        return max(self.reached, key=_ORDER.index, default=OnboardingStep.TENANT_CREATED)

    def looked(self, found: Findings, now: datetime) -> "Onboarding":
        """The state after a look at the facts; a step that no longer holds loses its time, and all after it."""
        reached = {step: self.reached.get(step) or at or now for step, at in found.held.items()}
        after = replace(
            self,
            reached=reached,
            first_reached={**reached, **self.first_reached},
            missing=found.missing,
            test_backup=found.test_backup,
            looked_at=now,
        )
        return replace(after, changed_at=now) if after.differs(self) else after

    def differs(self, before: "Onboarding") -> bool:
        """Tell whether people would see another state, cause or test backup."""
        seen = (self.state, self.missing, self.test_backup)
        return before.version == 0 or seen != (before.state, before.missing, before.test_backup)


def offboarded_findings(created_at: datetime) -> Findings:
    """Nothing is to be reached any more."""
    held = {OnboardingStep.TENANT_CREATED: created_at}
    return Findings(held, Missing(OnboardingStep.INTEGRATION_CONFIGURED, OnboardingCause.OFFBOARDED))


def sign_in_findings(
    created_at: datetime,
    connection: Connection | None,
    permissions: PermissionRecord | None,
    before: Onboarding,
    now: datetime,
) -> Findings:
    """What this service knows by itself: everything before the test backup. `permissions` is the last check."""
    held: dict[OnboardingStep, datetime | None] = {OnboardingStep.TENANT_CREATED: created_at}
    connection = connection or Connection(before.tenant, NEEDED)
    integration = _integration(connection, now)
    if integration is not None:
        return Findings(held, integration)
    held[OnboardingStep.INTEGRATION_CONFIGURED] = None
    consent = _consent(connection, before, now)
    if consent is not None:
        return Findings(held, consent)
    held[OnboardingStep.CONSENT_EFFECTIVE] = connection.consent_proven_at
    if connection.status(now) not in _VALID:
        return Findings(held, Missing(OnboardingStep.PERMISSIONS_VERIFIED, OnboardingCause.NO_TOKEN))
    unverified = _permissions(permissions, connection, before)
    if unverified is not None:
        return Findings(held, unverified)
    held[OnboardingStep.PERMISSIONS_VERIFIED] = None
    return Findings(held, None)


def _permissions(record: PermissionRecord | None, connection: Connection, before: Onboarding) -> Missing | None:
    """Verified is what a check let through: everything the profile needs.

    A refusal from before the consent took effect counts for nothing. A check that could not tell takes nothing away
    that was verified, and verifies nothing.
    """
    step = OnboardingStep.PERMISSIONS_VERIFIED
    if record is None or record.checked_at is None:
        return None if step in before.reached else Missing(step, OnboardingCause.PERMISSIONS_UNCHECKED)
    needed = [state for state in record.states if state.kind is PermissionKind.APPLICATION and not state.optional]
    refused = [state.name for state in needed if state.effective is Answer.NO]
    since = connection.consent_proven_at
    if refused and (since is None or record.checked_at >= since):
        return Missing(step, OnboardingCause.PERMISSIONS_MISSING, " ".join(refused))
    proven = needed and all(state.effective is Answer.YES for state in needed)
    return None if proven or step in before.reached else Missing(step, OnboardingCause.PERMISSIONS_UNCHECKED)


def _integration(connection: Connection, now: datetime) -> Missing | None:
    step = OnboardingStep.INTEGRATION_CONFIGURED
    if connection.client_id is None:
        made = connection.offered is not None
        return Missing(step, OnboardingCause.CERTIFICATE_AWAITED if made else OnboardingCause.NO_CREDENTIAL)
    if connection.status(now) is TokenStatus.DEACTIVATED:
        return Missing(step, OnboardingCause.TOKEN_DEACTIVATED)
    trouble = connection.trouble
    if trouble is not None and trouble.error in _REFUSED:
        return Missing(step, _REFUSED[trouble.error], trouble.detail)
    return None


def _consent(connection: Connection, before: Onboarding, now: datetime) -> Missing | None:
    """Consent holds when calls proved it and nothing has contradicted since; else the last request tells the cause."""
    if connection.consent_proven_at is not None and not connection.consent_missing:
        return None
    step, attempt = OnboardingStep.CONSENT_EFFECTIVE, connection.consent
    if connection.trouble is not None and _APP_DISABLED in connection.trouble.detail:
        return Missing(step, OnboardingCause.APP_DISABLED, connection.trouble.detail)
    if attempt is None:
        had = step in before.first_reached
        return Missing(step, OnboardingCause.CONSENT_WITHDRAWN if had else OnboardingCause.CONSENT_NOT_ASKED)
    if attempt.outcome is ConsentOutcome.WAITING:
        late = attempt.expires_at <= now
        return Missing(step, OnboardingCause.CONSENT_EXPIRED if late else OnboardingCause.CONSENT_AWAITED)
    too_low = any(number in attempt.detail for number in _ROLE_TOO_LOW)
    cause = OnboardingCause.CONSENT_ROLE_TOO_LOW if too_low else _UNANSWERED[attempt.outcome]
    return Missing(step, cause, attempt.detail)


def backup_findings(signed_in: Findings, before: Onboarding, protection: Protection | None) -> Findings:
    """The rest, from what backup-service says; None: it gave no answer, and what was reached stays so until it does."""
    known = before.test_backup
    if protection is None:
        return _unknown(signed_in, before)
    proven = known or protection.test_backup
    if proven is None:
        return replace(signed_in, missing=_unproven(protection))
    held = {**signed_in.held, OnboardingStep.TEST_BACKUP_SUCCEEDED: proven.finished_at}
    if protection.next_run_at is None:
        return Findings(held, Missing(OnboardingStep.PRODUCTIVE, OnboardingCause.NO_SCHEDULE), proven)
    return Findings({**held, OnboardingStep.PRODUCTIVE: None}, None, proven)


def _unknown(signed_in: Findings, before: Onboarding) -> Findings:
    held = {**signed_in.held, **{step: at for step, at in before.reached.items() if step not in signed_in.held}}
    if OnboardingStep.PRODUCTIVE in held:
        return Findings(held, None, before.test_backup)
    step = _ORDER[len(held)]
    return Findings(held, Missing(step, OnboardingCause.BACKUPS_UNKNOWN), before.test_backup)


def _unproven(protection: Protection) -> Missing:
    step, failure = OnboardingStep.TEST_BACKUP_SUCCEEDED, protection.last_failure
    if protection.targets == 0:
        return Missing(step, OnboardingCause.NO_STORAGE_TARGET)
    if protection.configurations == 0:
        return Missing(step, OnboardingCause.NO_CONFIGURATION)
    if protection.going_on:
        return Missing(step, OnboardingCause.BACKUP_GOES_ON)
    if failure is not None:
        return Missing(step, OnboardingCause.BACKUP_FAILED, failure.run)
    return Missing(step, OnboardingCause.NO_BACKUP)


@dataclass(frozen=True)
class LookPolicy:
    """When the facts are looked at without an event; durations in seconds.

    Rarer the longer nothing changed, and never rarer than `longest`, which is also the rhythm of productive tenants.
    """

    shortest: float = 5.0
    longest: float = 300.0
    share: float = 0.05

    def next(self, onboarding: Onboarding, now: datetime) -> datetime:
        quiet = (now - onboarding.changed_at).total_seconds() * self.share
        pause = self.longest if onboarding.missing is None else min(max(quiet, self.shortest), self.longest)
        return now + timedelta(seconds=pause)
