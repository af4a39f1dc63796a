"""The settings every process shares, read from TENANTKEEP_* variables and from nowhere else.

Four steps, each adding what one more neighbour needs, so that a process demands no variable it does not use:

    ProcessSettings  state folder, trust, health port, logs, intervals
    BusSettings      + NATS
    StoreSettings    + documents
    ServiceSettings  + vault and Microsoft 365

A secret `x` is also accepted as `TENANTKEEP_X_FILE`, the path of a file that holds it. No message of this module
contains a value: a mistyped variable may hold a secret.
"""

import re
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, Union, get_args, get_origin

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

PREFIX = "TENANTKEEP_"
HTTPS = r"^https://\S+$"
"""Pattern of an address that must not be plain http."""
NATS = r"^tls://[^,\s]+(,tls://[^,\s]+)*$"
_WEAKENING = re.compile(r"[?&](?:(?:tls|ssl)=false|tls(?:insecure|allowinvalid[a-z]+)=true)")
_LOOPBACK_HOSTS = re.compile(r"mongodb://(?:(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?,?)+(?:/|\?|$)")
USAGE = 2
"""Exit code of a process whose settings are wrong."""

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]


class SettingsRefused(Exception):
    """The environment cannot be used; `sentences` says why, one per variable, without values."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class _SecretFiles(EnvSettingsSource):
    """Reads `<NAME>_FILE` for every secret field."""

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        faults: list[str] = []
        for name, field in self.settings_cls.model_fields.items():
            if not _is_secret(field.annotation):
                continue
            variable = variable_of(name)
            path = self.env_vars.get(f"{variable}_FILE".lower())
            if path is None:
                continue
            if self.env_vars.get(variable.lower()) is not None:
                faults.append(f"{variable} and {variable}_FILE are both set: remove one of them.")
                continue
            try:
                found[name] = _secret_in(Path(path))
            except OSError as error:
                faults.append(f"{variable}_FILE names a file that cannot be read: {error.strerror}.")
            except ValueError as error:
                faults.append(f"{variable}_FILE names a file that {error}.")
        if faults:
            raise SettingsRefused(faults)
        return found


class ProcessSettings(BaseSettings):
    """What every long-running process reads."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        env_ignore_empty=True,
    )

    home: Path = Field(Path(".tenantkeep"), description="State folder; nothing is written outside it.")
    ca_file: Path | None = Field(
        None,
        description=("PEM bundle of the only certificate authorities that clients trust; unset: those of the system."),
    )
    https_proxy: str | None = Field(
        None, repr=False, description="URL of the proxy for Microsoft 365; other proxy variables are ignored."
    )
    tls_cert_file: Path | None = Field(
        None, description="PEM certificate chain that the process's own listeners present."
    )
    tls_key_file: Path | None = Field(None, description="PEM private key of TENANTKEEP_TLS_CERT_FILE.")
    health_host: str = Field("127.0.0.1", description="Address of the port with probes and metrics.")
    health_port: Port = Field(description="Port of /livez, /readyz and /metrics; 0: the operating system chooses.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line that is written."
    )
    otlp_endpoint: str | None = Field(
        None,
        pattern=HTTPS,
        description="URL that takes traces (OTLP over HTTP), as https://collector:4318/v1/traces; unset: none.",
    )
    seed: int | None = Field(
        None, description="Seed of every random choice, for repeatable tests; unset: drawn and logged."
    )
    sweep_interval: Seconds = Field(2.0, description="Seconds between two looks for due work.")
    drain_timeout: Annotated[float, Field(gt=0, le=30)] = Field(
        30.0, description="Seconds that running work gets to hand back after SIGTERM; at most 30."
    )

    @model_validator(mode="after")
    def _pairs_are_complete(self) -> Self:
        _both_or_neither(self, "tls_cert_file", "tls_key_file")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a .env file nobody looks at is a trap
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced by *_FILE
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then secret files; no .env file."""
        return init_settings, env_settings, _SecretFiles(settings_cls)


class BusSettings(ProcessSettings):
    """+ NATS."""

    nats_url: str = Field(
        pattern=NATS,
        description="URL of NATS, tls://host:port, with handshake_first (ADR 0009); several are separated by commas.",
    )
    nats_nkey: SecretStr = Field(description="nkey seed of the process's NATS user.")
    ack_wait: Seconds = Field(
        60.0, description="Seconds after which the bus hands an unacknowledged message to another worker."
    )
    heartbeat_interval: Seconds = Field(20.0, description="Seconds between two signs of life for a message in work.")
    delivery_ladder: tuple[Seconds, ...] = Field(
        (1.0, 2.0, 5.0, 10.0, 30.0),
        min_length=1,
        description="Seconds before the 2nd, 3rd … delivery of a message whose handler failed; never more than 30.",
    )
    delivery_attempts: int = Field(8, ge=1, description="Failed deliveries after which a message is a dead letter.")
    delivery_fetch: Seconds = Field(5.0, description="Seconds one request for messages waits at the bus.")
    outage_pause: Seconds = Field(
        2.0, description="Seconds before a message is delivered again that met a server which is away; not counted."
    )
    checkpoint_interval: Seconds = Field(60.0, description="Seconds between two checkpoints of a job.")


class StoreSettings(BusSettings):
    """+ documents."""

    mongo_url: str = Field(
        description="mongodb:// URL without credentials; TLS is on unless it says tls=false, on this machine only."
    )
    mongo_user: str | None = Field(
        None, description="Name of the database user; unset only on a server without authentication."
    )
    mongo_password: SecretStr | None = Field(None, description="Password of TENANTKEEP_MONGO_USER.")
    pending_grace: Seconds = Field(
        5.0, description="Seconds after which the sweep publishes an event that its own process has not."
    )

    @model_validator(mode="after")
    def _user_has_a_password(self) -> Self:
        _both_or_neither(self, "mongo_user", "mongo_password")
        return self

    @field_validator("mongo_url")
    @classmethod
    def _weak_tls_stays_on_this_machine(cls, url: str) -> str:
        if set(_WEAKENING.findall(url.lower())) and not _LOOPBACK_HOSTS.match(url):
            raise ValueError("TLS or its checks are switched off for a server on another machine")
        return url


class ServiceSettings(StoreSettings):
    """+ vault and Microsoft 365."""

    vault_url: str = Field(pattern=HTTPS, description="URL of OpenBao or Vault, https://host:port.")
    vault_auth: Literal["approle"] = Field("approle", description="Login method at the vault.")
    vault_role_id: str = Field(description="AppRole role id of the process.")
    vault_secret_id: SecretStr = Field(description="AppRole secret id of the process.")
    authority_url: str = Field(
        "https://login.microsoftonline.com",
        pattern=HTTPS,
        description="Base URL of the Microsoft identity platform (national clouds, simulator).",
    )
    graph_url: str = Field(
        "https://graph.microsoft.com/v1.0",
        pattern=HTTPS,
        description="Base URL of Microsoft Graph with version (national clouds, simulator).",
    )
    graph_time_scale: Annotated[float, Field(gt=0)] = Field(
        1.0, description="Factor on the windows of Graph's published limits; 1 outside tests."
    )


@dataclass(frozen=True)
class Variable:
    """One environment variable, for the generated reference page. `default` is None where it is required."""

    name: str
    description: str
    default: str | None
    secret: bool


Settings = TypeVar("Settings", bound=BaseSettings)


def read(settings: type[Settings]) -> Settings:
    """Read the environment; raises SettingsRefused with every reason at once."""
    try:
        return settings()
    except ValidationError as error:
        raise SettingsRefused(list(_sentences(settings, error))) from None
    except SettingsError as error:
        raise SettingsRefused([f"{error}."]) from None


def load(settings: type[Settings]) -> Settings:
    """Read the environment for a `__main__`: print one sentence per fault and leave with exit code 2."""
    try:
        return read(settings)
    except SettingsRefused as refusal:
        for sentence in refusal.sentences:
            sys.stderr.write(f"{sentence}\n")
        sys.exit(USAGE)


def variables(settings: type[BaseSettings]) -> list[Variable]:
    """Every variable of a settings class in the order of its fields."""
    found = []
    for name, field in settings.model_fields.items():
        default = None if field.is_required() else _shown(field.default)
        found.append(Variable(variable_of(name), field.description or "", default, _is_secret(field.annotation)))
    return found


def variable_of(field: str) -> str:
    """`nats_url` -> `TENANTKEEP_NATS_URL`."""
    return f"{PREFIX}{field.upper()}"


def _both_or_neither(settings: BaseSettings, *pair: str) -> None:
    missing = [name for name in pair if getattr(settings, name) is None]
    if len(missing) == 1:
        (given,) = set(pair) - set(missing)
        raise ValueError(f"{variable_of(missing[0])} is not set although {variable_of(given)} is")


def _sentences(settings: type[BaseSettings], error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(fault["loc"][0]) if fault["loc"] else ""
        field = settings.model_fields.get(name)
        if field is None:
            yield f"{fault['msg'].removeprefix('Value error, ')}."
            continue
        text = field.description or ""
        if fault["type"] == "missing":
            also = f" (or {variable_of(name)}_FILE)" if _is_secret(field.annotation) else ""
            yield f"{variable_of(name)}{also} is not set. {text}"
        elif fault["type"] == "value_error":
            # The text of a validator may quote the value, so only its own words about the field are shown.
            yield f"{variable_of(name)} is not usable. {text}"
        else:
            yield f"{variable_of(name)} is not usable: {fault['msg']}. {text}"


def _secret_in(path: Path) -> SecretStr:
    value = path.read_text(encoding="utf-8").rstrip("\r\n")
    if not value:
        raise ValueError("is empty")
    return SecretStr(value)


def _is_secret(annotation: Any) -> bool:
    if annotation is SecretStr:
        return True
    if get_origin(annotation) in {Union, types.UnionType, Annotated}:
        return any(_is_secret(part) for part in get_args(annotation))
    return False


def _shown(default: Any) -> str:
    return "" if default is None else str(default)
