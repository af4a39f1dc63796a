"""Questions and short commands over the bus: one constant per operation, typed on both sides.

A request is the JSON of its model; an answer is `{"result": …}` or `{"problem": …}`. Only the gateway's user may
publish to `m365.rpc.v1.>`, backup-service's to `documents.export` alone and token-service's to
`protection.get` and `holdings.get`, so services trust the caller in the headers.
"""

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from contracts.browsing import Comparison, Folder, Item, ItemChange, ItemKey, Message
from contracts.dead_letters import DeadLetter, DeadLetterContent
from contracts.documents import TenantDocuments
from contracts.names import (
    AddressStyle,
    ExportFormat,
    LockMode,
    Profile,
    RecoveryPublicKey,
    Slug,
    Source,
    Token,
)
from contracts.operations import audit, base, directory, employees, kept_directory, offboarding, onboarding, reviews
from contracts.operations.incidents import INCIDENT_OPERATIONS
from contracts.operations.permissions import PERMISSION_OPERATIONS
from contracts.operations.sign_in import SIGN_IN_OPERATIONS
from contracts.operations.tokens import TOKEN_OPERATIONS
from contracts.restoring import RestoreSelection
from contracts.retention import PeriodText, SchemeText
from contracts.schedules import Automation, Mailboxes, ScheduleText, TimeZoneText
from contracts.views import (
    BackupConfiguration,
    ConsentLink,
    ConsentResult,
    DownloadTicket,
    HealthView,
    ItemProblem,
    Job,
    LegalHold,
    Listing,
    ProbeStep,
    RestorePoint,
    RetentionFloor,
    Run,
    StorageTarget,
    Tenant,
    TokenView,
)

# The names every asker uses, whatever the topic of its question.
Operation = base.Operation
Nothing = base.Nothing
Page = base.Page
ById = base.ById


class RegisterTenant(base.Question):
    tenant: Slug
    entra_tenant_id: str = Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    display_name: str = Field(min_length=1, max_length=200)
    support_contact: str = Field(default="", max_length=200)
    recovery_key: RecoveryPublicKey | None = Field(
        default=None, description="public half of the customer's recovery key; without it the vault alone opens backups"
    )


class SetRecoveryKey(base.Question):
    """Replaces the public half; repositories are re-wrapped, and the key before opens nothing that is new."""

    public_key: RecoveryPublicKey


class SetCredential(base.Question):
    """Secret or certificate wait in the vault at `tenants/<tenant>/intake/<intake>`; only the reference travels."""

    profile: Profile
    client_id: str = Field(min_length=1, max_length=128)
    intake: Token


class StartConsent(base.Question):
    """`client_id` is needed only before the profile has a credential, or to move to another app registration."""

    profile: Profile
    redirect_uri: str = Field(pattern=r"^https://[^\s]+$", max_length=300)
    client_id: str | None = Field(default=None, min_length=1, max_length=128)


class FinishConsent(base.Question):
    """The query of the redirect, as anybody may have written it: only `state` is checked, the rest is a hint."""

    state: str = Field(min_length=1, max_length=128)
    admin_consent: str = Field(default="", max_length=20)
    error: str = Field(default="", max_length=200)
    error_description: str = Field(default="", max_length=2000)


class CreateTarget(base.Question):
    """Credentials wait in the vault at `tenants/<tenant>/storage/<id>`."""

    id: Token
    name: str = Field(min_length=1, max_length=100)
    kind: Literal["s3", "sftp"] = "s3"
    endpoint: str = Field(description="https URL of the S3 service, or sftp://host:port")
    bucket: str = Field(default="", max_length=63)
    region: str = "us-east-1"
    prefix: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9!_.*'()/-]*$",
        max_length=200,
        description="start of every key, or the folder on the SFTP server",
    )
    style: AddressStyle = AddressStyle.AUTO
    lock: LockMode | None = None
    user: str = ""
    host_keys: tuple[str, ...] = ()
    proxy: str | None = None
    rate_limit: int | None = Field(default=None, ge=1)


class RenewTarget(base.ById):
    """New credentials wait in the vault at `tenants/<tenant>/storage/<credentials>`."""

    credentials: Token


class CreatedTarget(base.Question):
    """Saved or changed only if every step of the connection test held; else `target` is None and the steps say why."""

    target: StorageTarget | None
    steps: tuple[ProbeStep, ...]


class CreateConfiguration(Automation):
    name: str = Field(min_length=1, max_length=100)
    target: Token
    sources: tuple[Source, ...] = (Source.MAIL,)
    retention_days: int = Field(default=90, ge=30, le=3660)
    retention: SchemeText | None = Field(default=None, description="takes the place of retention_days when given")


class ChangeConfiguration(base.ById):
    """What is None stays as it is; an empty `schedule` takes the schedule away."""

    name: str | None = Field(default=None, min_length=1, max_length=100)
    sources: tuple[Source, ...] | None = None
    retention: SchemeText | None = None
    schedule: ScheduleText | Literal[""] | None = None
    time_zone: TimeZoneText | None = None
    automatic: bool | None = None
    paused: bool | None = None
    include: Mailboxes | None = None
    exclude: Mailboxes | None = None


class SetRetentionFloor(base.Question):
    period: PeriodText


class PlaceLegalHold(base.Question):
    restore_point: Token | None = None
    configuration: Token | None = None
    resource: str | None = Field(default=None, min_length=1, max_length=320)
    target: Token | None = None
    reason: str = Field(min_length=1, max_length=500)


class ReleaseLegalHold(base.ById):
    reason: str = Field(min_length=1, max_length=500)


class RunsOf(base.Page):
    configuration: Token | None = None


class JobsOf(base.Page):
    run: Token


class ProblemsOf(base.Page):
    """Fewer than `limit` when they would be too much for one answer."""

    job: Token


class RestorePointsOf(base.Page):
    configuration: Token | None = None
    resource: str | None = None


class OpenExport(base.Question):
    """A restore point or, by its `selection`, a part; with `item` that item alone, or one attachment of it."""

    restore_point: Token
    format: ExportFormat = ExportFormat.EML
    selection: RestoreSelection = RestoreSelection()
    item: ItemKey | None = None
    attachment: int | None = Field(default=None, ge=1)


class InRestorePoint(base.Question):
    restore_point: Token


class FoldersOf(InRestorePoint, base.Page):
    pass


class ItemsPage(base.Page):
    limit: int = Field(default=50, ge=1, le=200, description="fewer when they would be too much for one answer")


class ItemsOf(InRestorePoint, ItemsPage):
    folder: ItemKey


class OneItem(InRestorePoint):
    item: ItemKey


class SearchFilter(ItemsPage):
    """Everything given must hold. Words fold case, accents and umlauts (Müller, Mueller, Muller)."""

    q: str = Field(default="", max_length=500, description='words, "a phrase", begin*: anywhere in the item')
    subject: str = Field(default="", max_length=500)
    sender: str = Field(default="", max_length=320, description="name or address it comes from")
    people: str = Field(default="", max_length=320, description="name or address of anybody in it")
    attachment: str = Field(default="", max_length=300, description="in the name of an attachment")
    since: AwareDatetime | None = None
    until: AwareDatetime | None = Field(default=None, description="excluded")
    has_attachment: bool | None = None
    folder: ItemKey | None = None
    kind: str = Field(default="", max_length=40, description="mail, event, contact, …")
    everywhere: bool = Field(default=False, description="in all restore points of this one's mailbox")


class SearchItems(InRestorePoint, SearchFilter):
    pass


class Compare(InRestorePoint, ItemsPage):
    other: Token = Field(description="a restore point of the same mailbox; which is the earlier one does not matter")
    change: ItemChange | None = None


class DeadLettersOf(base.Page):
    """`tenants` limits what the asker may see; None: everything, letters without a tenant too."""

    tenants: tuple[Token, ...] | None = None
    durable: Token | None = None


class OneDeadLetter(base.ById):
    tenants: tuple[Token, ...] | None = None


TENANT_REGISTER = Operation("token-service", "tenant.register", RegisterTenant, Tenant)
TENANT_LIST = Operation("token-service", "tenant.list", Page, Listing[Tenant])
TENANT_GET = Operation("token-service", "tenant.get", Nothing, Tenant)
RECOVERY_KEY_SET = Operation("token-service", "recovery-key.set", SetRecoveryKey, Tenant)
CREDENTIAL_SET = Operation("token-service", "credential.set", SetCredential, TokenView)
CONSENT_START = Operation("token-service", "consent.start", StartConsent, ConsentLink)
CONSENT_FINISH = Operation("token-service", "consent.finish", FinishConsent, ConsentResult)
TOKEN_LIST = Operation("token-service", "token.list", Nothing, Listing[TokenView])
DOCUMENTS_EXPORT = Operation("token-service", "documents.export", Nothing, TenantDocuments)
"""Asked by backup-service, which carries the answer into the repositories (ADR 0015)."""

TARGET_CREATE = Operation("backup-service", "target.create", CreateTarget, CreatedTarget)
TARGET_RECOVER = Operation("backup-service", "target.recover", ById, StorageTarget)
TARGET_RENEW = Operation("backup-service", "target.renew", RenewTarget, CreatedTarget)
TARGET_TEST = Operation("backup-service", "target.test", ById, CreatedTarget)
TARGET_LIST = Operation("backup-service", "target.list", Page, Listing[StorageTarget])
TARGET_GET = Operation("backup-service", "target.get", ById, StorageTarget)
RETENTION_FLOOR_GET = Operation("backup-service", "retention-floor.get", Nothing, RetentionFloor)
RETENTION_FLOOR_SET = Operation("backup-service", "retention-floor.set", SetRetentionFloor, RetentionFloor)
LEGAL_HOLD_PLACE = Operation("backup-service", "legal-hold.place", PlaceLegalHold, LegalHold)
LEGAL_HOLD_RELEASE = Operation("backup-service", "legal-hold.release", ReleaseLegalHold, LegalHold)
LEGAL_HOLD_LIST = Operation("backup-service", "legal-hold.list", Page, Listing[LegalHold])
CONFIGURATION_CREATE = Operation("backup-service", "configuration.create", CreateConfiguration, BackupConfiguration)
CONFIGURATION_CHANGE = Operation("backup-service", "configuration.change", ChangeConfiguration, BackupConfiguration)
CONFIGURATION_LIST = Operation("backup-service", "configuration.list", Page, Listing[BackupConfiguration])
CONFIGURATION_GET = Operation("backup-service", "configuration.get", ById, BackupConfiguration)
RUN_LIST = Operation("backup-service", "run.list", RunsOf, Listing[Run])
RUN_GET = Operation("backup-service", "run.get", ById, Run)
JOB_LIST = Operation("backup-service", "job.list", JobsOf, Listing[Job])
JOB_GET = Operation("backup-service", "job.get", ById, Job)
RESTORE_PROBLEMS = Operation("backup-service", "restore.problems", ProblemsOf, Listing[ItemProblem])
RESTORE_POINT_LIST = Operation("backup-service", "restore-point.list", RestorePointsOf, Listing[RestorePoint])
RESTORE_POINT_GET = Operation("backup-service", "restore-point.get", ById, RestorePoint)
EXPORT_OPEN = Operation("backup-service", "export.open", OpenExport, DownloadTicket)

BROWSE_FOLDERS = Operation("backup-service", "browse.folders", FoldersOf, Listing[Folder])
BROWSE_ITEMS = Operation("backup-service", "browse.items", ItemsOf, Listing[Item])
BROWSE_ITEM = Operation("backup-service", "browse.item", OneItem, Item)
BROWSE_MESSAGE = Operation("backup-service", "browse.message", OneItem, Message)
BROWSE_SEARCH = Operation("backup-service", "browse.search", SearchItems, Listing[Item])
BROWSE_COMPARE = Operation("backup-service", "browse.compare", Compare, Comparison)
"""Answered by workers, which hold the search files; the others of backup-service by planners."""

HEALTH_GET = Operation("monitor-service", "health.get", Nothing, Listing[HealthView])
DEAD_LETTER_LIST = Operation("monitor-service", "dead-letter.list", DeadLettersOf, Listing[DeadLetter])
DEAD_LETTER_GET = Operation("monitor-service", "dead-letter.get", OneDeadLetter, DeadLetterContent)
DEAD_LETTER_REPLAY = Operation("monitor-service", "dead-letter.replay", OneDeadLetter, DeadLetter)

OPERATIONS: tuple[base.Operation[Any, Any], ...] = (
    TENANT_REGISTER,
    TENANT_LIST,
    TENANT_GET,
    RECOVERY_KEY_SET,
    CREDENTIAL_SET,
    CONSENT_START,
    CONSENT_FINISH,
    TOKEN_LIST,
    *TOKEN_OPERATIONS,
    *INCIDENT_OPERATIONS,
    *PERMISSION_OPERATIONS,
    *SIGN_IN_OPERATIONS,
    DOCUMENTS_EXPORT,
    TARGET_CREATE,
    TARGET_RECOVER,
    TARGET_RENEW,
    TARGET_TEST,
    TARGET_LIST,
    TARGET_GET,
    RETENTION_FLOOR_GET,
    RETENTION_FLOOR_SET,
    LEGAL_HOLD_PLACE,
    LEGAL_HOLD_RELEASE,
    LEGAL_HOLD_LIST,
    CONFIGURATION_CREATE,
    CONFIGURATION_CHANGE,
    CONFIGURATION_LIST,
    CONFIGURATION_GET,
    RUN_LIST,
    RUN_GET,
    JOB_LIST,
    JOB_GET,
    RESTORE_PROBLEMS,
    RESTORE_POINT_LIST,
    RESTORE_POINT_GET,
    EXPORT_OPEN,
    BROWSE_FOLDERS,
    BROWSE_ITEMS,
    BROWSE_ITEM,
    BROWSE_MESSAGE,
    BROWSE_SEARCH,
    BROWSE_COMPARE,
    HEALTH_GET,
    DEAD_LETTER_LIST,
    DEAD_LETTER_GET,
    DEAD_LETTER_REPLAY,
    *onboarding.OPERATIONS,
    *offboarding.OPERATIONS,
    *directory.OPERATIONS,
    *audit.OPERATIONS,
    *reviews.OPERATIONS,
    *employees.OPERATIONS,
    *kept_directory.OPERATIONS,
)
