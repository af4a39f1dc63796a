"""The file that says what each app of a tenant signs in with, as `tenantkeep simulator seed --apps` writes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel, SecretStr, ValidationError

from contracts.api import CredentialBody, VaultKeyBody
from contracts.names import Profile
from tenantkeep.commands.credential_body import AnyBody, certificate_body
from tenantkeep.commands.errors import CommandError, usage

_KINDS = (
    "client_secret, or certificate_file with key_file, or vault_key: true",
    "client_secret oder certificate_file mit key_file oder vault_key: true",
)


AppsPath = Annotated[
    Path | None,
    typer.Option(help="JSON file with tenant id, and client id and secret, certificate or vault_key of each profile."),
]


class _App(BaseModel):
    client_id: str
    client_secret: SecretStr | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    vault_key: bool = False


class _File(BaseModel):
    tenant: str
    tenant_id: str
    apps: dict[Profile, _App]


@dataclass(frozen=True)
class AppsFile:
    """A tenant's app registrations and what each signs in with, read and checked."""

    tenant_id: str
    apps: Mapping[Profile, AnyBody]
    certificates: Mapping[Profile, Path]
    """Where the certificates lie that somebody else made."""


def read_apps(path: Path) -> AppsFile:
    """Read an apps file and the files that it names, relative to its folder; no value appears in a message.

    Raises CommandError.
    """
    try:
        known = _File.model_validate_json(path.read_bytes())
    except OSError as error:
        raise usage(f"{path}: {error.strerror}", f"{path}: {error.strerror}") from error
    except ValidationError as error:
        fields = ", ".join(".".join(str(p) for p in e["loc"]) or "JSON" for e in error.errors(include_input=False))
        raise usage(f"{path} is no apps file ({fields}).", f"{path} ist keine Apps-Datei ({fields}).") from None
    files = {profile: path.parent / app.certificate_file for profile, app in known.apps.items() if app.certificate_file}
    apps = {profile: _body(path, profile, app) for profile, app in sorted(known.apps.items())}
    return AppsFile(known.tenant_id, apps, files)


def _body(path: Path, profile: Profile, app: _App) -> AnyBody:
    try:
        match app.client_secret, app.certificate_file, app.key_file, app.vault_key:
            case SecretStr() as secret, None, None, False:
                return CredentialBody(client_id=app.client_id, client_secret=secret)
            case None, Path() as certificate, Path() as key, False:
                return certificate_body(app.client_id, path.parent / certificate, path.parent / key)
            case None, None, None, True:
                return VaultKeyBody(client_id=app.client_id)
            case _:
                raise usage(f"Give exactly one of {_KINDS[0]}.", f"Genau eines angeben: {_KINDS[1]}.")
    except CommandError as error:
        raise usage(f"{path}, {profile}: {error.message.en}", f"{path}, {profile}: {error.message.de}") from error
    except ValidationError as error:
        fields = ", ".join(str(e["loc"][0]) for e in error.errors(include_input=False))
        raise usage(f"{path}, {profile}: not valid: {fields}", f"{path}, {profile}: nicht gültig: {fields}") from None
