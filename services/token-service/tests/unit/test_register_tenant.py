from typing import Any

import pytest

from chassis.vault import VaultUnreachable
from contracts import rpc
from contracts.problem import ProblemError

OTHER = "33333333-3333-3333-3333-333333333333"


async def test_a_registered_tenant_has_its_key(world: Any) -> None:
    tenant = await world.register()
    assert (tenant.tenant, tenant.display_name) == ("contoso", "Contoso GmbH")
    plaintext, wrapped = await world.vault.transit_data_key("tenant-contoso")
    assert await world.vault.transit_decrypt("tenant-contoso", wrapped) == plaintext


async def test_registering_the_same_again_gives_the_first_answer(world: Any) -> None:
    first = await world.register()
    await world.clock.advance(60)
    assert await world.register() == first


async def test_a_name_is_never_given_to_another_entra_tenant(world: Any) -> None:
    await world.register()
    with pytest.raises(ProblemError) as caught:
        await world.register(entra=OTHER)
    assert caught.value.problem.status == 409


async def test_an_entra_tenant_is_never_registered_twice(world: Any) -> None:
    await world.register()
    with pytest.raises(ProblemError) as caught:
        await world.register("fabrikam")
    assert caught.value.problem.status == 409
    assert "contoso" not in caught.value.problem.detail


async def test_without_a_vault_no_tenant_is_registered(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(name: str) -> None:
        raise VaultUnreachable("POST", name, "sealed")

    monkeypatch.setattr(world.vault, "transit_create_key", away)
    with pytest.raises(ProblemError) as caught:
        await world.register()
    assert caught.value.problem.status == 503
    assert await world.tenants.get("contoso") is None


async def test_subject_and_question_must_name_the_same_tenant(world: Any) -> None:
    wish = rpc.RegisterTenant(tenant="contoso", entra_tenant_id=OTHER, display_name="X")
    with pytest.raises(ProblemError):
        await world.app.questions.tenant_register(world.call(wish, "fabrikam"))


async def test_tenants_are_listed_in_pages(world: Any) -> None:
    for number in range(5):
        await world.register(f"t{number}", f"33333333-3333-3333-3333-33333333333{number}")
    slugs: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page = await world.app.questions.tenant_list(world.call(rpc.Page(cursor=cursor, limit=2), None))
        slugs += [tenant.tenant for tenant in page.items]
        cursor = page.cursor
    assert cursor is None
    assert slugs == ["t0", "t1", "t2", "t3", "t4"]


async def test_an_unknown_tenant_is_not_found(world: Any) -> None:
    for ask in (world.app.questions.tenant_get, world.app.questions.token_list):
        with pytest.raises(ProblemError) as caught:
            await ask(world.call(rpc.Nothing(), "nobody"))
        assert caught.value.problem.status == 404
