"""The only reader of the environment in backup-service."""

from typing import Annotated

from pydantic import Field

from chassis.settings import Port, Seconds, ServiceSettings


class BackupSettings(ServiceSettings):
    """Both processes read these; each uses what it needs."""

    download_host: str = Field("127.0.0.1", description="Address of the worker's download route.")
    download_port: Port = Field(0, description="Port of the worker's download route (https); 0: it serves none.")
    worker_jobs: Annotated[int, Field(ge=1, le=32)] = Field(
        2, description="Backup jobs a worker process runs at the same time."
    )
    worker_restores: Annotated[int, Field(ge=1, le=32)] = Field(
        4, description="Restore jobs a worker process runs at the same time."
    )
    worker_upkeep: Annotated[int, Field(ge=1, le=32)] = Field(
        1, description="Jobs of each kind of upkeep (verify, restore-drill, maintain) a worker process runs at once."
    )
    verify_interval: Seconds = Field(86_400.0, description="Seconds between two verifications of a repository.")
    verify_within: Seconds = Field(
        30 * 86_400.0, description="Seconds in which verifications together read every stored object whole."
    )
    schedule_recheck: Seconds = Field(
        60.0, description="Seconds a scheduled run is put off while an earlier run of its configuration goes on."
    )
    drill_interval: Seconds = Field(7 * 86_400.0, description="Seconds between two restore drills of a repository.")
    drill_items: Annotated[int, Field(ge=1, le=100_000)] = Field(
        100, description="Random items a restore drill restores and compares."
    )
    maintain_interval: Seconds = Field(86_400.0, description="Seconds between two maintenances of a repository.")
    tenant_jobs: Annotated[int, Field(ge=1, le=1000)] = Field(
        8, description="Jobs of one tenant and kind that are admitted to the workers at the same time."
    )
    graph_mailbox_requests: Annotated[int, Field(ge=1)] = Field(
        10_000,
        description="Requests to one mailbox in 10 minutes by all workers together; Exchange allows an app 10,000.",
    )
    checkpoint_bytes: Annotated[int, Field(ge=1 << 16)] = Field(
        1 << 30, description="Bytes read since the last checkpoint that cause the next one; one is made every minute."
    )
    search_cache_bytes: Annotated[int, Field(ge=1 << 20)] = Field(
        2 << 30, description="Bytes of search files a worker keeps in `search` of its state folder."
    )
    search_patience: Annotated[float, Field(gt=0, le=4.0)] = Field(
        3.0, description="Seconds a question waits for a search file that is being made before it says so."
    )
    engine_cache_bytes: Annotated[int, Field(ge=0)] = Field(
        1 << 30,
        description="Bytes of sealed repository objects kept in the state folder, of all repositories; 0: none.",
    )
    progress_interval: Seconds = Field(1.0, description="Seconds between two progress marks of a job.")
    full_look_interval: Seconds = Field(
        7 * 86_400.0,
        description="Seconds between two comparisons of a whole mailbox (ids, change keys) with what is stored.",
    )
    hold_recheck: Seconds = Field(5.0, description="Seconds after which a held job looks whether its cause is gone.")
    export_interval: Seconds = Field(
        86_400.0,
        description="Seconds between two looks at a target: are its keys wrapped, are the documents in its repository.",
    )
    retry_ladder: tuple[float, ...] = Field(
        (5.0, 30.0, 120.0, 600.0), description="Seconds before the 2nd, 3rd … attempt of a job that met an error."
    )
    attempts: Annotated[int, Field(ge=1, le=100)] = Field(5, description="Attempts before a job fails.")
