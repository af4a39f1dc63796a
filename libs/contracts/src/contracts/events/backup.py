"""Requests to backup-service and the event that makes stored data known."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from contracts.events.base import Event, Request
from contracts.names import Token, UpkeepKind
from contracts.restoring import RestoreConflict, RestorePlace, RestoreSelection

RequestId = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class BackupRequested(Request):
    """Someone wants a backup configuration to run now."""

    DOMAIN: ClassVar[str] = "backup"
    NAME: ClassVar[str] = "requested"

    request: RequestId
    configuration: Token = Field(description="id of the backup configuration, or its name if that fits the pattern")

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.request)


class RestoreRequested(Request):
    """Someone wants a restore point, or parts of it, restored into a mailbox: the one it was taken of, or another."""

    DOMAIN: ClassVar[str] = "restore"
    NAME: ClassVar[str] = "requested"

    request: RequestId
    restore_point: Token
    target_user: str = Field(
        default="",
        description="Entra object id or user principal name of the mailbox to restore into; empty = the original one",
    )
    target_folder: str = Field(
        default="", description="of place folder: its name; empty = one named after the restore point"
    )
    place: RestorePlace = RestorePlace.FOLDER
    conflict: RestoreConflict = RestoreConflict.COPY
    selection: RestoreSelection = RestoreSelection()
    dry_run: bool = Field(default=False, description="tell what would happen, and write nothing")

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.request)


class VerifyRequested(Request):
    """Someone wants the repository in a storage target read and checked, test-restored or tidied up now."""

    DOMAIN: ClassVar[str] = "verify"
    NAME: ClassVar[str] = "requested"

    request: RequestId
    target: Token = Field(description="storage target that holds the tenant's repository, by id")
    kind: UpkeepKind = Field(
        default=UpkeepKind.VERIFY,
        description="verify: read the next share of everything; restore-drill: restore a random sample into scratch; "
        "maintain: remove what has expired",
    )
    whole: bool = Field(default=False, description="of verify: read everything, not only the next share")

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.request)


class BackupChunkStored(Event):
    """A pack is durable and covered by a checkpoint: what it holds will not be read from Microsoft 365 again."""

    DOMAIN: ClassVar[str] = "backup"
    NAME: ClassVar[str] = "chunk-stored"

    job: Token
    configuration: Token
    resource: str
    session: Token
    checkpoint: int
    pack: str
    size: int
    sha256: str

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.pack)
