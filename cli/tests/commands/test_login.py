import json
import stat
from pathlib import Path
from typing import Any


def test_login_needs_no_secret_on_disk(gateway: Any, tenantkeep: Any, state: Path, tmp_path: Path) -> None:
    secret = tmp_path / "client.secret"
    secret.write_text("the-client-secret\n")
    options = ("--url", gateway.url, "--issuer", gateway.url, "--client-id", "ops")
    done = tenantkeep("login", *options, "--client-secret-file", str(secret), "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["url"] == gateway.url
    stored = state / "cli" / "session.json"
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert "the-client-secret" not in stored.read_text()
    assert "token-" not in stored.read_text()


def test_wrong_secret_is_not_authorised_and_stores_nothing(
    gateway: Any, tenantkeep: Any, state: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "client.secret"
    secret.write_text("wrong")
    options = ("--url", gateway.url, "--issuer", gateway.url, "--client-id", "ops")
    done = tenantkeep("login", *options, "--client-secret-file", str(secret))
    assert done.exit_code == 5
    assert "invalid_client" in done.stderr
    assert not state.exists()


def test_half_a_login_is_a_usage_error(tenantkeep: Any) -> None:
    assert tenantkeep("login", "--url", "https://gateway.example").exit_code == 2


def test_a_token_never_travels_unencrypted(gateway: Any, tenantkeep: Any, tmp_path: Path) -> None:
    secret = tmp_path / "client.secret"
    secret.write_text("x")
    plain = gateway.url.replace("https", "http")
    options = ("--url", plain, "--issuer", gateway.url, "--client-id", "ops", "--client-secret-file", str(secret))
    done = tenantkeep("login", *options)
    assert done.exit_code == 2
    assert "no https URL" in done.stderr


def test_login_at_the_embedded_stack_without_one_says_how_to_start_it(tenantkeep: Any) -> None:
    done = tenantkeep("login")
    assert done.exit_code == 1
    assert "tenantkeep up" in done.stderr


def test_commands_without_a_session_are_not_authorised_in_both_languages(tenantkeep: Any) -> None:
    english, german = tenantkeep("tenant", "list"), tenantkeep("tenant", "list", "--lang", "de")
    assert (english.exit_code, german.exit_code) == (5, 5)
    assert "You are not signed in." in english.stderr
    assert "Sie sind nicht angemeldet." in german.stderr
    assert "tenantkeep login" in english.stderr


def test_language_comes_from_the_environment(tenantkeep: Any) -> None:
    assert "nicht angemeldet" in tenantkeep("tenant", "list", LANG="de_AT.UTF-8").stderr
    assert tenantkeep("tenant", "list", "--lang", "fr").exit_code == 2


def test_a_revoked_token_is_renewed_once_and_the_request_repeated(signed_in: Any, tenantkeep: Any) -> None:
    issued = signed_in.tokens_issued
    signed_in.revoked = {f"token-{issued + 1}"}
    assert tenantkeep("tenant", "list").exit_code == 0
    assert signed_in.tokens_issued == issued + 2


def test_a_token_the_gateway_never_accepts_is_not_authorised(signed_in: Any, tenantkeep: Any) -> None:
    signed_in.revoked = {f"token-{n}" for n in range(20)}
    done = tenantkeep("tenant", "list")
    assert done.exit_code == 5
    assert "tenantkeep login" in done.stderr


def test_a_gateway_that_is_gone_is_named_with_the_next_step(signed_in: Any, tenantkeep: Any, state: Path) -> None:
    stored = state / "cli" / "session.json"
    session = json.loads(stored.read_text())
    session["url"] = "https://127.0.0.1:9"
    stored.write_text(json.dumps(session))
    done = tenantkeep("tenant", "list")
    assert done.exit_code == 1
    assert "https://127.0.0.1:9 does not answer" in done.stderr
    assert "tenantkeep status" in done.stderr


def test_the_simulator_is_not_filled_where_no_stack_is(tenantkeep: Any, state: Path) -> None:
    done = tenantkeep("simulator", "seed", "--tenant", "contoso", "--generate", "1")
    assert done.exit_code == 1
    assert "tenantkeep up" in done.stderr
    assert not state.exists()
