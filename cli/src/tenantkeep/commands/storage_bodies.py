"""What `tenantkeep storage add` and `credentials` send, and how they tell a connection test that failed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr, TypeAdapter, ValidationError

from contracts.api import AnyTargetBody, RateLimit, SFTPCredentials, SFTPTargetBody, StorageTargetResult
from contracts.texts import STORAGE_FINDINGS, render
from contracts.views import ProbeStep
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.errors import CommandError, Refused, usage

_UNITS = {"": 1, "k": 1000, "M": 1_000_000, "G": 1_000_000_000}
_FORM = 2  # words of a public key: kind and key; what follows is a comment


def sftp_target(
    *,
    name: str,
    address: str,
    user: str | None,
    folder: str | None,
    host_keys: Sequence[str],
    secrets: Mapping[str, Path | None],
) -> SFTPTargetBody:
    """`secrets` are the files of private_key, passphrase and password."""
    if user is None or folder is None or not host_keys:
        raise usage(
            "An SFTP target needs --user, --folder, --host-key, and --key-file or --password-file.",
            "Ein SFTP-Ziel braucht --user, --folder, --host-key und --key-file oder --password-file.",
        )
    given = {part: secret_of(file, part) for part, file in secrets.items() if file is not None}
    try:
        return SFTPTargetBody(
            name=name,
            kind="sftp",
            endpoint=f"sftp://{address}",
            prefix=folder,
            user=user,
            host_keys=tuple(" ".join(text.split()[:_FORM]) for text in host_keys),
            credentials=SFTPCredentials(**given),
        )
    except ValidationError as error:
        raise invalid_fields(error) from None


def rate_limit(text: str) -> int:
    """Bytes per second that a text such as 20M means. Raises a usage error."""
    found = re.fullmatch(r"(\d{1,9})([kMG]?)", text)
    try:
        return TypeAdapter(RateLimit).validate_python(int(found[1]) * _UNITS[found[2]] if found else None)
    except ValidationError:
        raise usage(
            f"Not a limit: {text}. Give bytes per second such as 500k, 20M or 1G, at least 66k.",
            f"Keine Begrenzung: {text}. Byte je Sekunde angeben, etwa 500k, 20M oder 1G, mindestens 66k.",
        ) from None


def invalid_fields(error: ValidationError) -> CommandError:
    fields = ", ".join(str((e["loc"] or ("credentials",))[0]) for e in error.errors(include_input=False))
    return usage(f"Not valid: {fields}", f"Nicht gültig: {fields}")


def tested(gateway: Gateway, tenant: str, body: AnyTargetBody, language: str) -> StorageTargetResult:
    """Create the target."""
    with steps_told(language):
        return gateway.create_storage_target(tenant, body)


@contextmanager
def steps_told(language: str) -> Iterator[None]:
    """A connection test that failed is told step by step in the reader's language."""
    try:
        yield
    except Refused as error:
        if error.problem.code == "connection-test-failed":
            error.lines = tuple(_told(ProbeStep.model_validate(step), language) for step in error.problem.errors)
        raise


def _told(step: ProbeStep, language: str) -> str:
    if step.finding is None:
        return f"{step.name}: {step.detail}" if step.detail else f"{step.name}: {'ok' if step.ok else '-'}"
    said = render(STORAGE_FINDINGS[step.finding], language)
    return f"{step.name}: {said} ({step.detail})"


def secret_of(file: Path, part: str) -> SecretStr:
    text = file.read_text(encoding="utf-8")
    return SecretStr(text if part == "private_key" else text.strip())
