"""The gateway's settings; no other module reads the environment."""

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from chassis.settings import HTTPS, BusSettings, Port


class GatewaySettings(BusSettings):
    """+ listeners, the issuer of bearer tokens, the vault and the place downloads come from."""

    tls_cert_file: Path = Field(description="PEM certificate chain that the gateway presents.")
    tls_key_file: Path = Field(description="PEM private key of TENANTKEEP_TLS_CERT_FILE.")

    gateway_host: str = Field("127.0.0.1", description="Address the API listens on.")
    gateway_port: Port = Field(8443, description="Port of the API over https; 0: the operating system chooses.")
    gateway_public_url: str = Field(
        "https://127.0.0.1:8443",
        pattern=r"^https://[^/\s]+$",
        description="Base URL under which browsers reach the API; apps register /api/v1/consent/callback below it as "
        "their redirect URI.",
    )
    gateway_http_port: Port = Field(
        8080, description="Port of the API over plain http, allowed on a loopback address only; 0: off."
    )

    oidc_issuer: str = Field(pattern=HTTPS, description="Issuer of the bearer tokens, exactly as in their iss claim.")
    oidc_audience: str = Field(min_length=1, description="Audience (aud claim) that bearer tokens must name.")
    oidc_jwks_url: str | None = Field(
        None, pattern=HTTPS, description="URL of the issuer's keys; unset: taken from the issuer's discovery document."
    )

    roles_max_age: float = Field(
        60.0,
        gt=0,
        description="Seconds for which the roles of a tenant's own people are remembered; a change that sync-service "
        "announces is taken at once.",
    )

    vault_url: str = Field(pattern=HTTPS, description="URL of OpenBao or Vault, https://host:port.")
    vault_auth: Literal["approle"] = Field("approle", description="Login method at the vault.")
    vault_role_id: str = Field(description="AppRole role id of the process.")
    vault_secret_id: SecretStr = Field(description="AppRole secret id of the process.")

    download_url: str = Field(
        pattern=HTTPS, description="Base URL of backup-service's downloads, https://host:port without a path."
    )

    @model_validator(mode="after")
    def _plain_http_stays_on_this_machine(self) -> Self:
        if self.gateway_http_port and not _is_loopback(self.gateway_host):
            raise PydanticCustomError(
                "plain_http_off_loopback",
                "plain http is allowed on a loopback address only, and TENANTKEEP_GATEWAY_HOST is none: "
                "set TENANTKEEP_GATEWAY_HTTP_PORT=0",
            )
        return self


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
