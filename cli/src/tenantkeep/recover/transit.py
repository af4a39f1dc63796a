"""A new vault's transit engine, as far as `recover rewrap` and `rotate` need it: log in, wrap data keys, draw one.

Sources: openbao.org/api-docs/auth/approle, openbao.org/api-docs/secret/transit.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from contracts.texts import Text
from tenantkeep.commands import trust
from tenantkeep.commands.errors import CommandError, Unreachable
from tenantkeep.exit_codes import ExitCode

_TIMEOUT = 10.0
_DATA_KEY_BYTES = 32


@dataclass(frozen=True)
class VaultAccess:
    """Where the new vault is and who asks it: the role of backup-service may wrap, nobody needs more."""

    url: str
    role_id: str
    secret_id_file: Path
    ca_file: Path | None


class TransitKey:
    """Implements backup_engine.KeyWrapper with one transit key of a vault."""

    def __init__(self, http: httpx.Client, name: str) -> None:
        self._http = http
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def new_data_key(self) -> tuple[bytes, str]:
        answer = _data(self._http.post(f"/v1/transit/datakey/plaintext/{self._name}", json={"bits": 256}))
        return base64.b64decode(answer["plaintext"]), str(answer["ciphertext"])

    def wrap(self, data_key: bytes) -> str:
        assert len(data_key) == _DATA_KEY_BYTES
        body = {"plaintext": base64.b64encode(data_key).decode()}
        return str(_data(self._http.post(f"/v1/transit/encrypt/{self._name}", json=body))["ciphertext"])

    def unwrap(self, wrapped: str) -> bytes:
        answer = _data(self._http.post(f"/v1/transit/decrypt/{self._name}", json={"ciphertext": wrapped}))
        return base64.b64decode(answer["plaintext"])


@contextmanager
def transit_key(access: VaultAccess, name: str) -> Iterator[TransitKey]:
    """The transit key `name`, logged in by AppRole. Raises CommandError with the next step."""
    try:
        with httpx.Client(
            base_url=access.url, verify=trust.context(access.ca_file), trust_env=False, timeout=_TIMEOUT
        ) as http:
            login = {"role_id": access.role_id, "secret_id": access.secret_id_file.read_text().strip()}
            answer = _body(http.post("/v1/auth/approle/login", json=login))
            http.headers["X-Vault-Token"] = answer["auth"]["client_token"]
            yield TransitKey(http, name)
    except httpx.TransportError as error:
        raise Unreachable(
            Text("The vault does not answer.", "Der Vault antwortet nicht."),
            Text("Check --vault and --ca-file.", "--vault und --ca-file prüfen."),
            lines=(type(error).__name__,),
            code="vault-unreachable",
        ) from error


def _data(answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = _body(answer)["data"]
    return found


def _body(answer: httpx.Response) -> dict[str, Any]:
    if not answer.is_success:
        # The body may repeat what was sent; the path says enough.
        raise CommandError(
            Text("The vault refuses.", "Der Vault lehnt ab."),
            Text(
                "The role needs to wrap with the tenant's key, and the key must be there: register the tenant first.",
                "Die Rolle muss mit dem Schlüssel des Mandanten verschlüsseln dürfen, und es muss ihn geben: zuerst "
                "den Mandanten anlegen.",
            ),
            ExitCode.NOT_AUTHORISED,
            lines=(f"{answer.status_code} {answer.request.url.path}",),
            code="vault-refused",
        )
    found: dict[str, Any] = answer.json()
    return found
