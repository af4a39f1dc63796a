"""Every change of tenants and profiles is recorded with who asked, in the same write, and without a secret."""

from typing import Any

import pytest

from contracts import rpc
from contracts.events import AuditRecorded
from contracts.names import Profile
from contracts.problem import ProblemError

KEY = "x25519:" + "A" * 42 + "E="
OTHER = "x25519:" + "B" * 42 + "E="


def records(world: Any) -> dict[str, AuditRecorded]:
    events = [
        event for found in (world.tenants, world.connections) for saved in found.events.values() for event in saved
    ]
    told = [event for event in events if isinstance(event, AuditRecorded)]
    found = {event.action: event for event in told}
    assert len(found) == len(told), "each change once"
    return found


async def test_a_registration_is_recorded_once_and_a_repeat_changes_nothing(world: Any) -> None:
    for _ in range(2):
        await world.register(recovery_key=KEY)
    found = records(world)
    assert set(found) == {"tenant.register", "tenant.set-recovery-key"}
    told = found["tenant.register"]
    assert (told.tenant, told.object, told.actor, told.roles, told.request) == (
        "contoso", "contoso", "anna", ("operator",), "r1",
    )  # fmt: skip
    assert told.after["display_name"] == "Contoso GmbH"
    assert set(found["tenant.set-recovery-key"].after) == {"fingerprint"}


async def test_a_replaced_recovery_key_is_recorded_by_its_fingerprints(world: Any) -> None:
    await world.register(recovery_key=KEY)
    call = world.call(rpc.SetRecoveryKey(public_key=OTHER), "contoso")
    await world.app.questions.recovery_key_set(call)
    *_, told = world.tenants.events["contoso"]
    assert told.before != told.after
    assert set(told.before) == set(told.after) == {"fingerprint"}


async def test_a_credential_is_recorded_by_its_app_and_never_by_its_value(world: Any) -> None:
    await world.register()
    await world.set_credential()
    told = records(world)["profile.set-credential"]
    assert (told.object, told.actor) == ("exchange-backup", "anna")
    assert told.after == {"client_id": "app-1", "signs_in_with": "secret"}
    assert "right" not in told.model_dump_json()


async def test_a_refused_credential_changes_nothing_and_is_not_recorded(world: Any) -> None:
    await world.register()
    with pytest.raises(ProblemError):
        await world.set_credential("wrong")
    assert set(records(world)) == {"tenant.register"}


async def test_consent_is_recorded_when_it_is_asked_for_and_when_it_is_answered(world: Any) -> None:
    await world.register()
    wish = rpc.StartConsent(profile=Profile.EXCHANGE_BACKUP, redirect_uri="https://x/y", client_id="app-1")
    link = await world.app.questions.consent_start(world.call(wish, "contoso"))
    state = link.url.rpartition("state=")[2]
    answer = rpc.FinishConsent(state=state, error="access_denied", admin_consent="True")
    await world.app.questions.consent_finish(world.call(answer, None))
    found = records(world)
    assert found["profile.ask-consent"].after["client_id"] == "app-1"
    assert found["profile.answer-consent"].after["outcome"] == "declined"
    assert not any(state in told.model_dump_json() for told in found.values())


async def test_a_credential_found_in_the_vault_again_is_recorded(world: Any) -> None:
    credential = {"client_id": "app-1", "client_secret": "right"}
    await world.vault.kv_write("tenants/contoso/credentials/exchange-backup", credential)
    await world.register()
    assert records(world)["profile.adopt-credential"].after == {"client_id": "app-1"}
