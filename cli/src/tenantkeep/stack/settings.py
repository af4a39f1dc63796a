"""Settings of the embedded stack: the only reader of the environment in this package."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tenantkeep.stack.errors import StackError

_LAST_PORT = 65_535


def _port(default: int, what: str) -> int:
    field: int = Field(default, ge=1, le=_LAST_PORT, description=f"TCP port on 127.0.0.1: {what}.")
    return field


class StackSettings(BaseSettings):
    """What `tenantkeep up` reads from the environment."""

    model_config = SettingsConfigDict(env_prefix="TENANTKEEP_", frozen=True, extra="ignore")

    home: Path = Field(Path(".tenantkeep"), description="State folder of the embedded stack.")
    ports: Literal["fixed", "auto"] = Field(
        "fixed",
        description="fixed: the ports below; auto: free ones, kept in run/ports.json of the state folder.",
    )
    workers: int = Field(1, ge=1, le=8, description="Number of backup workers.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Log level of the services.")
    start_timeout: float = Field(90.0, gt=0, description="Seconds a process of the stack may take until it is ready.")

    restart_longest: float = Field(
        30.0, gt=0, description="Longest pause in seconds before a process that died is started again."
    )

    port_gateway: int = _port(8443, "the API, https")
    port_gateway_http: int = _port(8080, "the API, plain http, loopback only")
    port_nats: int = _port(4222, "the bus")
    port_documents: int = _port(27017, "the document store")
    port_vault: int = _port(8200, "the vault")
    port_vault_cluster: int = _port(8201, "the vault's own cluster traffic")
    port_objects: int = _port(8333, "the object store, S3 over https")
    port_objects_grpc: int = _port(18333, "object store, internal")
    port_objects_master: int = _port(9333, "object store, internal")
    port_objects_master_grpc: int = _port(19333, "object store, internal")
    port_objects_volume: int = _port(9340, "object store, internal")
    port_objects_volume_grpc: int = _port(19340, "object store, internal")
    port_objects_filer: int = _port(8888, "object store, internal")
    port_objects_filer_grpc: int = _port(18888, "object store, internal")
    port_objects_admin: int = _port(23646, "object store, internal")
    port_objects_admin_grpc: int = _port(33646, "object store, internal")
    port_simulator: int = _port(8444, "the Microsoft 365 simulator, https")
    port_issuer: int = _port(8445, "the stack's token issuer, https")
    port_token_service: int = _port(8451, "health and metrics of token-service, https")
    port_backup_planner: int = _port(8452, "health and metrics of the backup planner, https")
    port_monitor_service: int = _port(8453, "health and metrics of monitor-service, https")
    port_sync_service: int = _port(8455, "health and metrics of sync-service, https")
    port_gateway_health: int = _port(8454, "health and metrics of the gateway, https")
    port_backup_worker: int = _port(8461, "health and metrics of the first backup worker, https; others follow")
    port_backup_worker_download: int = _port(8471, "downloads from the first backup worker, https; others follow")

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return Path(os.path.abspath(home.expanduser()))  # noqa: PTH100 -- resolve() would follow links


def load(home: Path | None = None) -> StackSettings:
    """The settings, with one sentence per wrong variable as `StackError`."""
    try:
        return StackSettings() if home is None else StackSettings(home=home)
    except ValidationError as error:
        lines = [f"TENANTKEEP_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_input=False)]
        raise StackError(
            "Settings of the embedded stack are wrong:\n" + "\n".join(lines),
            remedy="Correct or unset these environment variables.",
        ) from None


def caller_environment() -> dict[str, str]:
    """The caller's environment: services inherit it, so that their own settings can be given to `up`."""
    return dict(os.environ)  # noqa: TID251 -- this module is the settings of the stack
