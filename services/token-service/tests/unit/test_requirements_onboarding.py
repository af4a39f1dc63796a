"""Onboarding: one step after the other, the first missing thing named, and nothing that a crash or a loss can stop."""

import contextlib
from datetime import timedelta
from typing import Any

import pytest

from contracts import rpc
from contracts.errors import ErrorClass
from contracts.names import JobState, Profile
from contracts.onboarding import BackupOutcome, NextStep, OnboardingCause, OnboardingStep, OnboardingView
from contracts.problem import ProblemError
from token_service.domain.onboarding import LookPolicy, Onboarding
from token_service.ports import Effective, NotEffective

STEP, CAUSE = OnboardingStep, OnboardingCause
REFUSED = NotEffective("mail: ErrorAccessDenied")


async def check_permissions(world: Any) -> None:
    """As the sweep does when something changed; nothing happens before there is a credential."""
    with contextlib.suppress(ProblemError):
        await world.permissions.check("contoso", Profile.EXCHANGE_BACKUP)


async def shown(world: Any, tenant: str = "contoso") -> OnboardingView:
    await check_permissions(world)
    view = await world.onboarding.questions.onboarding_get(world.call(rpc.Nothing(), tenant))
    assert isinstance(view, OnboardingView)
    return view


async def ask_consent(world: Any) -> str:
    """Give the state of the link."""
    wish = rpc.StartConsent(
        profile=Profile.EXCHANGE_BACKUP, redirect_uri="https://gateway.example/cb", client_id="app-1"
    )
    link = await world.app.questions.consent_start(world.call(wish, "contoso"))
    return str(link.url.rpartition("state=")[2])


async def answer(world: Any, state: str, **told: str) -> None:
    await world.app.questions.consent_finish(world.call(rpc.FinishConsent(state=state, **told), None))


async def grant(world: Any) -> None:
    world.workloads.proof = Effective()
    await answer(world, await ask_consent(world), admin_consent="True")


async def run_backup(world: Any, state: JobState = JobState.SUCCEEDED) -> BackupOutcome:
    await world.clock.advance(1)
    outcome = world.backups.finished(world.clock.now(), state)
    assert isinstance(outcome, BackupOutcome)
    return outcome


async def to_productive(world: Any) -> None:
    await world.register()
    world.workloads.proof = REFUSED
    await world.set_credential()
    await world.clock.advance(1)
    await grant(world)
    await run_backup(world)
    assert (await shown(world)).missing is None


def told(world: Any) -> list[tuple[OnboardingStep, OnboardingCause | None]]:
    return [(event.state, event.cause) for event in world.onboardings.events["contoso"]]


async def test_R_B14_and_B18_a_new_tenant_goes_through_the_steps_in_their_order(world: Any) -> None:
    await world.register()
    seen = [await shown(world)]
    world.workloads.proof = REFUSED
    await world.set_credential()
    seen.append(await shown(world))
    await world.clock.advance(1)
    await grant(world)
    seen.append(await shown(world))
    world.backups.configured(None)
    seen.append(await shown(world))
    proven = await run_backup(world)
    scheduled, world.backups.knows = world.backups.knows, world.backups.knows.model_copy(update={"next_run_at": None})
    seen.append(await shown(world))
    world.backups.knows = scheduled
    seen.append(await shown(world))
    assert [(view.state, view.cause, view.next_step) for view in seen] == [
        (STEP.TENANT_CREATED, CAUSE.NO_CREDENTIAL, NextStep.SET_CREDENTIAL),
        (STEP.INTEGRATION_CONFIGURED, CAUSE.CONSENT_NOT_ASKED, NextStep.ASK_CONSENT),
        (STEP.PERMISSIONS_VERIFIED, CAUSE.NO_STORAGE_TARGET, NextStep.ADD_STORAGE_TARGET),
        (STEP.PERMISSIONS_VERIFIED, CAUSE.NO_BACKUP, NextStep.RUN_BACKUP),
        (STEP.TEST_BACKUP_SUCCEEDED, CAUSE.NO_SCHEDULE, NextStep.SCHEDULE_BACKUP),
        (STEP.PRODUCTIVE, None, None),
    ]
    assert seen[-1].test_backup == proven
    assert all(step.reached_at is not None for step in seen[-1].steps)
    assert [step.step for step in seen[-1].steps] == list(OnboardingStep)
    assert [state for state, _ in told(world)] == [view.state for view in seen]


async def test_a_key_in_the_vault_waits_for_its_certificate_to_be_uploaded(world: Any) -> None:
    await world.register()
    world.workloads.proof = REFUSED
    await world.offer_key(upload=False)
    view = await shown(world)
    assert (view.state, view.missing) == (STEP.TENANT_CREATED, STEP.INTEGRATION_CONFIGURED)
    assert (view.cause, view.next_step) == (CAUSE.CERTIFICATE_AWAITED, NextStep.UPLOAD_CERTIFICATE)
    assert view.profile is Profile.EXCHANGE_BACKUP
    with pytest.raises(ProblemError):
        await world.set_vault_key()
    assert (await shown(world)).cause is CAUSE.CERTIFICATE_AWAITED
    await world.offer_key()
    await world.set_vault_key()
    assert (await shown(world)).cause is CAUSE.CONSENT_NOT_ASKED
    assert [cause for _, cause in told(world)] == [CAUSE.CERTIFICATE_AWAITED, CAUSE.CONSENT_NOT_ASKED]


@pytest.mark.parametrize(
    ("answered", "cause", "next_step"),
    [
        ({"error": "access_denied"}, CAUSE.CONSENT_DECLINED, NextStep.ASK_CONSENT),
        (
            {"error": "invalid_client", "error_description": "AADSTS650056"},
            CAUSE.CONSENT_FAILED,
            NextStep.CHECK_REGISTRATION,
        ),
        (
            {"error": "access_denied", "error_description": "AADSTS90094: needs an administrator"},
            CAUSE.CONSENT_ROLE_TOO_LOW,
            NextStep.ASK_HIGHER_ROLE,
        ),
        ({"admin_consent": "True"}, CAUSE.CONSENT_NOT_EFFECTIVE, NextStep.WAIT),
        (None, CAUSE.CONSENT_AWAITED, NextStep.OPEN_CONSENT_LINK),
    ],
)
async def test_what_became_of_the_consent_is_the_cause(
    world: Any, answered: dict[str, str] | None, cause: OnboardingCause, next_step: NextStep
) -> None:
    await world.register()
    world.workloads.proof = REFUSED
    await world.set_credential()
    state = await ask_consent(world)
    if answered is not None:
        await answer(world, state, **answered)
    view = await shown(world)
    assert (view.state, view.missing) == (STEP.INTEGRATION_CONFIGURED, STEP.CONSENT_EFFECTIVE)
    assert (view.cause, view.next_step, view.profile) == (cause, next_step, Profile.EXCHANGE_BACKUP)


async def test_a_link_nobody_opened_in_time_is_expired(world: Any) -> None:
    await world.register()
    world.workloads.proof = REFUSED
    await world.set_credential()
    await ask_consent(world)
    await world.clock.advance(601)
    assert (await shown(world)).cause is CAUSE.CONSENT_EXPIRED


async def test_consent_that_is_removed_later_takes_the_tenant_back_and_a_new_one_wants_a_new_backup(world: Any) -> None:
    await to_productive(world)
    before = await shown(world)
    world.workloads.proof = REFUSED
    connection = await world.state()
    await world.connections.save(
        connection.failed(
            ErrorClass.CONSENT_REQUIRED, "AADSTS700016", now=world.clock.now(), retry_at=world.clock.now()
        )
    )
    lost = await shown(world)
    assert (lost.state, lost.cause, lost.next_step) == (
        STEP.INTEGRATION_CONFIGURED,
        CAUSE.CONSENT_WITHDRAWN,
        NextStep.ASK_CONSENT,
    )
    productive = next(step for step in lost.steps if step.step is STEP.PRODUCTIVE)
    assert (productive.reached_at, productive.first_reached_at) == (None, before.steps[-1].reached_at)
    await world.clock.advance(60)
    await grant(world)
    assert (await shown(world)).cause is CAUSE.NO_BACKUP
    proven = await run_backup(world)
    again = await shown(world)
    assert (again.state, again.test_backup) == (STEP.PRODUCTIVE, proven)


async def test_a_backup_of_before_the_consent_proves_nothing(world: Any) -> None:
    await world.register()
    await run_backup(world)
    await world.clock.advance(1)
    await world.set_credential()
    assert (await shown(world)).cause is CAUSE.NO_BACKUP


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (JobState.SUCCEEDED, (STEP.PRODUCTIVE, None)),
        (JobState.PARTIAL, (STEP.PRODUCTIVE, None)),
        (JobState.FAILED, (STEP.PERMISSIONS_VERIFIED, CAUSE.BACKUP_FAILED)),
    ],
)
async def test_a_partial_backup_proves_the_way_and_a_failed_one_does_not(
    world: Any, state: JobState, expected: tuple[OnboardingStep, OnboardingCause | None]
) -> None:
    await world.register()
    await world.set_credential()
    outcome = await run_backup(world, state)
    view = await shown(world)
    assert (view.state, view.cause) == expected
    assert view.detail == (outcome.run if state is JobState.FAILED else "")


async def test_a_backup_service_without_an_answer_is_unknown_and_takes_nothing_back(world: Any) -> None:
    await world.register()
    await world.set_credential()
    knows, world.backups.knows = world.backups.knows, None
    view = await shown(world)
    assert (view.missing, view.cause) == (STEP.TEST_BACKUP_SUCCEEDED, CAUSE.BACKUPS_UNKNOWN)
    world.backups.knows = knows
    await run_backup(world)
    productive = await shown(world)
    world.backups.knows = None
    assert (await shown(world)).steps == productive.steps


async def test_an_app_that_was_switched_off_is_no_matter_of_consent(world: Any) -> None:
    await to_productive(world)
    connection = await world.state()
    now = world.clock.now()
    await world.connections.save(
        connection.failed(ErrorClass.CONSENT_REQUIRED, "unauthorized_client AADSTS7000112", now=now, retry_at=now)
    )
    view = await shown(world)
    assert (view.state, view.cause, view.next_step) == (
        STEP.INTEGRATION_CONFIGURED,
        CAUSE.APP_DISABLED,
        NextStep.ENABLE_APP,
    )


async def test_a_secret_that_microsoft_refuses_is_named(world: Any) -> None:
    await to_productive(world)
    connection = await world.state()
    now = world.clock.now()
    await world.connections.save(
        connection.failed(ErrorClass.TOKEN_EXPIRED, "invalid_client AADSTS7000222", now=now, retry_at=now)
    )
    view = await shown(world)
    assert (view.state, view.cause) == (STEP.TENANT_CREATED, CAUSE.CREDENTIAL_REFUSED)
    assert view.detail == "invalid_client AADSTS7000222"


async def test_without_any_event_the_sweep_gets_there(world: Any) -> None:
    await world.register()
    await world.onboarding.look.enrol()
    await world.set_credential()
    world.backups.configured(None)
    await world.clock.advance(6)
    await world.permissions.check.sweep()
    await world.onboarding.look.sweep()
    await run_backup(world)
    await world.clock.advance(6)
    await world.onboarding.look.sweep()
    stored = await world.onboardings.get("contoso")
    assert stored.state is STEP.PRODUCTIVE


async def test_a_new_token_makes_its_tenant_looked_at_at_once(world: Any) -> None:
    await world.register()
    await world.set_credential()
    await check_permissions(world)
    await world.onboarding.nudge.look("contoso")
    assert (await world.onboardings.get("contoso")).state is STEP.PERMISSIONS_VERIFIED
    assert world.announced.ids[0] == "contoso/exchange-backup"
    await world.onboarding.nudge.look("nobody")


async def test_R_B4_a_token_alone_verifies_no_permission(world: Any) -> None:
    async def seen() -> tuple[OnboardingStep, OnboardingCause | None, str]:
        view = await world.onboarding.questions.onboarding_get(world.call(rpc.Nothing(), "contoso"))
        return view.state, view.cause, view.detail

    await world.register()
    await world.set_credential()
    assert await seen() == (STEP.CONSENT_EFFECTIVE, CAUSE.PERMISSIONS_UNCHECKED, "")
    world.probes.silent.add("Mail.Read")
    await check_permissions(world)
    assert await seen() == (STEP.CONSENT_EFFECTIVE, CAUSE.PERMISSIONS_UNCHECKED, "")
    world.probes.silent.clear()
    world.probes.refused.add("Mail.Read")
    await check_permissions(world)
    assert await seen() == (STEP.CONSENT_EFFECTIVE, CAUSE.PERMISSIONS_MISSING, "Mail.Read")
    world.probes.refused.clear()
    await check_permissions(world)
    assert (await seen())[0] is STEP.PERMISSIONS_VERIFIED
    world.probes.silent.add("Mail.Read")
    await check_permissions(world)
    assert (await seen())[0] is STEP.PERMISSIONS_VERIFIED, "not knowing takes nothing away"


async def test_every_tenant_of_before_is_enrolled_once(world: Any) -> None:
    for number in range(120):
        await world.register(f"t{number:03}", f"{number:08x}-1111-1111-1111-111111111111")
    rounds = [await world.onboarding.look.enrol() for _ in range(4)]
    assert rounds == [50, 50, 20, 0]


async def test_two_replicas_tell_a_change_once(world: Any) -> None:
    await world.register()
    other = world.onboarding_replica()
    await shown(world)
    await world.set_credential()
    tenant = await world.tenants.get("contoso")
    await world.onboarding.look(tenant)
    await other.look(tenant)
    changes = [event.change for event in world.onboardings.events["contoso"]]
    assert len(changes) == len(set(changes)) == 2


def test_the_longer_nothing_changes_the_rarer_it_is_looked_at(world: Any) -> None:
    now, policy = world.clock.now(), LookPolicy()
    waited = {
        hours: (policy.next(Onboarding("t", now - timedelta(hours=hours), now, now, missing=object()), now) - now)  # type: ignore[arg-type] # any cause
        for hours in (0, 1, 24)
    }
    assert [pause.total_seconds() for pause in waited.values()] == [5, 180, 300]
