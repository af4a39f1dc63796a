"""The promises of chassis.vault.Vault, on the memory vault and on OpenBao alike."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding as paddings
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from chassis import http
from chassis.clock import SystemClock
from chassis.openbao import AppRoleVault
from chassis.testing.clock import ManualClock
from chassis.testing.pki import ServerTls
from chassis.testing.servers import BaoProcess
from chassis.testing.vault import MemoryVault
from chassis.vault import Vault, VaultConflict, VaultDenied, VaultNotFound, VaultRejected


@dataclass(frozen=True)
class Place:
    vault: Vault
    name: str
    """A path and key name of this test alone."""
    pass_time: Callable[[float], Awaitable[None]]


@pytest.fixture(params=["memory", "openbao"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    name = f"test-{uuid.uuid4().hex}"
    if request.param == "memory":
        clock = ManualClock()
        yield Place(MemoryVault(clock), name, clock.advance)
        return
    bao: BaoProcess = request.getfixturevalue("bao")
    server_tls: ServerTls = request.getfixturevalue("server_tls")
    async with http.client(server_tls.ca_file, base_url=bao.url) as client:
        secret_id = SecretStr(bao.secret_ids["keeper"])
        real = SystemClock()
        yield Place(AppRoleVault(client, role_id="keeper", secret_id=secret_id, clock=real), name, real.sleep)


class TestSecrets:
    async def test_what_was_written_is_read_with_its_version(self, place: Place) -> None:
        assert await place.vault.kv_read(place.name) is None
        assert await place.vault.kv_write(place.name, {"value": "one", "n": 1, "nested": {"a": [1, None]}}) == 1
        assert await place.vault.kv_write(place.name, {"value": "two"}) == 2
        assert await place.vault.kv_read(place.name) == ({"value": "two"}, 2)

    async def test_create_refuses_what_exists(self, place: Place) -> None:
        assert await place.vault.kv_create(place.name, {"value": "one"}) == 1
        with pytest.raises(VaultConflict) as refused:
            await place.vault.kv_create(place.name, {"value": "planted"})
        assert "planted" not in str(refused.value)
        assert await place.vault.kv_read(place.name) == ({"value": "one"}, 1)

    async def test_check_and_set_needs_the_newest_version(self, place: Place) -> None:
        await place.vault.kv_create(place.name, {"value": "one"})
        assert await place.vault.kv_write(place.name, {"value": "two"}, cas=1) == 2
        for stale in (0, 1, 3):
            with pytest.raises(VaultConflict):
                await place.vault.kv_write(place.name, {"value": "three"}, cas=stale)
        assert await place.vault.kv_read(place.name) == ({"value": "two"}, 2)

    async def test_delete_destroys_everything_and_may_be_repeated(self, place: Place) -> None:
        await place.vault.kv_create(place.name, {"value": "one"})
        await place.vault.kv_delete(place.name)
        await place.vault.kv_delete(place.name)
        assert await place.vault.kv_read(place.name) is None
        assert await place.vault.kv_create(place.name, {"value": "anew"}) == 1

    async def test_a_list_shows_one_level_of_names(self, place: Place) -> None:
        assert await place.vault.kv_list(place.name) == ()
        for below in ("b", "a", "deep/one", "deep/two"):
            await place.vault.kv_create(f"{place.name}/{below}", {"value": "x"})
        assert await place.vault.kv_list(place.name) == ("a", "b", "deep/")
        await place.vault.kv_delete(f"{place.name}/a")
        assert await place.vault.kv_list(place.name) == ("b", "deep/")

    async def test_a_limited_life_ends(self, place: Place) -> None:
        await place.vault.kv_metadata(place.name, max_versions=1, delete_version_after=timedelta(seconds=1))
        assert await place.vault.kv_create(place.name, {"value": "short"}) == 1
        assert await place.vault.kv_read(place.name) == ({"value": "short"}, 1)
        await place.pass_time(1.2)
        assert await place.vault.kv_read(place.name) is None
        assert await place.vault.kv_write(place.name, {"value": "next"}, cas=1) == 2
        assert await place.vault.kv_read(place.name) == ({"value": "next"}, 2)

    @pytest.mark.parametrize("seconds", [0, 0.5, 1.5, -1])
    async def test_a_life_the_vault_would_ignore_is_refused(self, place: Place, seconds: float) -> None:
        with pytest.raises(ValueError, match="whole number of seconds"):
            await place.vault.kv_metadata(place.name, delete_version_after=timedelta(seconds=seconds))

    async def test_a_reader_cannot_change_what_is_stored(self, place: Place) -> None:
        await place.vault.kv_create(place.name, {"list": [1]})
        found = await place.vault.kv_read(place.name)
        assert found is not None
        found[0]["list"].append(2)
        assert await place.vault.kv_read(place.name) == ({"list": [1]}, 1)


class TestTransit:
    async def test_a_data_key_is_unwrapped_to_itself_and_never_drawn_twice(self, place: Place) -> None:
        await place.vault.transit_create_key(place.name)
        plaintext, wrapped = await place.vault.transit_data_key(place.name)
        other, other_wrapped = await place.vault.transit_data_key(place.name)
        assert len(plaintext) == len(other) == 32
        assert plaintext != other
        assert await place.vault.transit_decrypt(place.name, wrapped) == plaintext
        assert await place.vault.transit_decrypt(place.name, other_wrapped) == other

    async def test_a_data_key_of_before_is_wrapped_again(self, place: Place) -> None:
        await place.vault.transit_create_key(place.name)
        plaintext, wrapped = await place.vault.transit_data_key(place.name)
        again = await place.vault.transit_encrypt(place.name, plaintext)
        assert again != wrapped
        assert await place.vault.transit_decrypt(place.name, again) == plaintext

    async def test_whether_a_key_exists_is_told(self, place: Place) -> None:
        assert await place.vault.transit_has_key(place.name) is False
        await place.vault.transit_create_key(place.name)
        assert await place.vault.transit_has_key(place.name) is True

    async def test_creating_a_key_again_keeps_it(self, place: Place) -> None:
        await place.vault.transit_create_key(place.name)
        plaintext, wrapped = await place.vault.transit_data_key(place.name)
        await place.vault.transit_create_key(place.name)
        assert await place.vault.transit_decrypt(place.name, wrapped) == plaintext

    async def test_another_tenants_key_does_not_unwrap(self, place: Place) -> None:
        other = f"{place.name}-other"
        await place.vault.transit_create_key(place.name)
        await place.vault.transit_create_key(other)
        _, wrapped = await place.vault.transit_data_key(place.name)
        with pytest.raises(VaultRejected):
            await place.vault.transit_decrypt(other, wrapped)
        with pytest.raises(VaultRejected):
            await place.vault.transit_decrypt(place.name, "vault:v1:bm90IGEgY2lwaGVydGV4dA==")

    async def test_a_missing_key_is_not_created_in_passing(self, place: Place) -> None:
        with pytest.raises(VaultNotFound):
            await place.vault.transit_data_key(place.name)
        with pytest.raises((VaultNotFound, VaultDenied)):
            await place.vault.transit_encrypt(place.name, bytes(32))
        with pytest.raises(VaultNotFound):
            await place.vault.transit_decrypt(place.name, "vault:v1:bm90IGEgY2lwaGVydGV4dA==")


class TestSigning:
    async def test_a_key_signs_in_both_ways_and_its_public_half_tells(self, place: Place) -> None:
        await place.vault.transit_create_signing_key(place.name)
        public = serialization.load_pem_public_key((await place.vault.transit_public_key(place.name)).encode())
        assert isinstance(public, rsa.RSAPublicKey)
        assert public.key_size == 3072
        text, sha256 = b"what an app says of itself" * 40, hashes.SHA256()
        pss = paddings.PSS(paddings.MGF1(sha256), sha256.digest_size)
        public.verify(await place.vault.transit_sign(place.name, text, "pss"), text, pss, sha256)
        public.verify(await place.vault.transit_sign(place.name, text, "pkcs1v15"), text, paddings.PKCS1v15(), sha256)

    async def test_creating_it_again_keeps_it(self, place: Place) -> None:
        await place.vault.transit_create_signing_key(place.name)
        public = await place.vault.transit_public_key(place.name)
        await place.vault.transit_create_signing_key(place.name)
        assert await place.vault.transit_public_key(place.name) == public

    async def test_a_destroyed_key_is_gone_and_may_be_destroyed_again(self, place: Place) -> None:
        await place.vault.transit_destroy_signing_key(place.name)
        await place.vault.transit_create_signing_key(place.name)
        public = await place.vault.transit_public_key(place.name)
        for _ in range(2):
            await place.vault.transit_destroy_signing_key(place.name)
        assert await place.vault.transit_has_key(place.name) is False
        with pytest.raises(VaultNotFound):
            await place.vault.transit_sign(place.name, b"", "pss")
        with pytest.raises(VaultNotFound):
            await place.vault.transit_public_key(place.name)
        await place.vault.transit_create_signing_key(place.name)
        assert await place.vault.transit_public_key(place.name) != public

    async def test_two_who_destroy_it_at_once_both_succeed(self, place: Place) -> None:
        await place.vault.transit_create_signing_key(place.name)
        await asyncio.gather(*(place.vault.transit_destroy_signing_key(place.name) for _ in range(4)))
        assert await place.vault.transit_has_key(place.name) is False
