"""Bodies the API accepts. Secrets enter here and nowhere else; they go into the vault before anything is published."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from contracts.names import ExportFormat, RecoveryPublicKey, Source, Token, UpkeepKind
from contracts.retention import PeriodText, SchemeText
from contracts.rpc import RegisterTenant
from contracts.views import ProbeStep, StorageTarget


class Body(BaseModel):
    """Unknown fields are refused: a typo must not be silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TenantBody(RegisterTenant):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RecoveryKeyBody(Body):
    """Public half of a new recovery key. The private half is made and kept by the customer and never sent."""

    public_key: RecoveryPublicKey


class CredentialBody(Body):
    client_id: str = Field(min_length=1, max_length=128)
    client_secret: SecretStr = Field(min_length=1, max_length=512)


class CertificateBody(Body):
    """A certificate that was uploaded to the app registration, and its key; both PEM, the key without passphrase."""

    client_id: str = Field(min_length=1, max_length=128)
    certificate: str = Field(min_length=1, max_length=16_384)
    private_key: SecretStr = Field(min_length=1, max_length=16_384)


class ConsentBody(Body):
    """`client_id` is needed only before the profile has a credential, or to move to another app registration."""

    client_id: str | None = Field(default=None, min_length=1, max_length=128)


class S3Credentials(Body):
    access_key: SecretStr = Field(min_length=1, max_length=256)
    secret_key: SecretStr = Field(min_length=1, max_length=512)


class StorageTargetBody(Body):
    name: str = Field(min_length=1, max_length=100)
    kind: Literal["s3"] = "s3"
    endpoint: str = Field(pattern=r"^https://[^/\s]+$", description="https URL of the S3 service, without a path")
    bucket: str = Field(min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]+$")
    region: str = Field(default="us-east-1", max_length=64)
    prefix: str = Field(default="", pattern=r"^[A-Za-z0-9!_.*'()/-]*$", max_length=200)
    credentials: S3Credentials


class StorageTargetResult(Body):
    target: StorageTarget
    steps: tuple[ProbeStep, ...]


class BackupConfigurationBody(Body):
    name: str = Field(min_length=1, max_length=100)
    target: Token
    sources: tuple[Source, ...] = Field(default=(Source.MAIL,), min_length=1)
    retention_days: int = Field(default=90, ge=30, le=3660, description="the short form: 90 says the same as 90d")
    retention: SchemeText | None = Field(
        default=None,
        description="how long restore points are kept: a period (90d, 18m, 6y, hgb-6y) or a scheme of generations "
        "(30d,weekly=90d,monthly=1y,yearly=10y); takes the place of retention_days",
    )


class RetentionFloorBody(Body):
    period: PeriodText = Field(description="the least that restore points made from now on are kept")


class LegalHoldBody(Body):
    """What is held: `restore_point`; or `configuration` and `resource`; or `target` with all that lies in it."""

    restore_point: Token | None = None
    configuration: Token | None = None
    resource: str | None = Field(default=None, min_length=1, max_length=320)
    target: Token | None = None
    reason: str = Field(min_length=1, max_length=500)


class LegalHoldReleaseBody(Body):
    reason: str = Field(min_length=1, max_length=500)


class UpkeepBody(Body):
    kind: UpkeepKind
    whole: bool = Field(default=False, description="of verify: read everything, not only the next share")


class ExportBody(Body):
    format: ExportFormat = ExportFormat.EML


class RestoreBody(Body):
    restore_point: Token
    target_user: str = Field(min_length=1, max_length=320, description="object id or user principal name")
    target_folder: str = Field(default="", max_length=200)


class Accepted(Body):
    """202: the request is on the bus; the run can be asked for under this id from now on."""

    run: Token


class Download(Body):
    """Where to fetch an export, once."""

    url: str
    filename: str
