"""What people read about a tenant's life: contacts, onboarding."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from contracts.api import CredentialBody
from contracts.contacts import Contact, Contacts
from contracts.errors import ErrorClass
from contracts.names import AdminRole, ConsentSource, CredentialKind, JobKind, JobState, Profile, TokenStatus
from contracts.onboarding import (
    NEXT_STEPS,
    BackupOutcome,
    NextStep,
    OnboardingCause,
    OnboardingStep,
    OnboardingView,
    StepView,
)
from contracts.onboarding_texts import STEPS
from contracts.permissions import PermissionCheck, ProfileView
from contracts.tokens import TokenRecord
from contracts.views import BackupConfiguration, Failure, Job, Run, StorageTarget, TokenView
from tenantkeep.commands import session
from tenantkeep.commands.apps_file import AppsFile
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.onboarding.walk import Means, Walk
from tenantkeep.commands.output import Screen
from tenantkeep.stack.home import Home

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
DESK = Contact(name="Service desk", mail="desk@contoso.test")


def lost_consent() -> OnboardingView:
    """A productive tenant whose consent was removed."""
    reached = {OnboardingStep.TENANT_CREATED: NOW, OnboardingStep.INTEGRATION_CONFIGURED: NOW}
    return OnboardingView(
        tenant="contoso",
        state=OnboardingStep.INTEGRATION_CONFIGURED,
        since=NOW + timedelta(days=3),
        steps=tuple(StepView(step=step, reached_at=reached.get(step), first_reached_at=NOW) for step in OnboardingStep),
        missing=OnboardingStep.CONSENT_EFFECTIVE,
        cause=OnboardingCause.CONSENT_WITHDRAWN,
        next_step=NextStep.ASK_CONSENT,
        profile=Profile.EXCHANGE_BACKUP,
        detail="AADSTS700016",
        looked_at=NOW,
    )


def test_contacts_are_set_as_people_write_them_and_what_is_not_named_stays(signed_in: Any, tenantkeep: Any) -> None:
    assert tenantkeep("tenant", "contacts", "contoso", "--support", "Service desk <desk@contoso.test>").exit_code == 0
    done = tenantkeep("tenant", "contacts", "contoso", "--security", "Erika B. <e@contoso.test>", "--json")
    assert json.loads(done.stdout) == {
        "support": {"name": "Service desk", "mail": "desk@contoso.test"},
        "security": {"name": "Erika B.", "mail": "e@contoso.test"},
    }
    done = tenantkeep("tenant", "contacts", "contoso", "--support", "none", "--lang", "de")
    assert "Support-Kontakt: –" in done.output
    assert "Sicherheitskontakt: Erika B. <e@contoso.test>" in done.output


def test_what_is_no_contact_is_a_usage_error(signed_in: Any, tenantkeep: Any) -> None:
    for text in ("desk@contoso.test", "Desk <desk>", "<desk@contoso.test>"):
        assert tenantkeep("tenant", "contacts", "contoso", "--support", text).exit_code == 2
    assert signed_in.bodies == []


def test_R_B10_an_error_comes_with_cause_measure_and_the_support_contact(signed_in: Any, tenantkeep: Any) -> None:
    contoso = signed_in.tenants["contoso"]
    signed_in.tenants["contoso"] = contoso.model_copy(update={"contacts": Contacts(support=DESK)})
    run = Run(tenant="contoso", id="run-1", kind=JobKind.BACKUP, state=JobState.FAILED, requested_at=NOW)
    job = Job(
        tenant="contoso", id="job-1", run="run-1", kind=JobKind.BACKUP, resource="anna", state=JobState.FAILED,
        queued_at=NOW, fatal=Failure(error=ErrorClass.CONNECTION_TIMEOUT),
    )  # fmt: skip
    signed_in.script = [(run, [job])]
    done = tenantkeep("jobs", "show", "job-1", "--lang", "de")
    assert "Netzwerk-Problem" in done.output
    assert "Netzwerk prüfen, später erneut versuchen" in done.output
    assert "Support wenden: Service desk <desk@contoso.test>" in done.output
    good = job.model_copy(update={"state": JobState.SUCCEEDED, "fatal": None})
    signed_in.looks, signed_in.script = [], [(run, [good])]
    assert "Support" not in tenantkeep("jobs", "show", "job-1", "--lang", "de").output


def test_a_lost_consent_is_shown_with_what_was_reached_the_cause_and_the_next_step(
    signed_in: Any, tenantkeep: Any
) -> None:
    signed_in.onboarding = [lost_consent()]
    done = tenantkeep("tenant", "onboarding", "contoso")
    assert done.output.count("lost, reached first") == 4
    assert "The consent was effective and is gone" in done.output
    assert "AADSTS700016" in done.output
    assert "tenantkeep tenant consent exchange-backup --tenant contoso" in done.output
    german = tenantkeep("tenant", "onboarding", "contoso", "--lang", "de")
    assert "Die Zustimmung war wirksam und fehlt jetzt" in german.output
    document = json.loads(tenantkeep("tenant", "onboarding", "contoso", "--json").stdout)
    assert OnboardingView.model_validate(document) == lost_consent()


def at(cause: OnboardingCause | None, *, detail: str = "") -> OnboardingView:
    """A tenant that has reached everything before the step that `cause` is about."""
    step = MISSING.get(cause) if cause is not None else None
    before = list(OnboardingStep) if step is None else list(OnboardingStep)[: list(OnboardingStep).index(step)]
    proven = BackupOutcome(run="run-1", state=JobState.SUCCEEDED, finished_at=NOW)
    return OnboardingView(
        tenant="contoso",
        state=before[-1],
        since=NOW,
        steps=tuple(StepView(step=one, reached_at=NOW if one in before else None) for one in OnboardingStep),
        missing=step,
        cause=cause,
        next_step=None if cause is None else NEXT_STEPS[cause],
        profile=Profile.EXCHANGE_BACKUP if step in SIGN_IN else None,
        detail=detail,
        test_backup=proven if OnboardingStep.TEST_BACKUP_SUCCEEDED in before else None,
        looked_at=NOW,
    )


SIGN_IN = (OnboardingStep.INTEGRATION_CONFIGURED, OnboardingStep.CONSENT_EFFECTIVE)
MISSING = {
    OnboardingCause.NO_CREDENTIAL: OnboardingStep.INTEGRATION_CONFIGURED,
    OnboardingCause.CONSENT_NOT_ASKED: OnboardingStep.CONSENT_EFFECTIVE,
    OnboardingCause.CONSENT_AWAITED: OnboardingStep.CONSENT_EFFECTIVE,
    OnboardingCause.CONSENT_DECLINED: OnboardingStep.CONSENT_EFFECTIVE,
    OnboardingCause.CONSENT_ROLE_TOO_LOW: OnboardingStep.CONSENT_EFFECTIVE,
    OnboardingCause.CONSENT_NOT_EFFECTIVE: OnboardingStep.CONSENT_EFFECTIVE,
    OnboardingCause.CONSENT_WITHDRAWN: OnboardingStep.CONSENT_EFFECTIVE,
    OnboardingCause.NO_STORAGE_TARGET: OnboardingStep.TEST_BACKUP_SUCCEEDED,
    OnboardingCause.NO_CONFIGURATION: OnboardingStep.TEST_BACKUP_SUCCEEDED,
    OnboardingCause.NO_BACKUP: OnboardingStep.TEST_BACKUP_SUCCEEDED,
    OnboardingCause.BACKUP_GOES_ON: OnboardingStep.TEST_BACKUP_SUCCEEDED,
    OnboardingCause.BACKUP_FAILED: OnboardingStep.TEST_BACKUP_SUCCEEDED,
    OnboardingCause.NO_SCHEDULE: OnboardingStep.PRODUCTIVE,
}


@pytest.fixture
def walk(signed_in: Any, state: Path, step_clock: Any) -> Iterator[Callable[..., OnboardingView]]:
    home = Home(state)
    with Gateway(session.access(home, session.load(home), signed_in.tls.ca_file)) as gateway:

        def run(*looks: OnboardingView, apps: AppsFile | None = None, seconds: float = 60.0) -> OnboardingView:
            signed_in.onboarding = list(looks)
            return Walk(gateway, Screen("en"), "contoso", Means(apps), step_clock(), seconds).run()

        yield run


APPS = AppsFile(
    tenant_id="t",
    apps={Profile.EXCHANGE_BACKUP: CredentialBody(client_id="id-1", client_secret=SecretStr("hush"))},
    certificates={},
)


def did(gateway: Any) -> list[str]:
    return [path.removeprefix("/api/v1/tenants/contoso/") for path, _ in gateway.bodies]


def test_a_walk_does_each_missing_thing_once_in_its_order(signed_in: Any, walk: Any, capsys: Any) -> None:
    signed_in.targets = [
        StorageTarget(
            tenant="contoso", id="t1", name="archive", endpoint="https://s3", prefix="", created_at=NOW, tested_at=NOW
        )
    ]
    ended = Run(tenant="contoso", id="run-1", kind=JobKind.BACKUP, state=JobState.SUCCEEDED, requested_at=NOW)
    signed_in.script = [(ended, [])]
    found = walk(
        at(OnboardingCause.NO_CREDENTIAL),
        at(OnboardingCause.CONSENT_NOT_ASKED),
        at(OnboardingCause.CONSENT_AWAITED),
        at(OnboardingCause.CONSENT_NOT_EFFECTIVE),
        at(OnboardingCause.NO_CONFIGURATION),
        at(OnboardingCause.NO_BACKUP),
        at(None),
        apps=APPS,
    )
    assert found.cause is None
    assert did(signed_in) == [
        "profiles/exchange-backup/credential",
        "profiles/exchange-backup/consent",
        "backup-configurations",
    ]
    assert signed_in.keys[-1] == f"onboarding-{NOW.isoformat()}"
    printed = capsys.readouterr().out
    assert "https://login.example/adminconsent?state=s" in printed
    assert [printed.count(f"✓ {STEPS[step].en}") for step in OnboardingStep] == [1] * len(OnboardingStep)


@pytest.mark.parametrize("cause", [OnboardingCause.CONSENT_DECLINED, OnboardingCause.CONSENT_ROLE_TOO_LOW])
def test_who_declines_is_asked_once_and_then_a_person_decides(
    signed_in: Any, walk: Any, cause: OnboardingCause
) -> None:
    found = walk(at(OnboardingCause.CONSENT_NOT_ASKED), at(OnboardingCause.CONSENT_AWAITED), at(cause))
    assert found.cause is cause
    assert did(signed_in) == ["profiles/exchange-backup/consent"]


@pytest.mark.parametrize(
    "cause",
    [OnboardingCause.CONSENT_AWAITED, OnboardingCause.CONSENT_DECLINED, OnboardingCause.CONSENT_WITHDRAWN],
)
def test_a_walk_that_begins_again_gives_a_new_link(signed_in: Any, walk: Any, cause: OnboardingCause) -> None:
    found = walk(at(cause), at(OnboardingCause.CONSENT_AWAITED), seconds=10)
    assert found.cause is OnboardingCause.CONSENT_AWAITED
    assert did(signed_in) == ["profiles/exchange-backup/consent"]


def test_a_walk_has_the_permissions_checked_that_nobody_has_checked_yet(signed_in: Any, walk: Any) -> None:
    found = walk(at(OnboardingCause.PERMISSIONS_UNCHECKED), at(OnboardingCause.PERMISSIONS_UNCHECKED), at(None))
    assert found.cause is None
    assert signed_in.checked == [Profile.EXCHANGE_BACKUP] * 2


def test_a_test_backup_that_failed_is_tried_again_once_by_the_next_walk(signed_in: Any, walk: Any) -> None:
    signed_in.configurations = [
        BackupConfiguration(
            tenant="contoso", id="c1", name="other", target="t1", sources=(), retention_days=90, created_at=NOW
        )
    ]
    ended = Run(tenant="contoso", id="run-1", kind=JobKind.BACKUP, state=JobState.FAILED, requested_at=NOW)
    signed_in.script = [(ended, [])]
    found = walk(at(OnboardingCause.BACKUP_FAILED, detail="run-1"))
    assert found.cause is OnboardingCause.BACKUP_FAILED
    assert len(signed_in.keys) == 1


@pytest.mark.parametrize(
    "cause", [OnboardingCause.NO_CREDENTIAL, OnboardingCause.NO_STORAGE_TARGET, OnboardingCause.NO_SCHEDULE]
)
def test_what_a_walk_has_no_means_for_is_left_to_a_person(signed_in: Any, walk: Any, cause: OnboardingCause) -> None:
    assert walk(at(cause)).cause is cause
    assert did(signed_in) == []


def test_onboard_ends_with_the_hand_over_or_with_the_next_step(signed_in: Any, tenantkeep: Any, tmp_path: Path) -> None:
    paper = tmp_path / "contoso.md"
    signed_in.onboarding = [at(None)]
    done = tenantkeep("onboard", "contoso", "--handover", str(paper), "--consent-by", "Erika Beispiel", "--lang", "de")
    assert done.exit_code == 0, done.output
    assert "contoso ist produktiv" in done.output
    assert "☑ Das Test\\-Backup war erfolgreich" in paper.read_text(encoding="utf-8")
    paper.unlink()
    signed_in.onboarding = [at(OnboardingCause.NO_SCHEDULE)]
    done = tenantkeep("onboard", "contoso", "--handover", str(paper))
    assert done.exit_code == 1
    assert "No backup runs by itself" in done.output
    assert "tenantkeep backup change" in done.output
    assert not paper.exists()
    signed_in.onboarding = [at(OnboardingCause.BACKUP_GOES_ON)]
    assert tenantkeep("onboard", "contoso", "--timeout", "0").exit_code == 4


def test_onboard_registers_a_tenant_that_is_not_there_with_its_recovery_key(
    signed_in: Any, tenantkeep: Any, tmp_path: Path
) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("a long enough passphrase")
    signed_in.onboarding = [at(OnboardingCause.NO_CREDENTIAL)]
    arguments = (
        "onboard", "fabrikam", "--entra-tenant-id", "50f8131a-b9d3-4679-849e-cbe87444c623", "--support",
        "Desk <desk@fabrikam.test>", "--recovery-key-file", str(tmp_path / "key"), "--passphrase-file", str(passphrase),
    )  # fmt: skip
    assert tenantkeep(*arguments).exit_code == 1
    assert tenantkeep(*arguments).exit_code == 1
    assert [path for path, _ in signed_in.bodies] == [
        "/api/v1/tenants",
        "/api/v1/tenants/fabrikam/contacts",
        "/api/v1/tenants/fabrikam/contacts",
    ]
    assert signed_in.tenants["fabrikam"].recovery_key is not None
    assert tenantkeep("onboard", "nobody").exit_code == 2


def handed_over(signed_in: Any, tenantkeep: Any, *options: str) -> Any:
    signed_in.onboarding = [at(None)]
    return tenantkeep("handover", "contoso", *options)


@pytest.mark.parametrize(
    ("language", "points"),
    [
        (
            "en",
            (
                "You know where the token status is",
                "You know the contact for problems",
                "Admin consent was given by your administrator",
                "The test backup succeeded",
            ),
        ),
        (
            "de",
            (
                "Sie wissen, wo der Token-Status steht",
                "Sie kennen den Ansprechpartner bei Problemen",
                "Admin-Consent wurde von Ihrem Administrator erteilt",
                "Das Test-Backup war erfolgreich",
            ),
        ),
    ],
)
def test_R_B15_the_hand_over_has_its_four_points_in_both_languages_and_formats(
    signed_in: Any, tenantkeep: Any, language: str, points: tuple[str, ...]
) -> None:
    contoso = signed_in.tenants["contoso"]
    signed_in.tenants["contoso"] = contoso.model_copy(update={"contacts": Contacts(support=DESK)})
    backup = Profile.EXCHANGE_BACKUP
    signed_in.tokens = [TokenView(tenant="contoso", profile=backup, status=TokenStatus.ACTIVE, client_id="app-1")]
    signed_in.profiles = [
        ProfileView(
            tenant="contoso",
            profile=backup,
            status=TokenStatus.ACTIVE,
            in_use=True,
            consent_role=AdminRole.PRIVILEGED_ROLE_ADMINISTRATOR,
            registration_role=AdminRole.APPLICATION_ADMINISTRATOR,
            check=PermissionCheck(tenant="contoso", profile=backup),
        )
    ]
    options = ("--language", language, "--consent-by", "Erika Beispiel", "--status-url", "https://status.example/c")
    for wanted in ("html", "markdown"):
        done = handed_over(signed_in, tenantkeep, *options, "--format", wanted)
        assert done.exit_code == 0
        text = done.output.replace("\\", "")
        assert all(f"☑ {point}" in text for point in points)
        for fact in ("https://status.example/c", "Service desk", "desk@contoso.test", "Erika Beispiel", "run-1"):
            assert fact in text
        assert "☐" not in text
        assert signed_in.bodies.pop()[1] == {"name": "Erika Beispiel", "at": None}, "it is recorded"
    assert handed_over(signed_in, tenantkeep, *options, "--format", "html").output.startswith("<!doctype html>")


def test_R_B15_the_hand_over_names_who_consented_per_profile_as_the_records_say(
    signed_in: Any, tenantkeep: Any
) -> None:
    at_hand = {"tenant": "contoso", "status": TokenStatus.ACTIVE, "client_id": "app-1"}
    signed_in.tokens = [TokenView(**at_hand, profile=p) for p in (Profile.DIRECTORY, Profile.EXCHANGE_BACKUP)]
    signed_in.records = (
        TokenRecord(
            number=1,
            client_id="app-1",
            credential=CredentialKind.SECRET,
            generated_at=NOW,
            generated_by="anna",
            consent_by="global.admin@contoso.test",
            consent_source=ConsentSource.AUDIT,
        ),
    )
    options = ("--language", "de", "--format", "markdown", "--consent-by", "Somebody Else")
    text = handed_over(signed_in, tenantkeep, *options).output.replace("\\", "")
    for profile in ("directory", "exchange-backup"):
        assert f"Erteilt von ({profile}) | global.admin@contoso.test (" in text
    assert "Somebody Else" not in text
    signed_in.records = ()
    signed_in.bodies.clear()
    text = handed_over(signed_in, tenantkeep, "--format", "markdown").output.replace("\\", "")
    assert "Given by (directory) | not recorded" in text
    assert "☐ Admin consent was given" in text
    assert signed_in.bodies == []


def test_an_open_point_is_shown_as_open_and_the_exit_code_says_so(signed_in: Any, tenantkeep: Any) -> None:
    done = handed_over(signed_in, tenantkeep, "--language", "de", "--format", "markdown")
    assert done.exit_code == 3
    assert done.output.count("☐") == 2  # no contact, nobody recorded for the consent
    signed_in.onboarding = [at(OnboardingCause.CONSENT_WITHDRAWN)]
    document = json.loads(tenantkeep("handover", "contoso", "--json").stdout)
    assert document["complete"] is False
    assert document["document"].count("☐") == 3


def test_a_name_that_looks_like_markup_is_only_a_name(signed_in: Any, tenantkeep: Any) -> None:
    contoso = signed_in.tenants["contoso"]
    evil = "<script>x</script> [a](http://b) | `c`\n# d"
    signed_in.tenants["contoso"] = contoso.model_copy(update={"display_name": evil})
    html = handed_over(signed_in, tenantkeep, "--format", "html").output
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    markdown = handed_over(signed_in, tenantkeep, "--format", "markdown").output
    assert "\\<script\\>x\\</script\\> \\[a\\]\\(http://b\\) \\| \\`c\\` \\# d" in markdown
