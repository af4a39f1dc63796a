from collections.abc import Callable
from typing import Any

import pytest

from chassis.vault import VaultUnreachable
from contracts import rpc
from contracts.names import TokenStatus
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


KEY = "x25519:hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
FINGERPRINT = "300c9c9603b92a4b39ed3958bf9240114804db4fd373012c0ca47432d63425ae"
NEW_KEY = "x25519:3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="


async def set_key(world: Any, public_key: str, tenant: str = "contoso") -> Any:
    wish = rpc.SetRecoveryKey(public_key=public_key)
    return await world.app.questions.recovery_key_set(world.call(wish, tenant))


async def test_the_recovery_key_is_shown_and_lies_where_it_is_used(world: Any) -> None:
    assert (await world.register()).recovery_key is None
    tenant = await world.register(recovery_key=KEY)
    assert (tenant.recovery_key.public_key, tenant.recovery_key.fingerprint) == (KEY, FINGERPRINT)
    assert await world.vault.kv_read("tenants/contoso/recovery-key") == ({"public_key": KEY}, 1)
    await world.clock.advance(60)
    assert await world.register(recovery_key=KEY) == tenant
    assert await world.register() == tenant


async def test_a_recovery_key_is_replaced_on_purpose_only(world: Any) -> None:
    await world.register(recovery_key=KEY)
    with pytest.raises(ProblemError) as caught:
        await world.register(recovery_key=NEW_KEY)
    assert caught.value.problem.status == 409
    replaced = await set_key(world, NEW_KEY)
    assert replaced.recovery_key.public_key == NEW_KEY
    assert await world.vault.kv_read("tenants/contoso/recovery-key") == ({"public_key": NEW_KEY}, 2)
    assert await set_key(world, NEW_KEY) == replaced


async def test_a_key_that_protects_nothing_is_refused(world: Any) -> None:
    await world.register()
    with pytest.raises(ProblemError) as caught:
        await set_key(world, "x25519:" + "A" * 43 + "=")
    assert caught.value.problem.status == 422
    with pytest.raises(ProblemError) as caught:
        await set_key(world, KEY, "nobody")
    assert caught.value.problem.status == 404


async def test_registering_again_fills_a_vault_that_was_lost(world: Any) -> None:
    tenant = await world.register(recovery_key=KEY)
    world.vault._entries.clear()
    world.vault._keys.clear()
    assert await world.register() == tenant
    await world.vault.transit_data_key("tenant-contoso")
    assert await world.vault.kv_read("tenants/contoso/recovery-key") == ({"public_key": KEY}, 1)


async def test_without_a_vault_no_recovery_key_is_shown(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.register()

    async def away(path: str) -> None:
        raise VaultUnreachable("GET", path, "sealed")

    monkeypatch.setattr(world.vault, "kv_read", away)
    with pytest.raises(ProblemError) as caught:
        await set_key(world, KEY)
    assert caught.value.problem.status == 503
    assert (await world.tenants.get("contoso")).recovery_key is None


async def test_what_is_exported_names_the_apps_and_no_secret(world: Any) -> None:
    tenant = await world.register(recovery_key=KEY)
    await world.set_credential()
    found = await world.app.questions.documents_export(world.call(rpc.Nothing(), "contoso"))
    assert (found.tenant, len(found.profiles)) == (tenant, 1)
    assert found.profiles[0].client_id
    stored = await world.vault.kv_read(f"tenants/contoso/credentials/{found.profiles[0].profile}")
    assert stored[0]["client_secret"] not in found.model_dump_json()
    with pytest.raises(ProblemError) as caught:
        await world.app.questions.documents_export(world.call(rpc.Nothing(), "nobody"))
    assert caught.value.problem.status == 404


async def test_credentials_of_before_are_taken_up_when_the_documents_were_lost(
    world: Any, new_world: Callable[[], Any]
) -> None:
    await world.register()
    await world.set_credential()
    before = (await world.connections.of_tenant("contoso"))[0]
    after = new_world()
    after.vault._entries.update(world.vault._entries)
    await after.register()
    (adopted,) = await after.connections.of_tenant("contoso")
    assert (adopted.profile, adopted.client_id, adopted.token) == (before.profile, before.client_id, None)
    await after.app.renew.sweep()
    (renewed,) = await after.connections.of_tenant("contoso")
    assert renewed.status(after.clock.now()) is TokenStatus.ACTIVE
    await after.register()
    assert await after.connections.of_tenant("contoso") == [renewed]


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
