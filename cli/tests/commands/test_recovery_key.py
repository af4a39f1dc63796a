"""A recovery key is made where the command runs; its private half never leaves."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from backup_engine import SealedRecoveryKey

PASSPHRASE = "correct horse battery staple"
ENTRA = "50f8131a-b9d3-4679-849e-cbe87444c623"


def sent(gateway: Any, path: str) -> Any:
    return [body for place, body in gateway.bodies if place == path][-1]


def test_onboarding_makes_a_key_and_sends_its_public_half_alone(
    signed_in: Any, tenantkeep: Any, tmp_path: Path
) -> None:
    done = tenantkeep("tenant", "add", "contoso", "--entra-tenant-id", ENTRA)
    assert done.exit_code == 0, done.output
    file = tmp_path / "contoso.recovery-key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    sealed = SealedRecoveryKey.parse(file.read_text())
    assert sealed.tenant == "contoso"
    assert sent(signed_in, "/api/v1/tenants")["recovery_key"] == sealed.public.text
    assert sealed.public.fingerprint[:16] in done.output
    assert str(file.name) in done.output
    private = sealed.open(PASSPHRASE)._private.private_bytes_raw()
    everything = json.dumps(signed_in.bodies) + done.output + file.read_text()
    assert private.hex() not in everything
    assert PASSPHRASE not in everything


def test_a_repeated_command_uses_the_file_it_made(signed_in: Any, tenantkeep: Any) -> None:
    for _ in range(2):
        assert tenantkeep("tenant", "add", "contoso", "--entra-tenant-id", ENTRA).exit_code == 0
    keys = [body["recovery_key"] for path, body in signed_in.bodies if path == "/api/v1/tenants"]
    assert keys[0] == keys[1]


def test_a_file_of_another_tenant_is_refused(signed_in: Any, tenantkeep: Any) -> None:
    assert tenantkeep("tenant", "add", "contoso", "--entra-tenant-id", ENTRA).exit_code == 0
    other = ("--entra-tenant-id", ENTRA, "--recovery-key-file", "contoso.recovery-key")
    done = tenantkeep("tenant", "add", "fabrikam", *other)
    assert (done.exit_code, "contoso" in done.output) == (2, True)


@pytest.mark.parametrize("passphrase", [None, "short"])
def test_without_a_good_passphrase_nothing_is_made_or_sent(
    signed_in: Any, tenantkeep: Any, tmp_path: Path, passphrase: str | None
) -> None:
    done = tenantkeep("tenant", "add", "contoso", "--entra-tenant-id", ENTRA, TENANTKEEP_RECOVERY_PASSPHRASE=passphrase)
    assert done.exit_code == 2
    assert "assphrase" in done.output
    assert signed_in.bodies == []
    assert not (tmp_path / "contoso.recovery-key").exists()


def test_going_without_is_said_and_shown(signed_in: Any, tenantkeep: Any, tmp_path: Path) -> None:
    done = tenantkeep("tenant", "add", "contoso", "--entra-tenant-id", ENTRA, "--no-recovery-key")
    assert (done.exit_code, "WARNING: no recovery key" in done.output) == (0, True)
    assert not (tmp_path / "contoso.recovery-key").exists()
    for command in (("tenant", "show", "contoso"), ("tenant", "recovery-key", "contoso")):
        assert "WARNUNG: kein Wiederherstellungsschlüssel" in tenantkeep(*command, "--lang", "de").output


def test_a_key_is_replaced_by_a_new_file(signed_in: Any, tenantkeep: Any, tmp_path: Path) -> None:
    tenantkeep("tenant", "add", "contoso", "--entra-tenant-id", ENTRA)
    again = tenantkeep("tenant", "recovery-key", "contoso", "--new")
    assert (again.exit_code, "name another file" in again.output) == (2, True)
    (tmp_path / "pass").write_text(f"{PASSPHRASE}\n")
    new = ("--new", "--recovery-key-file", "second.recovery-key", "--passphrase-file", "pass", "--json")
    done = tenantkeep("tenant", "recovery-key", "contoso", *new, TENANTKEEP_RECOVERY_PASSPHRASE=None)
    assert done.exit_code == 0, done.output
    sealed = SealedRecoveryKey.parse((tmp_path / "second.recovery-key").read_text())
    assert json.loads(done.stdout)["tenant"]["recovery_key"]["fingerprint"] == sealed.public.fingerprint
    assert sent(signed_in, "/api/v1/tenants/contoso/recovery-key") == {"public_key": sealed.public.text}
    assert sealed.open(PASSPHRASE).public == sealed.public
    assert sealed.public.fingerprint[:16] in tenantkeep("tenant", "recovery-key", "contoso").output
