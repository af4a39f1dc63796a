"""What services answer and the API shows: one model per noun. Codes, never texts; ids, never secrets."""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.contacts import Contacts
from contracts.errors import ErrorClass
from contracts.events.jobs import Counts, SourceCounts
from contracts.names import (
    AddressStyle,
    ConsentOutcome,
    CredentialKind,
    ExpirySource,
    Health,
    HoldReason,
    JobKind,
    JobState,
    LeftOutReason,
    LegalHoldState,
    LockMode,
    Profile,
    RecoveryPublicKey,
    Slug,
    Source,
    StorageFinding,
    Token,
    TokenStatus,
)
from contracts.restoring import RestoreReport
from contracts.retention import PeriodText
from contracts.schedules import Automation
from contracts.upkeep import CheckReport, MaintenanceReport

T = TypeVar("T")


class View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Listing(View, Generic[T]):
    """One page; `cursor` asks for the next, None means this was the last."""

    items: tuple[T, ...]
    cursor: str | None = None


class RecoveryKeyView(View):
    """The public half of a tenant's recovery key; the fingerprint is SHA-256 over its 32 bytes, in hex."""

    public_key: RecoveryPublicKey
    fingerprint: str
    since: AwareDatetime


class Tenant(View):
    tenant: Slug
    entra_tenant_id: str
    display_name: str
    support_contact: str = ""
    created_at: AwareDatetime
    recovery_key: RecoveryKeyView | None = Field(
        default=None, description="None: without the vault the backups cannot be read"
    )
    contacts: Contacts = Contacts()


class ConsentView(View):
    """The last request for admin consent; `detail` is a code of Microsoft's for people who look for the cause."""

    outcome: ConsentOutcome
    client_id: str
    asked_at: AwareDatetime
    expires_at: AwareDatetime
    detail: str = ""


class ConsentLink(View):
    """Where an administrator of the tenant grants or declines; works once, until `expires_at`."""

    url: str
    expires_at: AwareDatetime


class ConsentResult(View):
    """What came back, for the page the administrator sees."""

    tenant: Slug
    profile: Profile
    outcome: ConsentOutcome
    detail: str = ""


class TokenView(View):
    """State of one app profile's token. The value is never shown, only that it was proven and when."""

    tenant: Slug
    profile: Profile
    status: TokenStatus
    client_id: str | None = None
    generation: int = 0
    expires_at: AwareDatetime | None = None
    proven_at: AwareDatetime | None = None
    problem: ErrorClass | None = None
    problem_since: AwareDatetime | None = None
    detail: str = ""
    credential: CredentialKind | None = Field(default=None, description="what its app signs in with")
    generated_at: AwareDatetime | None = None
    generated_by: str = Field(default="", description="who set the credential it comes from")
    credential_expires_at: AwareDatetime | None = Field(default=None, description="null: not known")
    credential_expiry: ExpirySource = Field(
        default=ExpirySource.UNKNOWN, description="where the end of the credential is known from"
    )
    deactivated_at: AwareDatetime | None = None
    consent_proven_at: AwareDatetime | None = Field(
        default=None, description="when a call of every workload last proved the app's permissions"
    )
    without: tuple[str, ...] = Field(
        default=(), description="optional workloads that the app was not proven to be let into, with Graph's code"
    )
    consent: ConsentView | None = None


class TargetRecovery(View):
    """Bringing back from a repository what a lost document store knew: asked for, then done or failed."""

    state: Literal["waiting", "done", "failed"]
    requested_at: AwareDatetime
    finished_at: AwareDatetime | None = None
    configurations: int = 0
    restore_points: int = 0
    employees: int = Field(default=0, description="records of employees that got back what is kept here alone")
    detail: str = ""


class StorageTarget(View):
    tenant: Slug
    id: Token
    name: str
    kind: Literal["s3", "sftp"] = "s3"
    endpoint: str = Field(description="https URL of the S3 service, or sftp://host:port")
    bucket: str = ""
    region: str = ""
    prefix: str = Field(description="start of every key, or the folder on the SFTP server")
    style: AddressStyle = AddressStyle.AUTO
    lock: LockMode | None = Field(default=None, description="proved by the connection test: objects are immutable")
    user: str = ""
    host_keys: tuple[str, ...] = Field(default=(), description="pinned public keys of the SFTP server")
    proxy: str | None = Field(default=None, description="URL of an HTTP proxy on the way to the S3 service")
    rate_limit: int | None = Field(
        default=None, description="bytes per second in each direction, for each worker process; null: no limit"
    )
    created_at: AwareDatetime
    tested_at: AwareDatetime
    recovery_key: str = Field(
        default="", description="fingerprint of the recovery key that opens its repository; empty: only the vault does"
    )
    exported_at: AwareDatetime | None = Field(
        default=None, description="when its repository last got, or was found to hold, what only documents know"
    )
    recovery: TargetRecovery | None = None
    credentials: str = Field(default="", description="name of its credentials in the vault; empty: the target's id")
    retired: tuple[str, ...] = Field(default=(), description="names of former credentials, which are destroyed")


class ProbeStep(View):
    """One step of the connection test, in plain words."""

    name: str
    ok: bool
    detail: str = ""
    finding: StorageFinding | None = None


class BackupConfiguration(Automation, View):
    tenant: Slug
    id: Token
    name: str
    target: Token
    sources: tuple[Source, ...]
    retention_days: Annotated[int, Field(ge=30, le=3660, description="of every restore point, in days at the least")]
    retention: str = Field(default="", description="the period or scheme as given; empty: retention_days alone")
    created_at: AwareDatetime
    last_run: Token | None = None
    paused: bool = Field(default=False, description="nothing begins, neither by itself nor when asked")
    next_run_at: AwareDatetime | None = Field(default=None, description="None: it runs when asked")


class FloorChange(View):
    period: PeriodText
    set_by: str
    set_at: AwareDatetime


class RetentionFloor(View):
    """The least retention of a tenant; restore points get no less, whatever their configuration says."""

    tenant: Slug
    period: PeriodText
    changes: tuple[FloorChange, ...] = Field(default=(), description="newest first; none: nobody has set it yet")


class ItemProblem(View):
    """One item that is missing from a restore point or was not restored, and why."""

    item: str
    error: ErrorClass
    detail: str = ""


class Failure(View):
    """The fatal error of a job or run."""

    error: ErrorClass
    detail: str = ""


class Hold(View):
    reason: HoldReason
    since: AwareDatetime
    detail: str = ""


class LeftOut(View):
    """A user whose mailbox a run did not back up. Restore points that exist stay, of departed users, too."""

    resource: str
    name: str = ""
    reason: LeftOutReason
    since: AwareDatetime | None = Field(default=None, description="when a run first found it like this")


class Run(View):
    """One execution of a request: Succeeded if all jobs succeeded, Failed if none did, else Partial."""

    tenant: Slug
    id: Token
    kind: JobKind
    configuration: Token | None = None
    target: Token | None = Field(
        default=None, description="the storage target a verify, drill or maintain run is about"
    )
    state: JobState
    requested_at: AwareDatetime
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    jobs: int = 0
    succeeded: int = 0
    partial: int = 0
    failed: int = 0
    held: int = 0
    hold: Hold | None = Field(default=None, description="what the run itself waits for, before it has jobs")
    counts: Counts = Counts()
    left_out: tuple[LeftOut, ...] = Field(default=(), description="users without a job, the first 100 of them")
    left_out_counts: dict[LeftOutReason, int] = Field(default={}, description="how many users have no job, by reason")
    fatal: Failure | None = None
    version: int = Field(
        default=0, description="grows with every saved change; the job family carries it too, so that late news is seen"
    )


class Job(View):
    """One mailbox, or one storage target, of a run.

    Three lists are kept apart: the fatal error, item errors, items skipped with a cause.
    """

    tenant: Slug
    id: Token
    run: Token
    kind: JobKind
    resource: str
    resource_name: str = ""
    state: JobState
    hold: Hold | None = None
    attempt: int = 0
    queued_at: AwareDatetime
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    counts: Counts = Counts()
    restore_point: Token | None = None
    fatal: Failure | None = None
    item_errors: tuple[ItemProblem, ...] = ()
    skipped: tuple[ItemProblem, ...] = ()
    check: CheckReport | None = Field(default=None, description="of a verify or restore-drill job that ended")
    maintenance: MaintenanceReport | None = Field(default=None, description="of a maintain job that ended")
    restored: RestoreReport | None = Field(default=None, description="of a restore job that ended")
    version: int = Field(
        default=0, description="grows with every saved change; the job family carries it too, so that late news is seen"
    )


class Verification(View):
    """Result of a verification level: `covered` of `denominator` are proven.

    Level 0 counts items, 1 the packs the backup wrote, 2 items whose stored bytes were all read again, 3 items of a
    random sample that were restored and compared.
    """

    level: Literal[0, 1, 2, 3]
    at: AwareDatetime
    covered: int
    denominator: int
    problems: int = 0


class RestorePoint(View):
    """One state of one mailbox, complete by itself: a synthetic full."""

    tenant: Slug
    id: Token
    configuration: Token
    resource: str
    resource_name: str = ""
    taken_at: AwareDatetime
    expires_at: AwareDatetime
    complete: bool
    items: int
    bytes: int
    failed_items: int = 0
    verified: tuple[Verification, ...] = ()
    content_digest: str = ""
    retention_class: str = Field(default="", description="the rule that fixed expires_at, such as 90d or monthly=1y")
    immutable_until: AwareDatetime | None = Field(
        default=None, description="nothing it needs can be deleted from the storage before; None: it is not immutable"
    )
    held: bool = Field(default=False, description="a legal hold is in force: it does not expire")
    by_source: dict[str, SourceCounts] = Field(default={}, description="what the job that made it counted, by source")
    departed_since: AwareDatetime | None = Field(
        default=None, description="since when its mailbox is known to be gone from the tenant; the restore point stays"
    )


class LegalHold(View):
    """What it covers does not expire until it is released: one restore point, one resource, or a whole target.

    Restore points of a held resource or target that are made while it lasts are covered, too.
    """

    tenant: Slug
    id: Token
    target: Token
    configuration: Token | None = None
    resource: str | None = None
    restore_point: Token | None = None
    reason: str
    placed_by: str
    placed_at: AwareDatetime
    state: LegalHoldState
    detail: str = Field(default="", description="what it waits for, or why it is not in force")
    released_by: str | None = None
    released_at: AwareDatetime | None = None
    release_reason: str = ""


class DownloadTicket(View):
    """A single-use ticket for the streaming download of an export."""

    ticket: Token
    expires_at: AwareDatetime
    filename: str


class HealthView(View):
    """Health of one job kind of one tenant over 24 hours; every ratio carries its denominator."""

    tenant: Slug
    kind: JobKind
    health: Health
    failed: int
    partial: int
    succeeded: int
    failure_ratio: float | None = Field(description="failed / (succeeded + partial + failed); None without a run")
    partial_ratio: float | None = None
    last_success_at: AwareDatetime | None = None
    reason: str = ""
