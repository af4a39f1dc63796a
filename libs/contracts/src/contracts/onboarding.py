"""Onboarding: how far a tenant is on its way to regular backups, what is missing and what to do about it.

The steps and their order are the product's best practice: create the tenant, configure the Microsoft integration,
admin consent, verify token and permissions, test backup, productive. The service carries codes; texts are in
`onboarding_texts`.
"""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.names import JobState, Profile, Slug, Token


class OnboardingStep(StrEnum):
    """The steps in their order; each counts only while all before it do."""

    TENANT_CREATED = "tenant_created"
    INTEGRATION_CONFIGURED = "integration_configured"
    CONSENT_EFFECTIVE = "consent_effective"
    PERMISSIONS_VERIFIED = "permissions_verified"
    TEST_BACKUP_SUCCEEDED = "test_backup_succeeded"
    PRODUCTIVE = "productive"


class OnboardingCause(StrEnum):
    """Why a step is not reached, or is not reached any more."""

    NO_CREDENTIAL = "no_credential"
    CERTIFICATE_AWAITED = "certificate_awaited"
    TOKEN_DEACTIVATED = "token_deactivated"  # noqa: S105 - a cause, not a password
    CREDENTIAL_REFUSED = "credential_refused"
    NO_TOKEN = "no_token"  # noqa: S105 - a cause, not a password
    CONSENT_NOT_ASKED = "consent_not_asked"
    CONSENT_AWAITED = "consent_awaited"
    CONSENT_DECLINED = "consent_declined"
    CONSENT_ROLE_TOO_LOW = "consent_role_too_low"
    CONSENT_FAILED = "consent_failed"
    CONSENT_EXPIRED = "consent_expired"
    CONSENT_NOT_EFFECTIVE = "consent_not_effective"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    APP_DISABLED = "app_disabled"
    PERMISSIONS_UNCHECKED = "permissions_unchecked"
    PERMISSIONS_MISSING = "permissions_missing"
    NO_STORAGE_TARGET = "no_storage_target"
    NO_CONFIGURATION = "no_configuration"
    NO_BACKUP = "no_backup"
    BACKUP_GOES_ON = "backup_goes_on"
    BACKUP_FAILED = "backup_failed"
    NO_SCHEDULE = "no_schedule"
    BACKUPS_UNKNOWN = "backups_unknown"
    OFFBOARDED = "offboarded"


class NextStep(StrEnum):
    """What somebody does about a cause."""

    SET_CREDENTIAL = "set_credential"
    UPLOAD_CERTIFICATE = "upload_certificate"
    ASK_CONSENT = "ask_consent"
    OPEN_CONSENT_LINK = "open_consent_link"
    ASK_HIGHER_ROLE = "ask_higher_role"
    CHECK_REGISTRATION = "check_registration"
    ENABLE_APP = "enable_app"
    WAIT = "wait"
    CHECK_PERMISSIONS = "check_permissions"
    ADD_STORAGE_TARGET = "add_storage_target"
    CONFIGURE_BACKUP = "configure_backup"
    RUN_BACKUP = "run_backup"
    LOOK_AT_RUN = "look_at_run"
    SCHEDULE_BACKUP = "schedule_backup"
    NOTHING = "nothing"


NEXT_STEPS: dict[OnboardingCause, NextStep] = {
    OnboardingCause.NO_CREDENTIAL: NextStep.SET_CREDENTIAL,
    OnboardingCause.CERTIFICATE_AWAITED: NextStep.UPLOAD_CERTIFICATE,
    OnboardingCause.TOKEN_DEACTIVATED: NextStep.SET_CREDENTIAL,
    OnboardingCause.CREDENTIAL_REFUSED: NextStep.SET_CREDENTIAL,
    OnboardingCause.NO_TOKEN: NextStep.WAIT,
    OnboardingCause.CONSENT_NOT_ASKED: NextStep.ASK_CONSENT,
    OnboardingCause.CONSENT_AWAITED: NextStep.OPEN_CONSENT_LINK,
    OnboardingCause.CONSENT_DECLINED: NextStep.ASK_CONSENT,
    OnboardingCause.CONSENT_ROLE_TOO_LOW: NextStep.ASK_HIGHER_ROLE,
    OnboardingCause.CONSENT_FAILED: NextStep.CHECK_REGISTRATION,
    OnboardingCause.CONSENT_EXPIRED: NextStep.ASK_CONSENT,
    OnboardingCause.CONSENT_NOT_EFFECTIVE: NextStep.WAIT,
    OnboardingCause.CONSENT_WITHDRAWN: NextStep.ASK_CONSENT,
    OnboardingCause.APP_DISABLED: NextStep.ENABLE_APP,
    OnboardingCause.PERMISSIONS_UNCHECKED: NextStep.CHECK_PERMISSIONS,
    OnboardingCause.PERMISSIONS_MISSING: NextStep.ASK_CONSENT,
    OnboardingCause.NO_STORAGE_TARGET: NextStep.ADD_STORAGE_TARGET,
    OnboardingCause.NO_CONFIGURATION: NextStep.CONFIGURE_BACKUP,
    OnboardingCause.NO_BACKUP: NextStep.RUN_BACKUP,
    OnboardingCause.BACKUP_GOES_ON: NextStep.WAIT,
    OnboardingCause.BACKUP_FAILED: NextStep.LOOK_AT_RUN,
    OnboardingCause.NO_SCHEDULE: NextStep.SCHEDULE_BACKUP,
    OnboardingCause.BACKUPS_UNKNOWN: NextStep.WAIT,
    OnboardingCause.OFFBOARDED: NextStep.NOTHING,
}
"""Each cause has one remedy."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StepView(_Answer):
    """One step; `reached_at` is empty while it, or one before it, is not reached."""

    step: OnboardingStep
    reached_at: AwareDatetime | None = None
    first_reached_at: AwareDatetime | None = Field(
        default=None, description="stays when the step is lost later, as by a consent that is withdrawn"
    )


class BackupOutcome(_Answer):
    """A backup run that ended."""

    run: Token
    state: JobState
    finished_at: AwareDatetime


class OnboardingView(_Answer):
    tenant: Slug
    state: OnboardingStep = Field(description="the last step reached")
    since: AwareDatetime = Field(description="when it became the last one")
    steps: tuple[StepView, ...]
    missing: OnboardingStep | None = Field(default=None, description="the first step not reached; None: productive")
    cause: OnboardingCause | None = None
    next_step: NextStep | None = None
    profile: Profile | None = Field(default=None, description="the app profile the cause is about")
    detail: str = Field(
        default="", description="a code of Microsoft's, or the id of a run, for who looks for the cause"
    )
    test_backup: BackupOutcome | None = Field(
        default=None, description="the first backup run after the consent that succeeded, or succeeded in part"
    )
    looked_at: AwareDatetime = Field(description="when the state was last compared with the facts")


class Protection(_Answer):
    """What backup-service knows about a tenant that its onboarding depends on."""

    tenant: Slug
    targets: int
    configurations: int
    next_run_at: AwareDatetime | None = Field(
        default=None, description="the next run by schedule; None: nothing runs by itself"
    )
    test_backup: BackupOutcome | None = Field(
        default=None, description="the first run that ended succeeded or partial after the time asked for"
    )
    last_failure: BackupOutcome | None = Field(default=None, description="the last one that failed after it")
    going_on: bool = Field(default=False, description="a backup run waits or runs")
