"""The recovery key file: made on this machine, sealed to a passphrase, opened when everything else is gone."""

import os
from datetime import UTC, datetime
from pathlib import Path

import typer
from pydantic import SecretStr

from backup_engine import KeyUnavailable, RecoveryKey, SealedRecoveryKey
from backup_engine.recovery import MIN_PASSPHRASE
from contracts.texts import Text
from tenantkeep.commands.errors import CommandError, usage
from tenantkeep.commands.output import Screen
from tenantkeep.recover.access import Access

_MODE = 0o600
_PREFACE = """\
Recovery key of the tenant {tenant}, made by Tenantkeep on {day}.

This file and its passphrase open every backup of this tenant, without Tenantkeep's servers and without its vault:

    tenantkeep recover --storage s3://HOST/BUCKET/PREFIX --key THIS-FILE list

Keep it in two places that do not burn down together, and the passphrase somewhere else. Nobody can reset it.

"""
_ASK = Text("Passphrase of the recovery key", "Passphrase des Wiederherstellungsschlüssels")
_AGAIN = Text("The same again", "Noch einmal")


def read(file: Path) -> SealedRecoveryKey:
    """Parse a recovery key file. Raises CommandError that says what is wrong with it."""
    try:
        return SealedRecoveryKey.parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        detail = error.strerror if isinstance(error, OSError) else str(error)
        raise CommandError(
            Text(
                f"{file} cannot be used as a recovery key.", f"{file} ist kein brauchbarer Wiederherstellungsschlüssel."
            ),
            Text("Take the file that was saved at onboarding.", "Die beim Anlegen gespeicherte Datei nehmen."),
            lines=(str(detail),),
            code="key-file",
        ) from error


def opened(access: Access, screen: Screen) -> RecoveryKey:
    """The recovery key of `--key`, its passphrase from file, environment or terminal."""
    if access.key is None:
        raise usage("Give the recovery key file: --key", "Die Datei des Wiederherstellungsschlüssels angeben: --key")
    sealed = read(access.key)
    try:
        return sealed.open(passphrase(screen, access.passphrase_file, access.passphrase))
    except KeyUnavailable as error:
        raise CommandError(
            Text(
                "The passphrase is wrong, or the file was altered.",
                "Die Passphrase ist falsch, oder die Datei wurde verändert.",
            ),
            Text("Try the passphrase again, or another copy of the file.", "Passphrase oder andere Kopie versuchen."),
            code="passphrase",
        ) from error


def make(tenant: str, secret: str) -> tuple[RecoveryKey, str]:
    """A new recovery key and the text of its file. The private half is nowhere else."""
    key = RecoveryKey.generate()
    now = datetime.now(UTC)
    return key, _PREFACE.format(tenant=tenant, day=f"{now:%Y-%m-%d}") + key.seal(secret, tenant=tenant, created=now)


def save(text: str, file: Path) -> None:
    """Write the file for its owner alone, synced; never over another one."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    except FileExistsError:
        raise usage(
            f"{file} exists already; a recovery key is never written over.",
            f"{file} gibt es schon; ein Wiederherstellungsschlüssel wird nie überschrieben.",
        ) from None
    except OSError as error:
        raise usage(f"{file}: {error.strerror}", f"{file}: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as opened_file:
        opened_file.write(text)
        opened_file.flush()
        os.fsync(opened_file.fileno())


def passphrase(screen: Screen, file: Path | None, given: SecretStr | None) -> str:
    """The passphrase of an existing key."""
    known = _given(file, given)
    return known if known is not None else str(_prompt(screen, _ASK))


def new_passphrase(screen: Screen, file: Path | None, given: SecretStr | None) -> str:
    """A passphrase for a new key, asked for twice on a terminal; too short ones are refused."""
    chosen = _given(file, given)
    if chosen is None:
        chosen = _prompt(screen, _ASK)
        if chosen != _prompt(screen, _AGAIN):
            raise usage("The two passphrases differ.", "Die beiden Passphrasen sind verschieden.")
    if len(chosen) < MIN_PASSPHRASE:
        raise usage(
            f"The passphrase needs at least {MIN_PASSPHRASE} characters.",
            f"Die Passphrase braucht mindestens {MIN_PASSPHRASE} Zeichen.",
        )
    return chosen


def _given(file: Path | None, given: SecretStr | None) -> str | None:
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise usage(f"{file} cannot be read.", f"{file} ist nicht lesbar.") from error
    return None if given is None else given.get_secret_value()


def _prompt(screen: Screen, question: Text) -> str:
    try:
        return str(typer.prompt(screen.text(question), hide_input=True, err=True))
    except typer.Abort:
        raise usage(
            "There is nobody to ask for the passphrase: --passphrase-file",
            "Niemand da, der die Passphrase eingibt: --passphrase-file",
        ) from None
