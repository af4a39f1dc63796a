"""The only reader of the environment in sync-service."""

from typing import Annotated

from pydantic import Field

from chassis.settings import Seconds, ServiceSettings


class SyncSettings(ServiceSettings):
    """+ how syncs are done."""

    sync_slots: Annotated[int, Field(ge=1, le=32)] = Field(
        4, description="Syncs, of different tenants, that a process of sync-service does at the same time."
    )
    sync_retry_ladder: tuple[Seconds, ...] = Field(
        (5.0, 30.0, 120.0, 600.0),
        min_length=1,
        description="Seconds before the 2nd, 3rd … attempt of a sync that met an error; then it has failed.",
    )
    sync_hold_recheck: Seconds = Field(
        60.0, description="Seconds between two looks whether what a held sync waits for is there."
    )
    sync_lease: Seconds = Field(
        120.0, description="Seconds without a sign of life after which another process takes a sync over."
    )
    progress_interval: Seconds = Field(1.0, description="Seconds between two progress marks of a job.")
    sync_busy: Seconds = Field(5.0, description="Seconds a sync waits for another one of its tenant before it looks.")
    sync_whole_interval: Seconds = Field(
        7 * 86_400.0, description="Seconds after which a sync lists everybody although only changes were asked for."
    )
    profile_read_back: Seconds = Field(
        10.0, description="Seconds in which Microsoft 365 has to show a changed profile; else nothing is saved here."
    )
    profile_claim: Seconds = Field(
        60.0,
        description="Seconds after which a profile update whose process died is carried on by another; a live one "
        "gives up after half of them.",
    )
    stale_after: Seconds = Field(
        86_400.0, description="Seconds after which an employee who was not synchronised is stale."
    )
