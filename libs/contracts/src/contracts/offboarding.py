"""Offboarding: stop, export, shred, proof. The record says what was done when and by whom, and is kept for ever.

Shredding means that every key that opens a repository is destroyed: the transit key in the vault, which is checked, and
each recovery key with every copy of its file, which the customer attests. One of them alone shreds nothing.
"""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.names import Slug, Token


class OffboardingState(StrEnum):
    """How far it is; each state is reached only when what it says was checked or attested."""

    STOPPING = "stopping"
    STOPPED = "stopped"
    EXPORT_DECIDED = "export_decided"
    SHREDDING = "shredding"
    SHREDDED = "shredded"
    CANCELLED = "cancelled"


class OffboardingDeed(StrEnum):
    """What somebody did, or what was checked."""

    BEGUN = "begun"
    TOKENS_DEACTIVATED = "tokens_deactivated"
    STOPPED = "stopped"
    EXPORTED = "exported"
    EXPORT_DECLINED = "export_declined"
    SHREDDING_ORDERED = "shredding_ordered"
    TRANSIT_KEY_GONE = "transit_key_gone"
    RECOVERY_KEY_DESTROYED = "recovery_key_destroyed"
    SHREDDED = "shredded"
    CANCELLED = "cancelled"


class OffboardingBlock(StrEnum):
    """Why the next step cannot be taken now."""

    STILL_RUNNING = "still_running"
    STILL_SCHEDULED = "still_scheduled"
    BACKUPS_UNKNOWN = "backups_unknown"
    EXPORT_UNDECIDED = "export_undecided"
    LEGAL_HOLD = "legal_hold"
    RETENTION_FLOOR = "retention_floor"
    KEYS_UNKNOWN = "keys_unknown"
    TRANSIT_KEY_THERE = "transit_key_there"
    RECOVERY_KEY_UNATTESTED = "recovery_key_unattested"


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Deed(_Answer):
    """One line of the record; `by` is who did it, `note` in their words."""

    deed: OffboardingDeed
    at: AwareDatetime
    by: str
    note: str = ""


class KeyOfRepository(_Answer):
    """A key that opens what the tenant has stored: a transit key by its name, a recovery key by its fingerprint."""

    kind: Literal["transit", "recovery"]
    name: str
    destroyed_at: AwareDatetime | None = None
    destroyed_by: str = ""


class TargetKeys(_Answer):
    """The keys that open the repository in one storage target, read from the repository itself."""

    target: Token
    name: str
    endpoint: str
    transit_keys: tuple[str, ...] = ()
    recovery_keys: tuple[str, ...] = ()
    problem: str = Field(default="", description="why they could not be read; empty: they were")


class Holdings(_Answer):
    """What backup-service still holds of a tenant, and what forbids to make it unreadable."""

    tenant: Slug
    restore_points: int
    newest_restore_point_at: AwareDatetime | None = None
    legal_holds: int = Field(description="not released")
    held_until: AwareDatetime | None = Field(
        default=None, description="until then the tenant's least retention covers a restore point"
    )
    scheduled: int = Field(description="configurations that are not paused")
    running: int = Field(description="jobs a worker works on right now")
    targets: tuple[TargetKeys, ...] = ()


class OffboardingView(_Answer):
    tenant: Slug
    state: OffboardingState
    deeds: tuple[Deed, ...]
    keys: tuple[KeyOfRepository, ...] = Field(default=(), description="known from the order to shred on")
    holdings: Holdings | None = Field(default=None, description="None: backup-service gave no answer, or all is over")
    block: OffboardingBlock | None = Field(default=None, description="what stands before the next step")
