import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ErrorClass
from contracts.names import ConsentSource, CredentialKind, ExpirySource, Profile, RecordEnd, Source, TokenStatus
from contracts.token_texts import PREFLIGHT
from contracts.tokens import TokenCheck, TokenRecord
from contracts.views import BackupConfiguration, TokenView

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BACKUP = TokenView(
    tenant="contoso",
    profile=Profile.EXCHANGE_BACKUP,
    status=TokenStatus.ACTIVE,
    client_id="app-1",
    generated_at=AT,
    generated_by="berta",
)


@pytest.fixture
def contoso(signed_in: Any) -> Any:
    signed_in.tokens = [BACKUP]
    return signed_in


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "app.secret"
    file.write_text("hush-app\n")
    return file


def test_the_list_shows_status_and_next_step(contoso: Any, tenantkeep: Any) -> None:
    done = tenantkeep("token", "list", "--lang", "de")
    assert done.exit_code == 0, done.output
    for word in ("Aktiv", "berta", "Es erneuert sich selbst"):
        assert word in done.output
    contoso.tokens = [BACKUP.model_copy(update={"status": TokenStatus.UNKNOWN})]
    assert "tenantkeep token generate exchange-backup" in tenantkeep("token", "list").output


def test_R_B2_generating_shows_the_preflight_list_and_what_exists_before_anything_is_sent(
    contoso: Any, tenantkeep: Any, secret: Path
) -> None:
    command = ("token", "generate", "exchange-backup", "--client-secret-file", str(secret))
    refused = tenantkeep(*command)
    assert refused.exit_code == 1
    assert contoso.bodies == []
    for point in PREFLIGHT:
        assert point.en in refused.output
    assert "berta" in refused.output
    done = tenantkeep(*command, "--yes")
    assert done.exit_code == 0, done.output
    ((_, body),) = contoso.bodies
    assert body == {"client_id": "app-1", "client_secret": "hush-app"}
    assert "hush" not in done.output


def test_a_key_made_in_the_vault_is_uploaded_by_its_certificate_and_then_used(
    contoso: Any, tenantkeep: Any, secret: Path, tmp_path: Path
) -> None:
    file = tmp_path / "exchange-backup.pem"
    done = tenantkeep("profiles", "certificate", "exchange-backup", "--out", str(file), "--lang", "de")
    assert done.exit_code == 0, done.output
    assert file.read_text().startswith("-----BEGIN CERTIFICATE-----")
    for word in ("AB" * 20, "2027-11-22", "token generate exchange-backup --vault-key"):
        assert word in done.output
    assert "BEGIN CERTIFICATE" in tenantkeep("profiles", "certificate", "exchange-backup").output
    contoso.bodies.clear()
    command = ("token", "generate", "exchange-backup", "--vault-key", "--yes")
    assert tenantkeep(*command, "--client-secret-file", str(secret)).exit_code == 2
    done = tenantkeep(*command)
    assert done.exit_code == 0, done.output
    ((path, body),) = contoso.bodies
    assert (path.rpartition("/")[2], body) == ("vault-key", {"client_id": "app-1"})


def test_R_B10_a_problem_is_told_with_tenant_time_cause_measure_and_support_contact(
    contoso: Any, tenantkeep: Any
) -> None:
    contoso.tokens = [
        BACKUP.model_copy(update={"problem": ErrorClass.TOKEN_EXPIRED, "problem_since": AT, "detail": "AADSTS7000222"})
    ]
    out = tenantkeep("token", "show", "exchange-backup", "--lang", "de").output
    for word in (
        "AADSTS7000222",
        "contoso",
        "2026-03-02",
        "Token-Problem",
        "Token aktualisieren oder neu generieren",
        "help@contoso.example",
    ):
        assert word in out


@pytest.mark.parametrize(
    ("source", "ends_at", "words"),
    [
        (ExpirySource.APPLICATION, AT, "2026-03-02"),
        (ExpirySource.REMOVED, None, "enthält sie nicht mehr: Die nächste Anmeldung wird abgelehnt"),
        (ExpirySource.UNKNOWN, None, "unbekannt (noch nicht gelesen oder nicht lesbar)"),
    ],
)
def test_the_end_of_a_credential_is_shown_with_where_it_is_known_from(
    contoso: Any, tenantkeep: Any, source: ExpirySource, ends_at: datetime | None, words: str
) -> None:
    known = {"credential": CredentialKind.VAULT_KEY, "credential_expires_at": ends_at, "credential_expiry": source}
    contoso.tokens = [BACKUP.model_copy(update=known)]
    shown = tenantkeep("token", "show", "exchange-backup", "--lang", "de").output
    assert words in " ".join(shown.partition("Zugangsdaten enden:")[2].split())


def test_R_B10_an_app_that_was_switched_off_is_not_answered_with_a_new_consent(contoso: Any, tenantkeep: Any) -> None:
    off = {"problem": ErrorClass.CONSENT_REQUIRED, "detail": "unauthorized_client AADSTS7000112", "problem_since": AT}
    contoso.tokens = [BACKUP.model_copy(update={"status": TokenStatus.CONSENT_REQUIRED, **off})]
    for command in (("token", "list"), ("token", "show", "exchange-backup"), ("tenant", "show", "contoso")):
        shown = tenantkeep(*command).output
        assert "switches it on again" in " ".join(shown.split())
        assert "tenantkeep tenant consent" not in shown
        assert "generate a new token with consent" not in shown.lower()


def test_R_B17_the_record_is_shown_with_who_consented_and_how_that_is_known(contoso: Any, tenantkeep: Any) -> None:
    contoso.records = (
        TokenRecord(
            number=1,
            client_id="app-0",
            credential=CredentialKind.SECRET,
            generated_at=AT,
            generated_by="anna",
            consent_by="global.admin@contoso.example",
            consent_source=ConsentSource.AUDIT,
            ended=RecordEnd.REPLACED,
            ended_at=AT,
            ended_by="berta",
        ),
    )
    out = tenantkeep("token", "show", "exchange-backup").output
    for word in ("client secret", "global.admin@contoso.example (directory audit log)", "replaced", "anna"):
        assert word in out
    noted = tenantkeep("token", "note", "exchange-backup", "Secret seen in a ticket.")
    assert "Secret seen in a ticket." in noted.output
    assert tenantkeep("token", "note", "exchange-backup", "  ").exit_code == 2


@pytest.mark.parametrize(("probe", "code"), [("effective", 0), ("not_effective", 1), ("unproven", 4), ("no_token", 1)])
def test_R_B4_the_verdict_of_a_verification_is_the_exit_code(
    contoso: Any, tenantkeep: Any, probe: str, code: int
) -> None:
    contoso.check = TokenCheck(
        tenant="contoso", profile=Profile.EXCHANGE_BACKUP, at=AT, status=TokenStatus.ACTIVE, probe=probe
    )
    assert tenantkeep("token", "verify", "exchange-backup").exit_code == code


def test_R_B5_a_good_token_is_offered_a_test_backup_that_can_be_started_at_once(contoso: Any, tenantkeep: Any) -> None:
    configuration = BackupConfiguration(
        tenant="contoso", id="c1", name="nightly", target="t1", sources=(Source.MAIL,), retention_days=90, created_at=AT
    )
    contoso.configurations = [configuration]
    offered = tenantkeep("token", "verify", "exchange-backup")
    assert f"--test-backup {configuration.name}" in offered.output
    done = tenantkeep("token", "verify", "exchange-backup", "--test-backup", configuration.name)
    assert done.exit_code == 0
    assert "run-1" in done.output


def test_R_B12_a_token_in_use_is_refused_with_the_way_out(contoso: Any, tenantkeep: Any) -> None:
    contoso.in_use = True
    done = tenantkeep("token", "deactivate", "exchange-backup", "--lang", "de")
    assert done.exit_code == 1
    assert "zuerst das neue" in done.output.lower()
    assert tenantkeep("token", "delete", "exchange-backup").exit_code == 1
    contoso.in_use = False
    assert "Deactivated" in tenantkeep("token", "deactivate", "exchange-backup").output
    assert tenantkeep("token", "delete", "exchange-backup", "--yes").exit_code == 0


def test_R_B18_the_card_is_there_in_both_languages(signed_in: Any, tenantkeep: Any) -> None:
    assert "An incident" in tenantkeep("token", "guide").output
    assert "Ein Vorfall" in tenantkeep("token", "guide", "--lang", "de").output
    assert len(json.loads(tenantkeep("token", "guide", "--json").stdout)["cards"]) == 5
