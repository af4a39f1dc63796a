"""What people read about a tenant's life: contacts, onboarding."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.contacts import Contact, Contacts
from contracts.errors import ErrorClass
from contracts.names import JobKind, JobState, Profile
from contracts.onboarding import NextStep, OnboardingCause, OnboardingStep, OnboardingView, StepView
from contracts.views import Failure, Job, Run

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
    signed_in.looks = [(run, [job])]
    done = tenantkeep("jobs", "show", "job-1", "--lang", "de")
    assert "Netzwerk-Problem" in done.output
    assert "Netzwerk prüfen, später erneut versuchen" in done.output
    assert "Support wenden: Service desk <desk@contoso.test>" in done.output
    good = job.model_copy(update={"state": JobState.SUCCEEDED, "fatal": None})
    signed_in.looks = [(run, [good])]
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
