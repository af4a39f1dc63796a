"""Recovery as somebody does it who has the storage and the recovery key, and nothing of this stack."""

import subprocess
import sys
from pathlib import Path

from contracts.api import StorageTargetBody


def export(target: StorageTargetBody, ca: Path, key: Path, passphrase: Path, user: str, archive: Path) -> str:  # noqa: PLR0917 - what such a person has
    """Export the newest restore point of `user` with a process of its own and an empty environment.

    Returns what it complained about; empty when it succeeded.
    """
    secret = archive.with_suffix(".secret")
    secret.touch(mode=0o600)
    secret.write_text(target.credentials.secret_key.get_secret_value(), encoding="utf-8")
    host = target.endpoint.partition("://")[2]
    options = {
        "--storage": f"s3://{host}/{target.bucket}/{target.prefix}",
        "--access-key": target.credentials.access_key.get_secret_value(),
        "--secret-key-file": str(secret),
        "--ca-file": str(ca),
        "--key": str(key),
        "--passphrase-file": str(passphrase),
    }
    given = [part for option in options.items() for part in option]
    command = [sys.executable, "-m", "tenantkeep.main", "recover", *given, "export", user, "--out", str(archive)]
    done = subprocess.run(command, env={}, cwd=archive.parent, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    return "" if done.returncode == 0 else f"{done.returncode}: {done.stderr.strip()}"
