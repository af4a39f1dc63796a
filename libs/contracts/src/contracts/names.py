"""Closed sets of names that are the same in subjects, documents, metrics and API."""

from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
"""A tenant or source in subjects, paths and metrics; one token, never a dot."""

Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
"""An id that may stand in a subject: jobs, runs, configurations, sessions."""


RecoveryPublicKey = Annotated[str, StringConstraints(pattern=r"^x25519:[A-Za-z0-9+/]{43}=$")]
"""The public half of a tenant's recovery key; the private half stays with the customer, sealed to a passphrase."""


class JobKind(StrEnum):
    """What a job does (design: one durable per kind, so that a restore never waits behind a backup)."""

    BACKUP = "backup"
    RESTORE = "restore"
    VERIFY = "verify"
    RESTORE_DRILL = "restore-drill"
    MAINTAIN = "maintain"
    SYNC = "sync"


class ExportFormat(StrEnum):
    """What is in the ZIP archive of an export."""

    EML = "eml"
    MBOX = "mbox"
    MAILDIR = "maildir"
    ICS = "ics"
    """Calendars and nothing else; those above hold calendars and contacts beside the mail."""
    VCF = "vcf"
    """Contacts and nothing else."""


class SyncKind(StrEnum):
    """How much of the directory a sync looks at."""

    FULL = "full"
    """Everybody, whatever has changed."""
    INCREMENTAL = "incremental"
    """What changed since the last one; everybody where that cannot be told."""
    USERS = "users"
    """The named ones with their roles, imported if they are not here yet."""
    PROFILE = "profile"
    """The profiles of the named ones, who are here already."""

    @property
    def names_users(self) -> bool:
        """True when the request says whom it is about; the others are about everybody."""
        return self in {SyncKind.USERS, SyncKind.PROFILE}


class DirectoryState(StrEnum):
    """Whether Microsoft 365 has the user. A disabled account is present."""

    PRESENT = "present"
    DELETED = "deleted"


class UpkeepKind(StrEnum):
    """The job kinds that are about a storage target and may be asked for."""

    VERIFY = JobKind.VERIFY.value
    RESTORE_DRILL = JobKind.RESTORE_DRILL.value
    MAINTAIN = JobKind.MAINTAIN.value

    @property
    def job(self) -> JobKind:
        return JobKind(self.value)


class JobState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"

    @property
    def finished(self) -> bool:
        """True when nothing more will happen to the job."""
        return self in {JobState.SUCCEEDED, JobState.PARTIAL, JobState.FAILED}


class HoldReason(StrEnum):
    """Why a waiting job is held: it burns no errors and resumes by itself."""

    NO_VALID_TOKEN = "no_valid_token"  # noqa: S105 - a reason, not a password
    CONSENT_LOST = "consent_lost"
    STORAGE_UNREACHABLE = "storage_unreachable"
    VAULT_UNREACHABLE = "vault_unreachable"
    GRAPH_UNREACHABLE = "graph_unreachable"
    TENANT_THROTTLED = "tenant_throttled"


class LegalHoldState(StrEnum):
    """A legal hold is in force when it is durable in the repository, and on a locking storage on every object, too."""

    PLACING = "placing"
    ACTIVE = "active"
    RELEASING = "releasing"
    RELEASED = "released"
    FAILED = "failed"

    @property
    def in_force(self) -> bool:
        """True while nothing it covers can expire."""
        return self in {LegalHoldState.ACTIVE, LegalHoldState.RELEASING}


class LockMode(StrEnum):
    """How a bucket with object lock keeps its objects: from everybody, or from all who may not bypass it."""

    COMPLIANCE = "COMPLIANCE"
    GOVERNANCE = "GOVERNANCE"


class AddressStyle(StrEnum):
    """Where the bucket's name stands: in the path, in the host name, or as the endpoint is known to want it."""

    AUTO = "auto"
    PATH = "path"
    VIRTUAL_HOST = "virtual-host"


class StorageFinding(StrEnum):
    """What a step of the connection test found; the same words as the engine's."""

    DENIED = "denied"
    UNREACHABLE = "unreachable"
    FULL = "full"
    OTHER_BYTES = "other_bytes"
    RANGE_IGNORED = "range_ignored"
    NOT_LISTED = "not_listed"
    OVERWRITES = "overwrites"
    NOT_DELETED = "not_deleted"
    APPEND_ONLY = "append_only"
    NOT_LOCKABLE = "not_lockable"
    LOCK_NOT_KEPT = "lock_not_kept"
    LOCK_SHORTENED = "lock_shortened"
    LITTLE_ROOM = "little_room"
    CLOCK_OFF = "clock_off"
    NOT_PREPARED = "not_prepared"
    FAILED = "failed"


class Profile(StrEnum):
    """App profiles: one app registration per purpose with the least permissions for it."""

    DIRECTORY = "directory"
    EXCHANGE_BACKUP = "exchange-backup"
    EXCHANGE_RESTORE = "exchange-restore"
    FILES_BACKUP = "files-backup"
    FILES_RESTORE = "files-restore"
    SECURITY_MONITOR = "security-monitor"


class PermissionKind(StrEnum):
    """Application permissions work without a person; delegated ones act for the one who signed in."""

    APPLICATION = "application"
    DELEGATED = "delegated"


class Feature(StrEnum):
    """What an optional permission is for."""

    PROFILE_UPDATE = "profile-update"
    CONSENT_GIVER = "consent-giver"
    DELEGATED_CHECK = "delegated-check"
    PERSON_SIGN_IN = "person-sign-in"
    CALENDARS = "calendars"
    CONTACTS = "contacts"
    ADDRESS_BOOK = "address-book"
    PASSKEY_DETAILS = "passkey-details"
    ROLE_SCHEDULES = "role-schedules"


class AdminRole(StrEnum):
    """Directory roles of Microsoft Entra that matter to consent and sign-in."""

    GLOBAL_ADMINISTRATOR = "global-administrator"
    PRIVILEGED_ROLE_ADMINISTRATOR = "privileged-role-administrator"
    APPLICATION_ADMINISTRATOR = "application-administrator"
    CLOUD_APPLICATION_ADMINISTRATOR = "cloud-application-administrator"
    SECURITY_READER = "security-reader"
    REPORTS_READER = "reports-reader"


class Answer(StrEnum):
    """What a look-up says. What could not be looked up is unknown, never no."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class PermissionFinding(StrEnum):
    """What is wrong with a permission: needed and not there, there and not needed, or there and Graph refuses."""

    MISSING = "missing"
    EXCESS = "excess"
    NOT_EFFECTIVE = "not_effective"


class ConsentSource(StrEnum):
    """How it is known who gave the consent: read from the directory's audit log, or typed in by a person."""

    AUDIT = "audit"
    TYPED = "typed"


class TokenStatus(StrEnum):
    ACTIVE = "active"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    CONSENT_REQUIRED = "consent_required"
    DEACTIVATED = "deactivated"
    UNKNOWN = "unknown"


class CredentialKind(StrEnum):
    """What an app signs in with."""

    SECRET = "secret"  # noqa: S105 - a kind, not a password
    CERTIFICATE = "certificate"
    VAULT_KEY = "vault-key"
    """A certificate whose private key was made in the vault and never leaves it."""


class ExpirySource(StrEnum):
    """Where the end of a credential is known from."""

    APPLICATION = "application"
    CERTIFICATE = "certificate"
    REMOVED = "removed"
    """The app registration was read, and holds the credential no more: there is no end to wait for."""
    UNKNOWN = "unknown"


class RecordEnd(StrEnum):
    """Why a generated token is not in use any more."""

    REPLACED = "replaced"
    DEACTIVATED = "deactivated"
    INCIDENT = "incident"
    DELETED = "deleted"


class ConsentOutcome(StrEnum):
    """What became of the last request for admin consent. Granted says the redirect; effective says Graph."""

    WAITING = "waiting"
    DECLINED = "declined"
    FAILED = "failed"
    EXPIRED = "expired"
    GRANTED = "granted"
    NOT_EFFECTIVE = "not_effective"
    EFFECTIVE = "effective"


class Health(StrEnum):
    """Health of a job class over 24 hours: failures under 10 % healthy, 10 % or more critical."""

    HEALTHY = "healthy"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


class Source(StrEnum):
    """What a backup configuration covers: of each mailbox, and the address book of the tenant."""

    MAIL = "mail"
    CALENDAR = "calendar"
    CONTACTS = "contacts"
    ADDRESS_BOOK = "address-book"


class LeftOutReason(StrEnum):
    """Why a run has no job for a user of the tenant."""

    GUEST = "guest"
    NO_ADDRESS = "no_address"
    NO_MAILBOX = "no_mailbox"
    ACCESS_DENIED = "access_denied"
    OUT_OF_SCOPE = "out_of_scope"
    DEPARTED = "departed"


class ReviewKind(StrEnum):
    """How often a tenant is reviewed."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class Role(StrEnum):
    OPERATOR = "operator"
    ADMIN = "admin"
    USER = "user"
    HR = "hr"
    ACCOUNTING = "accounting"
