"""The end of a tenant: nothing is destroyed here, what can be checked is checked, and the record is whole."""

from datetime import timedelta
from typing import Any

import pytest

from contracts import rpc
from contracts.events.audit import AuditRecorded
from contracts.names import TokenStatus
from contracts.offboarding import (
    Holdings,
    OffboardingBlock,
    OffboardingDeed,
    OffboardingState,
    OffboardingView,
    TargetKeys,
)
from contracts.onboarding import NextStep, OnboardingCause
from contracts.operations.offboarding import AttestKey, DecideExport, OrderShredding
from contracts.problem import ProblemError

STATE, DEED, BLOCK = OffboardingState, OffboardingDeed, OffboardingBlock
KEY = "3f" * 32
OTHER = "4e" * 32


def holdings(**fields: Any) -> Holdings:
    found = Holdings(
        tenant="contoso",
        restore_points=3,
        legal_holds=0,
        scheduled=0,
        running=0,
        targets=(
            TargetKeys(
                target="t1", name="S3", endpoint="https://s3", transit_keys=("tenant-contoso",), recovery_keys=(KEY,)
            ),
        ),
    )
    return found.model_copy(update=fields)


async def ask(world: Any, what: str, question: Any = None) -> OffboardingView:
    answer = getattr(world.offboarding, what)
    view = await answer(world.call(question or rpc.Nothing(), "contoso"))
    assert isinstance(view, OffboardingView)
    return view


async def to_decided(world: Any) -> None:
    await world.register()
    await world.set_credential()
    world.backups.held = holdings()
    await ask(world, "begin")
    await ask(world, "decide_export", DecideExport(exported=True, note="ZIP files to Erika Beispiel"))


async def refused(world: Any, what: str, question: Any = None) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        await ask(world, what, question)
    return caught.value


async def test_from_the_first_stop_to_the_proof(world: Any) -> None:
    await world.register()
    await world.set_credential()
    world.backups.held = holdings(running=1)
    view = await ask(world, "begin")
    assert (view.state, view.block) == (STATE.STOPPING, BLOCK.STILL_RUNNING)
    assert (await world.state()).status(world.clock.now()) is TokenStatus.DEACTIVATED
    assert await world.token() is None
    world.backups.held = holdings()
    view = await ask(world, "get")
    assert (view.state, view.block) == (STATE.STOPPED, BLOCK.EXPORT_UNDECIDED)
    view = await ask(world, "decide_export", DecideExport(exported=False, note="not wanted"))
    assert (view.state, view.block) == (STATE.EXPORT_DECIDED, None)
    view = await ask(world, "order_shredding", OrderShredding(confirm="contoso"))
    assert (view.state, view.block) == (STATE.SHREDDING, BLOCK.TRANSIT_KEY_THERE)
    assert [(key.kind, key.name) for key in view.keys] == [("transit", "tenant-contoso"), ("recovery", KEY)]
    world.vault.transit_destroy_key("tenant-contoso")
    view = await ask(world, "get")
    assert (view.state, view.block) == (STATE.SHREDDING, BLOCK.RECOVERY_KEY_UNATTESTED)
    view = await ask(world, "attest_key", AttestKey(fingerprint=KEY, by="Erika Beispiel, Contoso GmbH"))
    assert (view.state, view.block) == (STATE.SHREDDED, None)
    assert [(deed.deed, deed.by) for deed in view.deeds] == [
        (DEED.BEGUN, "anna"),
        (DEED.TOKENS_DEACTIVATED, "anna"),
        (DEED.STOPPED, "service:token-service"),
        (DEED.EXPORT_DECLINED, "anna"),
        (DEED.SHREDDING_ORDERED, "anna"),
        (DEED.TRANSIT_KEY_GONE, "service:token-service"),
        (DEED.RECOVERY_KEY_DESTROYED, "anna"),
        (DEED.SHREDDED, "service:token-service"),
    ]
    assert {key.name: key.destroyed_by for key in view.keys} == {
        "tenant-contoso": "service:token-service",
        KEY: "Erika Beispiel, Contoso GmbH",
    }
    audited = [event.action for event in world.offboardings.events["contoso"] if isinstance(event, AuditRecorded)]
    assert audited == [
        "offboarding.begin",
        "offboarding.decide-export",
        "offboarding.order-shredding",
        "offboarding.attest-key",
        "offboarding.shred",
    ]


@pytest.mark.parametrize(
    ("fields", "block"),
    [
        ({"legal_holds": 1}, BLOCK.LEGAL_HOLD),
        ({"held_until": "later"}, BLOCK.RETENTION_FLOOR),
        ({"scheduled": 1}, BLOCK.STILL_SCHEDULED),
        (
            {"targets": (TargetKeys(target="t1", name="S3", endpoint="e", problem="StorageUnreachable"),)},
            BLOCK.KEYS_UNKNOWN,
        ),
        (None, BLOCK.BACKUPS_UNKNOWN),
    ],
)
async def test_what_is_held_or_not_known_forbids_to_shred(
    world: Any, fields: dict[str, Any] | None, block: OffboardingBlock
) -> None:
    await to_decided(world)
    if fields is not None and "held_until" in fields:
        fields = {"held_until": world.clock.now() + timedelta(days=1)}
    world.backups.held = None if fields is None else holdings(**fields)
    problem = (await refused(world, "order_shredding", OrderShredding(confirm="contoso"))).problem
    assert (problem.status, problem.code, problem.errors[0]["block"]) == (409, "shredding-refused", block.value)
    assert (await ask(world, "get")).state is STATE.EXPORT_DECIDED


async def test_when_the_least_retention_is_over_it_may_be_shredded(world: Any) -> None:
    await to_decided(world)
    world.backups.held = holdings(held_until=world.clock.now() + timedelta(days=1))
    await refused(world, "order_shredding", OrderShredding(confirm="contoso"))
    await world.clock.advance(86_401)
    assert (await ask(world, "order_shredding", OrderShredding(confirm="contoso"))).state is STATE.SHREDDING


async def test_nothing_irreversible_without_the_name_typed_and_every_step_before(world: Any) -> None:
    await world.register()
    world.backups.held = holdings(running=1)
    assert (await refused(world, "get")).problem.status == 404
    await ask(world, "begin")
    assert (await refused(world, "decide_export", DecideExport(exported=True))).problem.status == 409
    world.backups.held = holdings()
    assert (await refused(world, "order_shredding", OrderShredding(confirm="contoso"))).problem.status == 409
    await ask(world, "decide_export", DecideExport(exported=True))
    assert (await refused(world, "order_shredding", OrderShredding(confirm="fabrikam"))).problem.status == 422
    assert (await refused(world, "attest_key", AttestKey(fingerprint=KEY, by="x"))).problem.status == 422
    assert await world.vault.transit_has_key("tenant-contoso")


async def test_one_key_alone_shreds_nothing(world: Any) -> None:
    await to_decided(world)
    two = TargetKeys(target="t2", name="SFTP", endpoint="sftp://x", recovery_keys=(OTHER,))
    world.backups.held = holdings(targets=(*holdings().targets, two))
    await ask(world, "order_shredding", OrderShredding(confirm="contoso"))
    await ask(world, "attest_key", AttestKey(fingerprint=KEY, by="Erika"))
    world.vault.transit_destroy_key("tenant-contoso")
    assert (await ask(world, "get")).state is STATE.SHREDDING
    assert (await refused(world, "attest_key", AttestKey(fingerprint="5d" * 32, by="Erika"))).problem.status == 422
    assert (await ask(world, "attest_key", AttestKey(fingerprint=OTHER, by="Erika"))).state is STATE.SHREDDED


async def test_an_offboarded_tenant_takes_nothing_and_its_name_is_never_given_again(world: Any) -> None:
    await to_decided(world)
    await ask(world, "order_shredding", OrderShredding(confirm="contoso"))
    for attempt in (world.register, lambda: world.register(entra="9" * 8 + "-1111-1111-1111-111111111111")):
        with pytest.raises(ProblemError) as caught:
            await attempt()
        assert caught.value.problem.code == "conflict"
    with pytest.raises(ProblemError):
        await world.set_credential(intake="i2")
    world.vault.transit_destroy_key("tenant-contoso")
    await ask(world, "attest_key", AttestKey(fingerprint=KEY, by="Erika"))
    with pytest.raises(ProblemError):
        await world.register()
    assert not await world.vault.transit_has_key("tenant-contoso")
    found = await world.onboarding.questions.onboarding_get(world.call(rpc.Nothing(), "contoso"))
    assert (found.cause, found.next_step) == (OnboardingCause.OFFBOARDED, NextStep.NOTHING)


async def test_it_can_be_cancelled_until_shredding_is_ordered(world: Any) -> None:
    await to_decided(world)
    assert (await ask(world, "cancel")).state is STATE.CANCELLED
    await world.register()
    await world.set_credential(intake="i2")
    view = await ask(world, "begin")
    assert view.state is STATE.STOPPED
    assert [deed.deed for deed in view.deeds].count(DEED.TOKENS_DEACTIVATED) == 2
    await ask(world, "decide_export", DecideExport(exported=True))
    await ask(world, "order_shredding", OrderShredding(confirm="contoso"))
    assert (await refused(world, "cancel")).problem.status == 409


async def test_repeating_a_command_changes_nothing(world: Any) -> None:
    await to_decided(world)
    await ask(world, "order_shredding", OrderShredding(confirm="contoso"))
    once = await ask(world, "attest_key", AttestKey(fingerprint=KEY, by="Erika"))
    for what, question in (
        ("begin", None),
        ("order_shredding", OrderShredding(confirm="contoso")),
        ("attest_key", AttestKey(fingerprint=KEY, by="somebody else")),
        ("get", None),
    ):
        assert await ask(world, what, question) == once


async def test_a_vault_without_an_answer_does_not_count_as_a_destroyed_key(world: Any) -> None:
    await to_decided(world)
    await ask(world, "order_shredding", OrderShredding(confirm="contoso"))
    world.vault.down = True
    assert (await refused(world, "get")).problem.code == "unavailable"
