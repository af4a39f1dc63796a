"""The recovery key of a tenant: made here, on the customer's machine; only its public half is sent."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from contracts.api import RecoveryKeyBody
from contracts.texts import Text
from contracts.views import Tenant
from tenantkeep.commands import figures
from tenantkeep.commands.client import connect
from tenantkeep.commands.errors import usage
from tenantkeep.commands.options import Json, Lang
from tenantkeep.commands.output import Screen, reported

_SHOWN = 16
"""Hex digits of a fingerprint that people compare."""

KeyFile = Annotated[
    Path | None, typer.Option(help="Recovery key file to make, or made before. [default: TENANT.recovery-key]")
]
PassphraseFile = Annotated[Path | None, typer.Option(help="File with its passphrase. [default: ask]")]
Passphrase = Annotated[str | None, typer.Option(hidden=True, envvar="TENANTKEEP_RECOVERY_PASSPHRASE")]


@reported
def recovery_key(
    *,
    tenant: Annotated[str, typer.Argument(help="Slug of the tenant.")],
    new: Annotated[bool, typer.Option("--new", help="Make a new one; it replaces the one before.")] = False,
    recovery_key_file: KeyFile = None,
    passphrase_file: PassphraseFile = None,
    passphrase: Passphrase = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Show the recovery key of a tenant, or replace it with --new.

    It opens all backups of the tenant when Tenantkeep and its vault are gone. The new one is made on this machine and
    saved to a file, sealed to a passphrase; only its public half is sent. Repositories are re-wrapped to it by their
    next backup, and what is written from then on the old one does not open.

    Example: tenantkeep tenant recovery-key contoso --new --recovery-key-file contoso-2027.recovery-key
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = gateway.tenant(tenant)
        file = None
        if new:
            file = recovery_key_file or default_file(tenant)
            public_key = made(screen, tenant, file, passphrase_file, passphrase)
            if found.recovery_key is not None and public_key == found.recovery_key.public_key:
                raise usage(
                    f"{file} is the recovery key the tenant has; name another file.",
                    f"{file} ist der jetzige Wiederherstellungsschlüssel; eine andere Datei angeben.",
                )
            found = gateway.set_recovery_key(tenant, RecoveryKeyBody(public_key=public_key))
    if as_json:
        screen.document({"tenant": found, "recovery_key_file": None if file is None else str(file)})
        return
    show(screen, found, file)


def default_file(tenant: str) -> Path:
    return Path(f"{tenant}.recovery-key")


def made(screen: Screen, tenant: str, file: Path, passphrase_file: Path | None, passphrase: str | None) -> str:
    """The public half of a new key whose sealed private half is in `file` when this returns.

    A file that is there already is used as it is, so that a command that was cut short can be repeated.
    """
    from tenantkeep.recover import keyfile  # noqa: PLC0415 - loads the engine, see the package

    if file.exists():
        known = keyfile.read(file)
        if known.tenant != tenant:
            raise usage(
                f"{file} is the recovery key of {known.tenant}.", f"{file} ist der Schlüssel von {known.tenant}."
            )
        return known.public.text
    secret = keyfile.new_passphrase(screen, passphrase_file, None if passphrase is None else SecretStr(passphrase))
    key, text = keyfile.make(tenant, secret)
    keyfile.save(text, file)
    return key.public.text


def show(screen: Screen, tenant: Tenant, file: Path | None) -> None:
    """Which recovery key a tenant has; a warning when it has none, and what to do with a file just made."""
    if tenant.recovery_key is None:
        screen.say(
            Text(
                "WARNING: no recovery key. Without the vault the backups of this tenant cannot be read."
                " Make one: tenantkeep tenant recovery-key {} --new",
                "WARNUNG: kein Wiederherstellungsschlüssel. Ohne Vault sind die Sicherungen dieses Mandanten nicht"
                " lesbar. Anlegen: tenantkeep tenant recovery-key {} --new",
            ),
            tenant.tenant,
        )
        return
    screen.say(
        Text("Recovery key {}, since {}", "Wiederherstellungsschlüssel {}, seit {}"),
        tenant.recovery_key.fingerprint[:_SHOWN],
        figures.moment(tenant.recovery_key.since),
    )
    if file is not None:
        screen.say(
            Text(
                "Saved to {}. Keep it in two places, and the passphrase somewhere else: together they open every"
                " backup without Tenantkeep, and nobody can make them again.",
                "Gespeichert in {}. An zwei Orten aufbewahren, die Passphrase woanders: zusammen öffnen sie jede"
                " Sicherung ohne Tenantkeep, und niemand kann sie neu ausstellen.",
            ),
            file,
        )
