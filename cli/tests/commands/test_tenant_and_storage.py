import json
from pathlib import Path
from typing import Any

import pytest

from contracts.api import TenantBody
from contracts.names import ConsentOutcome, StorageFinding, TokenStatus
from contracts.problem import Problem
from contracts.views import TargetRecovery, Tenant

ENTRA = "50f8131a-b9d3-4679-849e-cbe87444c623"
TARGET = ("--endpoint", "https://s3.example.com", "--bucket", "backups", "--access-key", "AKIA-KEY")


@pytest.fixture
def apps(tmp_path: Path) -> Path:
    profiles = ("directory", "exchange-backup", "exchange-restore")
    file = tmp_path / "apps.json"
    content = {
        "tenant": "contoso",
        "tenant_id": ENTRA,
        "apps": {name: {"client_id": f"id-{name}", "client_secret": f"hush-{name}"} for name in profiles},
    }
    file.write_text(json.dumps(content))
    return file


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "s3.secret"
    file.write_text("hush-s3\n")
    return file


def test_an_apps_file_registers_the_tenant_and_every_credential(signed_in: Any, tenantkeep: Any, apps: Path) -> None:
    done = tenantkeep("tenant", "add", "contoso", "--apps", str(apps))
    assert done.exit_code == 0, done.output
    assert done.output.count("Active") == 3
    sent = dict(signed_in.bodies)
    assert TenantBody(**sent["/api/v1/tenants"]).entra_tenant_id == ENTRA
    credential = sent["/api/v1/tenants/contoso/profiles/exchange-backup/credential"]
    assert credential == {"client_id": "id-exchange-backup", "client_secret": "hush-exchange-backup"}
    assert "hush" not in done.output


def test_a_token_that_needs_consent_fails_with_cause_and_remedy(signed_in: Any, tenantkeep: Any, apps: Path) -> None:
    signed_in.token_status = TokenStatus.CONSENT_REQUIRED
    done = tenantkeep("tenant", "add", "contoso", "--apps", str(apps), "--lang", "de")
    assert done.exit_code == 1
    assert "Zustimmung erforderlich" in done.output


def test_a_token_nobody_knows_about_in_time_is_still_waiting(signed_in: Any, tenantkeep: Any, apps: Path) -> None:
    signed_in.token_status = TokenStatus.UNKNOWN
    assert tenantkeep("tenant", "add", "contoso", "--apps", str(apps), "--timeout", "0").exit_code == 4


def test_a_broken_apps_file_names_the_field_and_no_value(signed_in: Any, tenantkeep: Any, apps: Path) -> None:
    apps.write_text(apps.read_text().replace('"client_id"', '"clientid"'))
    done = tenantkeep("tenant", "add", "contoso", "--apps", str(apps))
    assert done.exit_code == 2
    assert "client_id" in done.stderr
    assert "hush" not in done.output


def test_a_wrong_slug_is_a_usage_error_before_anything_is_sent(signed_in: Any, tenantkeep: Any) -> None:
    done = tenantkeep("tenant", "add", "Con.toso", "--entra-tenant-id", ENTRA)
    assert done.exit_code == 2
    assert signed_in.bodies == []


def test_lists_follow_the_cursor_to_the_end(signed_in: Any, tenantkeep: Any) -> None:
    for number in range(5):
        slug = f"tenant-{number}"
        signed_in.tenants[slug] = signed_in.tenants["contoso"].model_copy(update={"tenant": slug})
    done = tenantkeep("tenant", "list", "--json")
    assert [Tenant(**item).tenant for item in json.loads(done.stdout)["items"]] == [
        "contoso",
        *(f"tenant-{number}" for number in range(5)),
    ]


def test_two_tenants_must_be_told_apart(signed_in: Any, tenantkeep: Any) -> None:
    signed_in.tenants["fabrikam"] = signed_in.tenants["contoso"].model_copy(update={"tenant": "fabrikam"})
    done = tenantkeep("storage", "list")
    assert done.exit_code == 2
    assert "--tenant contoso|fabrikam" in done.stderr
    assert tenantkeep("storage", "list", "--tenant", "fabrikam").exit_code == 0
    assert tenantkeep("storage", "list", TENANTKEEP_TENANT="fabrikam").exit_code == 0


def test_an_unknown_tenant_is_not_found_and_json_errors_are_json(signed_in: Any, tenantkeep: Any) -> None:
    done = tenantkeep("tenant", "show", "nope", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stderr)["code"] == "not-found"


def test_storage_shows_each_step_of_the_connection_test(signed_in: Any, tenantkeep: Any, key_file: Path) -> None:
    done = tenantkeep("storage", "add", "archive", *TARGET, "--secret-key-file", str(key_file))
    assert done.exit_code == 0, done.output
    assert done.output.count("ok") == 3
    assert signed_in.bodies[-1][1]["credentials"] == {"access_key": "AKIA-KEY", "secret_key": "hush-s3"}
    assert "hush" not in done.output
    assert "archive" in tenantkeep("storage", "list").output


def test_a_failed_connection_test_names_the_step_and_exits_1(signed_in: Any, tenantkeep: Any, key_file: Path) -> None:
    signed_in.broken_step = "read"
    done = tenantkeep("storage", "add", "archive", *TARGET, "--secret-key-file", str(key_file))
    assert done.exit_code == 1
    assert "The connection test failed" in done.stderr
    assert "  read" in done.stderr


def test_a_target_with_object_lock_names_its_mode(signed_in: Any, tenantkeep: Any, key_file: Path) -> None:
    lock = ("--object-lock", "compliance")
    done = tenantkeep("storage", "add", "archive", *TARGET, "--secret-key-file", str(key_file), *lock)
    assert done.exit_code == 0, done.output
    assert signed_in.bodies[-1][1]["lock"] == "COMPLIANCE"
    assert "ja, für alle" in tenantkeep("storage", "list", "--lang", "de", COLUMNS="200").output


@pytest.mark.parametrize(("text", "bytes_per_second"), [("500k", 500_000), ("20M", 20_000_000), ("70000", 70_000)])
def test_a_target_gets_a_proxy_and_a_limit(
    signed_in: Any, tenantkeep: Any, key_file: Path, text: str, bytes_per_second: int
) -> None:
    options = ("--secret-key-file", str(key_file), "--proxy", "http://proxy.example:3128", "--limit", text)
    done = tenantkeep("storage", "add", "archive", *TARGET, *options)
    assert done.exit_code == 0, done.output
    body = signed_in.bodies[-1][1]
    assert (body["proxy"], body["rate_limit"]) == ("http://proxy.example:3128", bytes_per_second)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--limit", "fast"), "Not a limit"),
        (("--limit", "10"), "Not a limit"),
        (("--proxy", "http://user:hush@proxy.example"), "proxy"),
        (("--proxy", "http://proxy.example", "--embedded"), "--proxy"),
        (("--embedded",), "--embedded is a store of its own"),
    ],
)
def test_options_that_cannot_be_right_together_are_a_usage_error(
    signed_in: Any, tenantkeep: Any, key_file: Path, options: tuple[str, ...], named: str
) -> None:
    done = tenantkeep("storage", "add", "archive", *TARGET, "--secret-key-file", str(key_file), *options)
    assert (done.exit_code, named in done.stderr) == (2, True), done.stderr
    assert "hush" not in done.stderr


SFTP = ("--sftp", "backup.example:22", "--user", "tenantkeep", "--folder", "/srv/backup")
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE"


def test_an_sftp_target_is_added_with_its_host_key(signed_in: Any, tenantkeep: Any, key_file: Path) -> None:
    options = ("--host-key", f"{HOST_KEY} root@backup", "--key-file", str(key_file))
    done = tenantkeep("storage", "add", "offsite", *SFTP, *options)
    assert done.exit_code == 0, done.output
    body = signed_in.bodies[-1][1]
    assert (body["kind"], body["endpoint"], body["prefix"]) == ("sftp", "sftp://backup.example:22", "/srv/backup")
    assert body["host_keys"] == [HOST_KEY]
    assert body["credentials"]["private_key"].strip() == "hush-s3"
    assert "hush" not in done.output
    assert "sftp://backup.example:22" in tenantkeep("storage", "list").output


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--key-file", "KEY"), "--host-key"),
        (("--host-key", "SHA256:abc", "--key-file", "KEY"), "host_keys"),
        (("--host-key", HOST_KEY), "credentials"),
        (("--host-key", HOST_KEY, "--key-file", "KEY", "--password-file", "KEY"), "credentials"),
    ],
)
def test_an_sftp_target_that_cannot_be_right_is_a_usage_error(
    signed_in: Any, tenantkeep: Any, key_file: Path, options: tuple[str, ...], named: str
) -> None:
    given = [str(key_file) if option == "KEY" else option for option in options]
    done = tenantkeep("storage", "add", "offsite", *SFTP, *given)
    assert (done.exit_code, named in done.stderr) == (2, True), done.stderr
    assert "hush" not in done.stderr


def test_a_finding_of_the_connection_test_is_told_in_the_readers_language(
    signed_in: Any, tenantkeep: Any, key_file: Path
) -> None:
    signed_in.broken_step, signed_in.finding = "read", StorageFinding.NOT_PREPARED
    done = tenantkeep("storage", "add", "archive", *TARGET, "--secret-key-file", str(key_file), "--lang", "de")
    assert done.exit_code == 1
    assert "read: Die Ordner fehlen" in done.stderr


def test_plain_http_storage_and_missing_options_are_usage_errors(
    signed_in: Any, tenantkeep: Any, key_file: Path
) -> None:
    options = ("--bucket", "backups", "--access-key", "A", "--secret-key-file", str(key_file))
    done = tenantkeep("storage", "add", "archive", "--endpoint", "http://s3.example.com", *options)
    assert (done.exit_code, "endpoint" in done.stderr) == (2, True)
    assert tenantkeep("storage", "add", "archive", *options).exit_code == 2


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (401, "unauthenticated", 5),
        (403, "forbidden", 5),
        (404, "not-found", 1),
        (409, "conflict", 1),
        (422, "invalid", 2),
        (500, "internal", 1),
        (503, "unavailable", 1),
    ],
)
def test_each_problem_has_its_exit_code_and_a_next_step(
    signed_in: Any, tenantkeep: Any, status: int, code: str, exit_code: int
) -> None:
    signed_in.problem = Problem(code=code, status=status, title="Title", detail="The detail.")
    english, german = tenantkeep("tenant", "list"), tenantkeep("tenant", "list", "--lang", "de")
    assert (english.exit_code, german.exit_code) == (exit_code, exit_code)
    assert "The detail." in english.stderr
    assert len(english.stderr.splitlines()) == len(german.stderr.splitlines()) == 2
    assert english.stderr != german.stderr


def test_a_certificate_is_sent_as_it_is_and_a_mixture_is_refused(
    signed_in: Any, tenantkeep: Any, apps: Path, tmp_path: Path
) -> None:
    tenantkeep("tenant", "add", "contoso", "--apps", str(apps))
    certificate, key, secret = signed_in.tls.cert_file, signed_in.tls.key_file, tmp_path / "secret"
    secret.write_text("hush")
    command = ["tenant", "credential", "exchange-backup", "--client-id", "id-exchange-backup", "--tenant", "contoso"]
    pair = ["--certificate-file", str(certificate), "--key-file", str(key)]
    assert tenantkeep(*command, *pair).exit_code == 0
    path, sent = signed_in.bodies[-1]
    assert path.endswith("/profiles/exchange-backup/certificate")
    pem = {"certificate": certificate.read_text(), "private_key": key.read_text()}
    assert sent == {"client_id": "id-exchange-backup", **pem}
    for wrong in ([], pair[:2], [*pair, "--client-secret-file", str(secret)]):
        answer = tenantkeep(*command, *wrong)
        assert answer.exit_code == 2
        assert "--key-file" in answer.output


def test_a_credential_nobody_has_heard_of_yet_is_still_waiting(signed_in: Any, tenantkeep: Any, tmp_path: Path) -> None:
    signed_in.forgetful = True
    (secret := tmp_path / "secret").write_text("hush")
    command = ["tenant", "credential", "exchange-backup", "--client-id", "c", "--tenant", "contoso", "--timeout", "0"]
    tenantkeep("tenant", "add", "contoso", "--entra-tenant-id", ENTRA, "--no-recovery-key")
    assert tenantkeep(*command, "--client-secret-file", str(secret)).exit_code == 4


@pytest.mark.parametrize(
    ("outcome", "code", "words"),
    [
        (ConsentOutcome.EFFECTIVE, 0, "wirksam X1"),
        (ConsentOutcome.DECLINED, 1, "abgelehnt"),
        (ConsentOutcome.GRANTED, 4, "sobald ein Token"),
    ],
)
def test_consent_prints_the_link_and_says_what_became_of_it(
    signed_in: Any, tenantkeep: Any, outcome: ConsentOutcome, code: int, words: str
) -> None:
    signed_in.consent = outcome
    done = tenantkeep(
        "tenant", "consent", "directory", "--tenant", "contoso", "--client-id", "c", "--lang", "de", "--timeout", "0"
    )
    assert done.exit_code == code, done.output
    text = " ".join(done.output.split())
    assert "https://login.example/adminconsent?state=s" in text
    assert words in text


def test_consent_as_json_gives_the_link_at_once(signed_in: Any, tenantkeep: Any) -> None:
    signed_in.consent = ConsentOutcome.WAITING
    done = tenantkeep("tenant", "consent", "directory", "--tenant", "contoso", "--no-wait", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["link"]["url"] == "https://login.example/adminconsent?state=s"
    assert told["token"]["consent"]["outcome"] == "waiting"


@pytest.mark.parametrize(
    ("outcome", "code", "words"),
    [
        ({"state": "done", "configurations": 2, "restore_points": 7}, 0, "2 configurations and 7 restore points"),
        ({"state": "failed", "detail": "the storage refuses"}, 1, "the storage refuses"),
        (None, 4, "Still going on"),
    ],
)
def test_what_was_lost_is_brought_back(
    signed_in: Any, tenantkeep: Any, key_file: Path, *, outcome: Any, code: int, words: str
) -> None:
    tenantkeep("storage", "add", "archive", *TARGET, "--secret-key-file", str(key_file))
    signed_in.recovery = (
        None if outcome is None else TargetRecovery(requested_at=signed_in.targets[0].created_at, **outcome)
    )
    done = tenantkeep("storage", "recover", "archive", "--timeout", "2" if outcome else "0")
    assert (done.exit_code, words in done.output) == (code, True), done.output


def test_a_saved_target_is_tested_again(signed_in: Any, tenantkeep: Any, key_file: Path) -> None:
    tenantkeep("storage", "add", "archive", *TARGET, "--secret-key-file", str(key_file), "--tenant", "contoso")
    assert tenantkeep("storage", "test", "archive", "--tenant", "contoso").exit_code == 0
    signed_in.broken_step = "read"
    done = tenantkeep("storage", "test", "archive", "--tenant", "contoso")
    assert done.exit_code == 1
    assert "Failed" in done.stdout


def test_a_target_gets_new_credentials_of_its_kind(signed_in: Any, tenantkeep: Any, key_file: Path) -> None:
    assert tenantkeep("storage", "add", "archive", *TARGET, "--secret-key-file", str(key_file)).exit_code == 0
    keys = ("--access-key", "AKIA-NEW", "--secret-key-file", str(key_file))
    done = tenantkeep("storage", "credentials", "archive", *keys)
    assert done.exit_code == 0, done.output
    assert signed_in.bodies[-1][1] == {"credentials": {"access_key": "AKIA-NEW", "secret_key": "hush-s3"}}
    done = tenantkeep("storage", "credentials", "archive", "--password-file", str(key_file), "--lang", "de")
    assert "verwendet die neuen Zugangsdaten" in done.output
    assert signed_in.bodies[-1][1]["credentials"]["password"] == "hush-s3"
    assert tenantkeep("storage", "credentials", "archive", "--access-key", "AKIA").exit_code == 2
    assert "hush" not in done.output
