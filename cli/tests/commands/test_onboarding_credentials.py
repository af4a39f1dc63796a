"""What apps sign in with when a tenant is onboarded: the apps file, and the uploads that people do meanwhile."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from contracts.names import ConsentOutcome, CredentialKind, Profile, TokenStatus
from contracts.onboarding import NEXT_STEPS, OnboardingCause, OnboardingStep, OnboardingView, StepView
from contracts.views import TokenView
from tenantkeep.commands import session
from tenantkeep.commands.apps_file import read_apps
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.errors import Refused
from tenantkeep.commands.labels import code
from tenantkeep.commands.onboarding.walk import Means, Walk
from tenantkeep.commands.output import Screen
from tenantkeep.stack.home import Home

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
ENTRA = "50f8131a-b9d3-4679-849e-cbe87444c623"
BACKUP, DIRECTORY, RESTORE = Profile.EXCHANGE_BACKUP, Profile.DIRECTORY, Profile.EXCHANGE_RESTORE
KEY = {"vault_key": True}
SECRET = {"client_secret": "hush"}
NOT_UPLOADED, NO_APP = "AADSTS700027", "AADSTS700016"
LINK = "https://entra.microsoft.com/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/Credentials/appId/id-"


@pytest.fixture
def apps(tmp_path: Path) -> Callable[..., Path]:
    """Write an apps file; each profile is given what it signs in with."""

    def write(**profiles: dict[str, object]) -> Path:
        named = {name.replace("_", "-"): known for name, known in profiles.items()}
        file = tmp_path / "contoso.json"
        entries = {name: {"client_id": f"id-{name}", **known} for name, known in named.items()}
        file.write_text(json.dumps({"tenant": "contoso", "tenant_id": ENTRA, "apps": entries}))
        return file

    return write


@pytest.fixture
def pair(signed_in: Any, tmp_path: Path) -> dict[str, object]:
    """A certificate and its key beside the apps file."""
    (tmp_path / "app.pem").write_text(signed_in.tls.cert_file.read_text())
    (tmp_path / "app.key").write_text(signed_in.tls.key_file.read_text())
    return {"certificate_file": "app.pem", "key_file": "app.key"}


def at(cause: OnboardingCause | None) -> OnboardingView:
    """An onboarding that lacks the sign-in of the apps, or nothing."""
    missing = None if cause is None else OnboardingStep.INTEGRATION_CONFIGURED
    return OnboardingView(
        tenant="contoso",
        state=OnboardingStep.PRODUCTIVE if cause is None else OnboardingStep.TENANT_CREATED,
        since=NOW,
        steps=tuple(StepView(step=step) for step in OnboardingStep),
        missing=missing,
        cause=cause,
        next_step=None if cause is None else NEXT_STEPS[cause],
        profile=None if cause is None else BACKUP,
        looked_at=NOW,
    )


BEFORE, AWAITED, DONE = at(OnboardingCause.NO_CREDENTIAL), at(OnboardingCause.CERTIFICATE_AWAITED), at(None)


@pytest.fixture
def walk(
    signed_in: Any, state: Path, tmp_path: Path, step_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[Walk, OnboardingView]]]:
    home = Home(state)
    monkeypatch.chdir(tmp_path)
    with Gateway(session.access(home, session.load(home), signed_in.tls.ca_file)) as gateway:

        def run(file: Path, *looks: OnboardingView, seconds: float = 60.0) -> tuple[Walk, OnboardingView]:
            signed_in.onboarding = list(looks)
            walk = Walk(gateway, Screen("en"), "contoso", Means(read_apps(file)), step_clock(), seconds)
            return walk, walk.run()

        yield run


def sent(gateway: Any) -> list[str]:
    return [path.removeprefix("/api/v1/tenants/contoso/profiles/") for path, _ in gateway.bodies]


def test_each_kind_of_credential_goes_its_way(signed_in: Any, walk: Any, apps: Any, pair: dict[str, object]) -> None:
    _, found = walk(apps(directory=SECRET, exchange_backup=KEY, exchange_restore=pair), BEFORE, DONE)
    assert found.cause is None
    assert signed_in.bodies == [
        ("/api/v1/tenants/contoso/profiles/directory/credential", {"client_id": "id-directory", **SECRET}),
        ("/api/v1/tenants/contoso/profiles/exchange-backup/vault-key", {"client_id": "id-exchange-backup"}),
        (
            "/api/v1/tenants/contoso/profiles/exchange-restore/certificate",
            {
                "client_id": "id-exchange-restore",
                "certificate": signed_in.tls.cert_file.read_text(),
                "private_key": signed_in.tls.key_file.read_text(),
            },
        ),
    ]


def test_certificates_are_asked_for_once_and_tried_until_each_is_uploaded(
    signed_in: Any, walk: Any, apps: Any, tmp_path: Path, capsys: Any
) -> None:
    signed_in.refusals = {DIRECTORY: [NOT_UPLOADED] * 3, BACKUP: [NOT_UPLOADED]}
    done, found = walk(apps(directory=KEY, exchange_backup=KEY), BEFORE, AWAITED, BEFORE, DONE)
    assert (found.cause, done.sign_ins.uploads, done.clock.time) == (None, {}, 31.0)
    assert sent(signed_in) == [
        "directory/vault-key", "exchange-backup/vault-key", "directory/vault-key", "exchange-backup/vault-key",
        "directory/vault-key", "directory/vault-key",
    ]  # fmt: skip
    printed = capsys.readouterr().out
    for profile in (DIRECTORY, BACKUP):
        file = tmp_path / f"contoso-{profile}-key-2.pem"
        assert file.read_text().startswith("-----BEGIN CERTIFICATE-----")
        assert printed.count(f"{LINK}{profile}\n") == printed.count(str(file)) == 1
    assert "AB" * 20 in printed


def test_a_second_run_goes_on_with_what_does_not_sign_in_yet(
    signed_in: Any, tenantkeep: Any, apps: Any, tmp_path: Path
) -> None:
    signed_in.onboarding = [AWAITED]
    signed_in.refusals = {BACKUP: [NOT_UPLOADED]}
    command = ("onboard", "contoso", "--apps", str(apps(directory=SECRET, exchange_backup=KEY)), "--timeout", "0")
    first = tenantkeep(*command, "--json")
    told = json.loads(first.stdout)
    asked = {
        "profile": "exchange-backup",
        "client_id": "id-exchange-backup",
        "certificate_file": str(tmp_path / "contoso-exchange-backup-key-2.pem"),
        "thumbprint": "AB" * 20,
        "link": f"{LINK}exchange-backup",
    }
    assert (first.exit_code, told["uploads"], told["handover"]) == (4, [asked], None)
    assert json.loads(first.stderr) == {"certificate_upload": asked}
    signed_in.bodies.clear()
    signed_in.onboarding = [DONE]
    for _ in range(2):  # the second finds nothing to do
        done = tenantkeep(*command)
        assert done.exit_code == 0, done.output
        assert sent(signed_in) == ["exchange-backup/vault-key"]


def test_who_waits_is_told_again_at_the_end_in_both_languages(signed_in: Any, tenantkeep: Any, apps: Any) -> None:
    file = apps(directory=KEY)
    for lang, words in (
        ("en", ("Upload the certificate", "Still to be uploaded for directory", "certificate waits to be uploaded")),
        ("de", ("Das Zertifikat", "Noch hochzuladen für directory", "noch nicht in der App-Registrierung")),
    ):
        signed_in.onboarding = [BEFORE, AWAITED]
        signed_in.refusals = {DIRECTORY: [NOT_UPLOADED]}
        done = tenantkeep("onboard", "contoso", "--apps", str(file), "--timeout", "0", "--lang", lang)
        assert done.exit_code == 4
        for text in words:
            assert text in " ".join(done.output.split())


def test_productive_is_not_said_while_an_app_of_the_file_does_not_sign_in(
    signed_in: Any, tenantkeep: Any, apps: Any, tmp_path: Path
) -> None:
    signed_in.onboarding = [DONE]
    signed_in.refusals = {RESTORE: [NOT_UPLOADED]}
    done = tenantkeep("onboard", "contoso", "--apps", str(apps(exchange_restore=KEY)), "--timeout", "0")
    assert done.exit_code == 4
    assert "is productive" not in done.output
    assert not (tmp_path / "contoso-handover.html").exists()


def test_a_certificate_of_somebody_else_is_asked_for_by_its_own_file(
    *, signed_in: Any, walk: Any, apps: Any, pair: dict[str, object], tmp_path: Path, capsys: Any
) -> None:
    signed_in.refusals = {BACKUP: [NOT_UPLOADED]}
    _, found = walk(apps(exchange_backup=pair), BEFORE, BEFORE, DONE)
    assert found.cause is None
    assert str(tmp_path / "app.pem") in capsys.readouterr().out
    assert [path.name for path in tmp_path.glob("*.pem")] == ["app.pem"]


def test_an_app_that_the_tenant_does_not_have_gets_there_by_the_consent(
    signed_in: Any, walk: Any, apps: Any, capsys: Any
) -> None:
    signed_in.refusals = {BACKUP: [NO_APP, NO_APP, NOT_UPLOADED]}
    _, found = walk(apps(exchange_backup=KEY), BEFORE, AWAITED, AWAITED, AWAITED, DONE)
    assert found.cause is None
    assert sent(signed_in) == [
        "exchange-backup/vault-key",
        "exchange-backup/consent",
        *["exchange-backup/vault-key"] * 3,
    ]
    printed = capsys.readouterr().out
    assert printed.index("adminconsent?state=s") < printed.index(LINK)


@pytest.mark.parametrize("outcome", [ConsentOutcome.DECLINED, ConsentOutcome.FAILED, ConsentOutcome.EXPIRED])
def test_a_consent_that_was_refused_is_left_to_a_person(
    signed_in: Any, walk: Any, apps: Any, capsys: Any, outcome: ConsentOutcome
) -> None:
    signed_in.consent, signed_in.refusals = outcome, {BACKUP: [NO_APP] * 9}
    ended, found = walk(apps(exchange_backup=KEY), AWAITED)
    assert (ended.waits(found), ended.clock.time) == (False, 10.0)
    assert f"Consent for exchange-backup: {code(outcome, 'en')} X1" in capsys.readouterr().out


@pytest.mark.parametrize(("kind", "number"), [(KEY, "AADSTS700024"), (SECRET, NOT_UPLOADED), (SECRET, "AADSTS7000215")])
def test_what_no_upload_heals_ends_the_walk(
    signed_in: Any, walk: Any, apps: Any, kind: dict[str, object], number: str
) -> None:
    signed_in.refusals = {BACKUP: [number]}
    with pytest.raises(Refused) as caught:
        walk(apps(exchange_backup=kind), BEFORE)
    assert number in str(caught.value)


def test_apps_that_sign_in_or_were_switched_off_are_left_alone_and_others_get_their_credential(
    signed_in: Any, walk: Any, apps: Any
) -> None:
    signs_in = {"tenant": "contoso", "client_id": "id", "credential": CredentialKind.VAULT_KEY}
    signed_in.tokens = [
        TokenView(profile=DIRECTORY, status=TokenStatus.ACTIVE, **signs_in),
        TokenView(profile=BACKUP, status=TokenStatus.CONSENT_REQUIRED, problem="consent_required", **signs_in),
        TokenView(profile=RESTORE, status=TokenStatus.DEACTIVATED, **signs_in),
        TokenView(profile=Profile.FILES_BACKUP, status=TokenStatus.ACTIVE, problem="token_expired", **signs_in),
    ]
    known = {"directory": KEY, "exchange_backup": KEY, "exchange_restore": KEY}
    walk(apps(files_backup=SECRET, files_restore=KEY, **known), DONE)
    assert sent(signed_in) == ["files-backup/credential", "files-restore/vault-key"]


def test_a_tenant_that_was_offboarded_gets_no_credential(signed_in: Any, walk: Any, apps: Any) -> None:
    ended, found = walk(apps(exchange_backup=KEY), at(OnboardingCause.OFFBOARDED))
    assert not ended.waits(found)
    assert signed_in.bodies == []


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({**SECRET, **KEY}, "exactly one"),
        ({**SECRET, "certificate_file": "app.pem", "key_file": "app.key"}, "exactly one"),
        ({"certificate_file": "app.pem", "key_file": "app.key", **KEY}, "exactly one"),
        ({"certificate_file": "app.pem"}, "exactly one"),
        ({"key_file": "app.key"}, "exactly one"),
        ({"vault_key": False}, "exactly one"),
        ({}, "exactly one"),
        ({"client_secret": ""}, "client_secret"),
        ({"certificate_file": "none.pem", "key_file": "app.key"}, "No such file"),
        ({"certificate_file": "app.pem", "key_file": "none.key"}, "No such file"),
        ({"certificate_file": "app.key", "key_file": "app.key"}, "no PEM certificate"),
        ({"certificate_file": "binary", "key_file": "app.key"}, "no PEM file"),
        ({"certificate_file": "app.pem", "key_file": "app.pem"}, "no PEM key"),
        ({"certificate_file": "app.pem", "key_file": "sealed.key"}, "has a passphrase"),
        ({"certificate_file": "app.pem", "key_file": "other.key"}, "does not belong to"),
    ],
)
def test_a_wrong_entry_is_refused_before_anything_is_done(
    *, signed_in: Any, tenantkeep: Any, apps: Any, pair: object, tmp_path: Path, entry: dict[str, object], words: str
) -> None:
    other, form = ec.generate_private_key(ec.SECP256R1()), serialization.PrivateFormat.PKCS8
    for name, sealing in (
        ("other.key", serialization.NoEncryption()),
        ("sealed.key", serialization.BestAvailableEncryption(b"passphrase")),
    ):
        (tmp_path / name).write_bytes(other.private_bytes(serialization.Encoding.PEM, form, sealing))
    (tmp_path / "binary").write_bytes(b"\xff\x00")
    file = apps(directory=SECRET, exchange_backup=entry)
    for command in (("onboard", "fabrikam"), ("tenant", "add", "fabrikam", "--no-recovery-key")):
        done = tenantkeep(*command, "--apps", str(file))
        assert done.exit_code == 2
        assert f"{file}, exchange-backup" in " ".join(done.stderr.split())
        assert words in " ".join(done.stderr.split())
        assert "hush" not in done.output
    assert signed_in.bodies == []


def test_an_unknown_profile_is_named(signed_in: Any, tenantkeep: Any, apps: Any) -> None:
    done = tenantkeep("onboard", "fabrikam", "--apps", str(apps(sharepoint=KEY)))
    assert done.exit_code == 2
    assert "apps.sharepoint" in done.stderr
    assert signed_in.bodies == []


def test_only_onboarding_waits_for_uploads(signed_in: Any, tenantkeep: Any, apps: Any) -> None:
    done = tenantkeep("tenant", "add", "fabrikam", "--apps", str(file := apps(exchange_backup=KEY)))
    assert done.exit_code == 2
    assert f"tenantkeep onboard fabrikam --apps {file}" in " ".join(done.stderr.split())
    assert signed_in.bodies == []
