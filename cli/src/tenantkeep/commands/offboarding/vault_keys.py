"""The one place that destroys a key: an operator's own role of the vault, which no service has.

Sources: openbao.org/api-docs/secret/transit (delete key), openbao.org/api-docs/secret/kv/kv-v2 (delete metadata).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from contracts.texts import Text
from tenantkeep.commands import settings, trust
from tenantkeep.commands.errors import CommandError, Unreachable
from tenantkeep.exit_codes import ExitCode
from tenantkeep.stack import ports as stack_ports
from tenantkeep.stack import secrets, vault

ROLE = "shredder"
_TIMEOUT = 10.0


@dataclass(frozen=True)
class ShredderAccess:
    """Where the vault is, and the secret of the role."""

    url: str
    role_id: str
    secret_id_file: Path
    ca_file: Path | None


def embedded_access() -> ShredderAccess:
    """The embedded stack's own vault."""
    home = settings.home()
    return ShredderAccess(vault.url(stack_ports.running(home)), ROLE, secrets.vault_secret_id(home, ROLE), home.ca)


def destroy(access: ShredderAccess, tenant: str, keys: Sequence[str]) -> None:
    """Destroy the transit keys, and what the vault holds of the tenant's storage. Repeating it changes nothing.

    Raises CommandError with the next step.
    """
    with _logged_in(access) as http:
        for key in keys:
            path = f"/v1/transit/keys/{key}"
            if http.get(path).status_code == httpx.codes.NOT_FOUND:
                continue
            _ask(http, "POST", f"{path}/config", {"deletion_allowed": True})
            _ask(http, "DELETE", path)
        for below in _storage(http, tenant):
            _ask(http, "DELETE", f"/v1/kv/metadata/tenants/{tenant}/storage/{below}")
        _ask(http, "DELETE", f"/v1/kv/metadata/tenants/{tenant}/recovery-key")


def _storage(http: httpx.Client, tenant: str) -> list[str]:
    answer = http.request("LIST", f"/v1/kv/metadata/tenants/{tenant}/storage")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return []
    found: list[str] = _good(answer).json()["data"]["keys"]
    return found


@contextmanager
def _logged_in(access: ShredderAccess) -> Iterator[httpx.Client]:
    try:
        secret_id = access.secret_id_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise _no_role(f"{access.secret_id_file}: {error.strerror}") from error
    try:
        with httpx.Client(
            base_url=access.url, verify=trust.context(access.ca_file), trust_env=False, timeout=_TIMEOUT
        ) as http:
            login = http.post("/v1/auth/approle/login", json={"role_id": access.role_id, "secret_id": secret_id})
            if not login.is_success:
                raise _no_role(f"{login.status_code} {login.request.url.path}")
            http.headers["X-Vault-Token"] = login.json()["auth"]["client_token"]
            yield http
    except httpx.TransportError as error:
        raise Unreachable(
            Text("The vault does not answer.", "Der Vault antwortet nicht."),
            Text("Check --vault and --vault-ca-file.", "--vault und --vault-ca-file prüfen."),
            lines=(type(error).__name__,),
            code="vault-unreachable",
        ) from error


def _ask(http: httpx.Client, method: str, path: str, body: dict[str, object] | None = None) -> None:
    _good(http.request(method, path, json=body))


def _good(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        # The body may repeat what was sent; the path says enough.
        raise _no_role(f"{answer.status_code} {answer.request.method} {answer.request.url.path}")
    return answer


def _no_role(line: str) -> CommandError:
    return CommandError(
        Text(
            "The vault's role for destroying keys cannot be used.", "Die Vault-Rolle zum Vernichten ist nicht nutzbar."
        ),
        Text(
            "The vault needs the role `shredder` with the policy of this release (cli/src/tenantkeep/stack/"
            "vault_policies.py); name its credentials: --vault-role-id, --vault-secret-id-file.",
            "Der Vault braucht die Rolle `shredder` mit der Policy dieser Version (cli/src/tenantkeep/stack/"
            "vault_policies.py); ihre Zugangsdaten nennen: --vault-role-id, --vault-secret-id-file.",
        ),
        ExitCode.NOT_AUTHORISED,
        lines=(line,),
        code="vault-refused",
    )
