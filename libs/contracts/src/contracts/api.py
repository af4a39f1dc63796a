"""Bodies the API accepts. Secrets enter here and nowhere else; they go into the vault before anything is published."""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Discriminator, Field, SecretStr, Tag, model_validator

from contracts.contacts import Contacts
from contracts.employees import Activity, Employee
from contracts.incidents import IncidentText
from contracts.names import (
    AddressStyle,
    ExportFormat,
    LockMode,
    Profile,
    RecoveryPublicKey,
    Source,
    SyncKind,
    Token,
    UpkeepKind,
)
from contracts.operations.directory import MOST_USERS, ChangeSyncSettings
from contracts.operations.offboarding import AttestKey, DecideExport, OrderShredding
from contracts.permissions import GiverName
from contracts.restoring import RestoreConflict, RestorePlace, RestoreSelection
from contracts.retention import PeriodText, SchemeText
from contracts.rpc import RegisterTenant
from contracts.schedules import Automation, Mailboxes, ScheduleText, TimeZoneText
from contracts.tokens import NoteText
from contracts.views import ProbeStep, StorageTarget


class Body(BaseModel):
    """Unknown fields are refused: a typo must not be silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TenantBody(RegisterTenant):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RecoveryKeyBody(Body):
    """Public half of a new recovery key. The private half is made and kept by the customer and never sent."""

    public_key: RecoveryPublicKey


class ContactsBody(Contacts):
    """Both contacts as they are from now on; what is null is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ExportDecisionBody(DecideExport):
    """What became of the offer to export before everything is made unreadable."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ShreddingBody(OrderShredding):
    """`confirm` is the slug of the tenant once more, typed by a person: what follows cannot be undone."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AttestedKeyBody(AttestKey):
    """A recovery key of which every copy is destroyed, and who on the customer's side says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CredentialBody(Body):
    client_id: str = Field(min_length=1, max_length=128)
    client_secret: SecretStr = Field(min_length=1, max_length=512)


class CertificateBody(Body):
    """A certificate that was uploaded to the app registration, and its key; both PEM, the key without passphrase."""

    client_id: str = Field(min_length=1, max_length=128)
    certificate: str = Field(min_length=1, max_length=16_384)
    private_key: SecretStr = Field(min_length=1, max_length=16_384)


class VaultKeyBody(Body):
    """The certificate of the key that is offered was uploaded to this app registration."""

    client_id: str = Field(min_length=1, max_length=128)


class TokenNoteBody(Body):
    text: NoteText


class IncidentBody(Body):
    """What was seen of which profile's token; opening deactivates it at once."""

    profile: Profile
    report: IncidentText


class IncidentNoteBody(Body):
    text: IncidentText


class IncidentClosureBody(Body):
    cause: IncidentText


class ConsentBody(Body):
    """`client_id` is needed only before the profile has a credential, or to move to another app registration."""

    client_id: str | None = Field(default=None, min_length=1, max_length=128)


class ConsentGiverBody(Body):
    """Who gave the admin consent, and when, as a person knows it."""

    name: GiverName
    at: AwareDatetime | None = None


class S3Credentials(Body):
    access_key: SecretStr = Field(min_length=1, max_length=256)
    secret_key: SecretStr = Field(min_length=1, max_length=512)


RateLimit = Annotated[int, Field(ge=64 << 10, le=1 << 40)]
_RATE = "bytes per second in each direction, for each worker process; null: as fast as it goes"


class StorageTargetBody(Body):
    name: str = Field(min_length=1, max_length=100)
    kind: Literal["s3"] = "s3"
    endpoint: str = Field(pattern=r"^https://[^/\s]+$", description="https URL of the S3 service, without a path")
    bucket: str = Field(min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]+$")
    region: str = Field(default="us-east-1", max_length=64)
    prefix: str = Field(default="", pattern=r"^[A-Za-z0-9!_.*'()/-]*$", max_length=200)
    style: AddressStyle = AddressStyle.AUTO
    lock: LockMode | None = Field(
        default=None, description="lock objects; the bucket was created with object lock, which the test proves"
    )
    proxy: str | None = Field(
        default=None,
        max_length=300,
        pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$",
        description="URL of an HTTP proxy on the way to the service, without a password",
    )
    rate_limit: RateLimit | None = Field(default=None, description=_RATE)
    credentials: S3Credentials


class SFTPCredentials(Body):
    """A private key (PEM or OpenSSH, with its passphrase if it has one) or a password."""

    private_key: SecretStr | None = Field(default=None, min_length=1, max_length=16_384)
    passphrase: SecretStr | None = Field(default=None, min_length=1, max_length=512)
    password: SecretStr | None = Field(default=None, min_length=1, max_length=512)

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.private_key is None) == (self.password is None):
            message = "either a private key or a password"
            raise ValueError(message)
        return self


HostKey = Annotated[
    str,
    Field(
        pattern=r"^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa) [A-Za-z0-9+/=]+$",
        max_length=2000,
        description="public key of the server in OpenSSH's form, without a comment",
    ),
]


class SFTPTargetBody(Body):
    name: str = Field(min_length=1, max_length=100)
    kind: Literal["sftp"]
    endpoint: str = Field(
        pattern=r"^sftp://[A-Za-z0-9.-]+(:[0-9]{1,5})?$", description="sftp://host, with :port if not 22"
    )
    prefix: str = Field(
        pattern=r"^[A-Za-z0-9_./-]+$", max_length=200, description="folder; each tenant gets its own inside"
    )
    user: str = Field(min_length=1, max_length=64, pattern=r"^[^\s:@/]+$")
    host_keys: tuple[HostKey, ...] = Field(min_length=1, max_length=8, description="only a server owning one is used")
    rate_limit: RateLimit | None = Field(default=None, description=_RATE)
    credentials: SFTPCredentials


class StorageCredentialsBody(Body):
    credentials: S3Credentials | SFTPCredentials = Field(description="of the kind that the target takes")


def _kind(body: object) -> str | None:
    """S3 unless the body says otherwise: the first release knew no other kind."""
    kind = body.get("kind", "s3") if isinstance(body, dict) else getattr(body, "kind", None)
    return kind if isinstance(kind, str) else None


AnyTargetBody = Annotated[
    Annotated[StorageTargetBody, Tag("s3")] | Annotated[SFTPTargetBody, Tag("sftp")], Discriminator(_kind)
]


class StorageTargetResult(Body):
    target: StorageTarget
    steps: tuple[ProbeStep, ...]


class BackupConfigurationBody(Automation, Body):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    target: Token
    sources: tuple[Source, ...] = Field(default=(Source.MAIL,), min_length=1)
    retention_days: int = Field(default=90, ge=30, le=3660, description="the short form: 90 says the same as 90d")
    retention: SchemeText | None = Field(
        default=None,
        description="how long restore points are kept: a period (90d, 18m, 6y, hgb-6y) or a scheme of generations "
        "(30d,weekly=90d,monthly=1y,yearly=10y); takes the place of retention_days",
    )


class BackupConfigurationChange(Body):
    """What is left out stays as it is."""

    name: str | None = Field(default=None, min_length=1, max_length=100)
    sources: tuple[Source, ...] | None = Field(default=None, min_length=1)
    retention: SchemeText | None = Field(default=None, description="of restore points made from now on")
    schedule: ScheduleText | Literal[""] | None = Field(default=None, description="empty: run only when asked")
    time_zone: TimeZoneText | None = None
    automatic: bool | None = None
    paused: bool | None = Field(default=None, description="true: nothing begins until it is false again")
    include: Mailboxes | None = None
    exclude: Mailboxes | None = None


class RetentionFloorBody(Body):
    period: PeriodText = Field(description="the least that restore points made from now on are kept")


class LegalHoldBody(Body):
    """What is held: `restore_point`; or `configuration` and `resource`; or `target` with all that lies in it."""

    restore_point: Token | None = None
    configuration: Token | None = None
    resource: str | None = Field(default=None, min_length=1, max_length=320)
    target: Token | None = None
    reason: str = Field(min_length=1, max_length=500)


class ReviewCompletionBody(Body):
    note: str = Field(default="", max_length=1000, description="what was found and done; it stays on record")


class LegalHoldReleaseBody(Body):
    reason: str = Field(min_length=1, max_length=500)


class UpkeepBody(Body):
    kind: UpkeepKind
    whole: bool = Field(default=False, description="of verify: read everything, not only the next share")


class ExportBody(Body):
    format: ExportFormat = ExportFormat.EML
    selection: RestoreSelection = Field(
        default=RestoreSelection(), description="items and folders of the export; nothing named = everything"
    )


class ItemDownloadBody(Body):
    attachment: int | None = Field(
        default=None, ge=1, le=10_000, description="its number, as the item lists it; None: the item itself"
    )


class RestoreBody(Body):
    restore_point: Token
    target_user: str = Field(
        default="", max_length=320, description="object id or user principal name; empty = the original mailbox"
    )
    target_folder: str = Field(
        default="", max_length=200, description="of place folder: its name; empty = one named after the restore point"
    )
    place: RestorePlace = Field(
        default=RestorePlace.FOLDER, description="below a folder of its own, or in the folders the items were in"
    )
    conflict: RestoreConflict = Field(
        default=RestoreConflict.COPY, description="what happens to an item that is there already"
    )
    selection: RestoreSelection = RestoreSelection()
    dry_run: bool = Field(default=False, description="tell what would happen, and write nothing")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.place is RestorePlace.ORIGINAL and self.target_folder:
            raise ValueError("target_folder is for place folder")
        return self


class ErasureBody(Body):
    reason: str = Field(min_length=1, max_length=500, description="stays on record, so nothing about the person")


class EmployeeExport(Body):
    """Everything held about one employee."""

    employee: Employee
    activity: tuple[Activity, ...] = Field(description="every change, newest first")


class SyncBody(Body):
    kind: SyncKind = SyncKind.INCREMENTAL
    users: tuple[Token, ...] = Field(
        default=(),
        max_length=MOST_USERS,
        description="Entra object ids, of kind users; imported if they are not here yet",
    )

    @model_validator(mode="after")
    def _users_of_their_kind(self) -> Self:
        if bool(self.users) != (self.kind is SyncKind.USERS):
            raise ValueError("users and kind users go together")
        return self


class SyncSettingsBody(ChangeSyncSettings, Body):
    """What is left out stays as it is; `every_hours` 0 takes the schedule away."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Accepted(Body):
    """202: the request is on the bus; the run can be asked for under this id from now on."""

    run: Token


class Download(Body):
    """Where to fetch an export, once."""

    url: str
    filename: str
