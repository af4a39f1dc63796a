"""Data keys wrapped twice, rotated, re-wrapped; recovery with the vault gone (format, section 3)."""

import base64
import hashlib
import hmac
import json
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from backup_engine import (
    IntegrityError,
    KeyUnavailable,
    NewItem,
    RecoveryKey,
    RecoveryPublicKey,
    Repository,
    SealedRecoveryKey,
    Session,
    Snapshot,
    StorageDenied,
    shredding,
)
from backup_engine.recovery import ScryptParameters
from backup_engine.storage import MemoryStorage
from backup_engine.testing.faulty import CrashingStorage, FaultyStorage, SimulatedCrash
from backup_engine.testing.keys import LocalKeyWrapper

Mail = Callable[..., bytes]
Commit = Callable[..., Snapshot]
Ulid = Callable[[int], str]

CREATED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PASSPHRASE = "correct horse battery staple"
FAST = ScryptParameters(n=1 << 14)


@pytest.fixture
def recovery() -> RecoveryKey:
    return RecoveryKey.generate()


@pytest.fixture
def customer(memory: MemoryStorage, wrapper: LocalKeyWrapper, recovery: RecoveryKey) -> Repository:
    return Repository.create(memory, wrapper, tenant="contoso", recovery=recovery.public)


def back_up(repository: Repository, session: str, parent: str | None, body: bytes, commit: Commit) -> Snapshot:
    opened: Session
    with repository.open_session("mail/anna", session, parent=parent) as opened:
        opened.put_item(NewItem(session, "mail", "1", ""), body)
        return commit(opened)


def record(memory: MemoryStorage, name: str = "keys/1") -> dict[str, object]:
    found: dict[str, object] = json.loads(memory.objects[name])
    return found


def wrap_of(memory: MemoryStorage, name: str = "keys/1", kind: str = "x25519") -> dict[str, str]:
    (found,) = [wrap for wrap in json.loads(memory.objects[name])["wraps"] if wrap["kind"] == kind]
    return dict(found)


def test_one_recovery_key_opens_everything_after_two_rotations_with_the_vault_gone(
    *,
    customer: Repository,
    memory: MemoryStorage,
    wrapper: LocalKeyWrapper,
    recovery: RecoveryKey,
    mail: Mail,
    commit: Commit,
    ulid: Ulid,
) -> None:
    parent, bodies = None, []
    for n in range(3):
        bodies.append(mail(n, attachment=n))
        parent = back_up(customer, ulid(n), parent, bodies[-1], commit).id
        if n < 2:
            assert customer.keys.rotate(wrapper, recovery.public) == n + 2
    file = recovery.seal(PASSPHRASE, tenant="contoso", created=CREATED, parameters=FAST)
    wrapper.available = False  # the vault is gone for good; what is left is the storage and the file
    opened = Repository.open(memory, SealedRecoveryKey.parse(file).open(PASSPHRASE))
    (newest, *_) = opened.snapshots()
    assert {body for _, body in opened.read_many(opened.items("mail/anna", newest.id))} == set(bodies)
    assert {memory.objects[p.key][19] for s in opened.snapshots() for p in s.packs} == {1, 2, 3}
    assert opened.tenant == "contoso"


def test_a_stranger_opens_the_wrap_and_the_file_from_the_page_alone(
    customer: Repository, memory: MemoryStorage, wrapper: LocalKeyWrapper, recovery: RecoveryKey
) -> None:
    """Sections 3.1 and 3.3, without a line of the engine."""
    file = recovery.seal(PASSPHRASE, tenant="contoso", created=CREATED, parameters=FAST)
    begin, *lines, end = file.splitlines()
    assert (begin, end) == ("-----BEGIN TENANTKEEP RECOVERY KEY-----", "-----END TENANTKEEP RECOVERY KEY-----")
    values = dict(line.split(": ", 1) for line in lines)
    head = "".join(f"{line}\n" for line in lines[:-1]).encode()
    n, r, p = (int(x) for x in re.findall(r"\d+", values["kdf"]))
    key = Scrypt(salt=base64.b64decode(values["salt"]), length=32, n=n, r=r, p=p).derive(PASSPHRASE.encode())
    private = AESGCM(key).decrypt(bytes(12), base64.b64decode(values["sealed"]), head)
    public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    assert values["public-key"] == "x25519:" + base64.b64encode(public).decode()

    wrap = wrap_of(memory)
    fingerprint = hashlib.sha256(public).hexdigest()
    assert wrap["recipient"] == fingerprint == recovery.public.fingerprint
    ephemeral = base64.b64decode(wrap["ephemeral"])
    shared = X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(ephemeral))
    kek = HKDF(SHA256(), 32, ephemeral + public, b"tenantkeep/1/recovery-wrap").derive(shared)
    aad = b"tenantkeep/1/recovery-wrap\0contoso\0" + (1).to_bytes(4, "big") + bytes.fromhex(fingerprint)
    data_key = AESGCM(kek).decrypt(bytes(12), base64.b64decode(wrap["ciphertext"]), aad)
    assert data_key == wrapper.unwrap(wrap_of(memory, kind="transit")["ciphertext"])

    proof_key = HKDF(SHA256(), 32, b"", b"tenantkeep/1/proof").derive(data_key)
    message = b"tenantkeep/1/data-key" + (1).to_bytes(4, "big") + data_key
    assert record(memory)["proof"] == hmac.digest(proof_key, message, "sha256").hex()


def test_a_repository_without_recovery_wrap_gets_one_when_it_is_opened(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, recovery: RecoveryKey
) -> None:
    repository = Repository.create(memory, wrapper, tenant="contoso")
    repository.keys.rotate(wrapper, None)
    with pytest.raises(KeyUnavailable, match="no wrap the recovery key"):
        Repository.open(memory, recovery)
    Repository.open_or_create(memory, wrapper, tenant="contoso", recovery=recovery.public)
    assert sorted(name for name in memory.objects if name.startswith("keys/")) == [
        "keys/1", "keys/1.1", "keys/2", "keys/2.1",
    ]  # fmt: skip
    before = dict(memory.objects)
    Repository.open_or_create(memory, wrapper, tenant="contoso", recovery=recovery.public)
    assert memory.objects == before
    assert Repository.open(memory, recovery).keys.records()[1].recipients == {recovery.public.fingerprint}


def test_a_replaced_recovery_key_opens_nothing_more(
    customer: Repository, memory: MemoryStorage, wrapper: LocalKeyWrapper, recovery: RecoveryKey
) -> None:
    other = RecoveryKey.generate()
    done = customer.keys.require(wrapper, other.public)
    assert (done.written, done.deleted, done.kept, done.rotated_to) == (("keys/1.1",), ("keys/1",), (), 2)
    assert Repository.open(memory, other).tenant == Repository.open(memory, wrapper).tenant == "contoso"
    with pytest.raises(KeyUnavailable):
        Repository.open(memory, recovery)
    assert customer.keys.require(wrapper, other.public).written == ()


def test_what_storage_will_not_delete_is_reported_and_tried_again(
    customer: Repository, memory: MemoryStorage, wrapper: LocalKeyWrapper
) -> None:
    other = RecoveryKey.generate()
    with FaultyStorage(memory) as locked:
        locked.plan("delete", "keys/1", StorageDenied("locked", key="keys/1"))
        repository = Repository.open(locked, wrapper)
        assert repository.keys.require(wrapper, other.public).kept == ("keys/1",)
    again = customer.keys.require(wrapper, other.public)
    assert (again.written, again.deleted, again.rotated_to) == ((), ("keys/1",), None)


def test_the_vaults_key_can_be_replaced_with_the_recovery_key(
    *, customer: Repository, memory: MemoryStorage, recovery: RecoveryKey, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    body = mail(1, attachment=1)
    first = back_up(customer, ulid(1), None, body, commit)
    fresh_vault = LocalKeyWrapper(name="tenant-contoso")
    with pytest.raises(KeyUnavailable):
        Repository.open(memory, fresh_vault)
    assert Repository.open(memory, recovery).keys.rewrap(fresh_vault).written == ("keys/1.1",)
    reopened = Repository.open_or_create(memory, fresh_vault, tenant="contoso", recovery=recovery.public)
    assert [found for _, found in reopened.read_many(reopened.items("mail/anna", first.id))] == [body]
    back_up(reopened, ulid(2), first.id, mail(2, attachment=1), commit)
    assert Repository.open(memory, recovery).keys.records()[0].recipients == {recovery.public.fingerprint}


@pytest.mark.parametrize("applied", [False, True])
def test_a_crash_while_the_recovery_key_is_replaced_loses_neither_way_in(
    *, applied: bool, wrapper: LocalKeyWrapper, recovery: RecoveryKey
) -> None:
    other, step = RecoveryKey.generate(), 0
    while True:
        memory = MemoryStorage()
        Repository.create(memory, wrapper, tenant="contoso", recovery=recovery.public)
        storage = CrashingStorage(memory)
        repository = Repository.open(storage, wrapper)
        storage.crash_in(step, applied=applied)
        try:
            repository.keys.require(wrapper, other.public)
            break
        except SimulatedCrash:
            step += 1
        Repository.open(memory, wrapper)
        Repository.open_or_create(memory, wrapper, tenant="contoso", recovery=other.public)
        Repository.open(memory, other)
        with pytest.raises(KeyUnavailable):
            Repository.open(memory, recovery)
    assert step > 8


def test_another_process_goes_on_when_its_records_were_replaced_or_a_key_was_added(
    *, customer: Repository, memory: MemoryStorage, wrapper: LocalKeyWrapper, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    lazy = Repository.open(memory, wrapper)
    lazy._backing.ring._keys.clear()  # it has listed the records and read none of them yet
    customer.keys.require(wrapper, RecoveryKey.generate().public)
    body = mail(1)
    snapshot = back_up(customer, ulid(1), None, body, commit)
    lazy.refresh()
    assert [found for _, found in lazy.read_many(lazy.items("mail/anna", snapshot.id))] == [body]


def test_two_rotations_at_once_make_one_key(
    customer: Repository, memory: MemoryStorage, wrapper: LocalKeyWrapper, recovery: RecoveryKey
) -> None:
    """The other process writes keys/2 between our listing and our put."""

    class Racing(LocalKeyWrapper):
        def new_data_key(self) -> tuple[bytes, str]:
            if "keys/2" not in memory.objects:
                customer.keys.rotate(wrapper, recovery.public)
            return wrapper.new_data_key()

    mine = Repository.open(memory, wrapper)
    assert mine.keys.rotate(Racing(), recovery.public) == 2
    assert mine._backing.ring.writing.secret == customer._backing.ring.writing.secret


def test_a_rotation_cannot_drop_the_recovery_key(
    customer: Repository, wrapper: LocalKeyWrapper, recovery: RecoveryKey
) -> None:
    for wrong in (None, RecoveryKey.generate().public):
        with pytest.raises(ValueError, match="re-wrap first"):
            customer.keys.rotate(wrapper, wrong)
    assert customer.keys.rotate(wrapper, recovery.public) == 2


def test_a_data_key_of_a_stranger_is_not_believed(
    customer: Repository, memory: MemoryStorage, recovery: RecoveryKey
) -> None:
    """The public half is public: anybody who may write can wrap a key of his own to it."""
    planted = {**record(memory), "revision": 7, "wraps": [recovery.public.wrap(b"s" * 32, "contoso", 1)]}
    memory.objects["keys/1.7"] = json.dumps(planted).encode()
    assert Repository.open(memory, recovery).tenant == "contoso"  # the older revision still opens
    wraps = [recovery.public.wrap(b"s" * 32, "contoso", 2)]
    memory.objects["keys/2"] = json.dumps({**record(memory), "key": 2, "wraps": wraps}).encode()
    with pytest.raises(IntegrityError, match="not written by a holder"):
        Repository.open(memory, recovery)._backing.ring.key(2)


@pytest.mark.parametrize(("tenant", "n"), [("fabrikam", 1), ("contoso", 2)])
def test_a_wrap_moved_to_another_tenant_or_key_does_not_open(tenant: str, n: int, recovery: RecoveryKey) -> None:
    wrap = recovery.public.wrap(bytes(32), "contoso", 1)
    assert recovery.unwrap(wrap, "contoso", 1) == bytes(32)
    with pytest.raises(KeyUnavailable, match="damaged or moved"):
        recovery.unwrap(wrap, tenant, n)


@pytest.mark.parametrize("part", ["ephemeral", "ciphertext"])
@pytest.mark.parametrize(
    "value", ["", "%%%", "AAAA", base64.b64encode(bytes(48)).decode(), base64.b64encode(bytes(32)).decode()]
)
def test_a_damaged_wrap_is_an_error_of_ours(part: str, value: str, recovery: RecoveryKey) -> None:
    wrap = {**recovery.public.wrap(bytes(32), "contoso", 1), part: value}
    with pytest.raises(KeyUnavailable, match="damaged or moved"):
        recovery.unwrap(wrap, "contoso", 1)


class TestTheFile:
    @pytest.fixture
    def file(self, recovery: RecoveryKey) -> str:
        return recovery.seal(PASSPHRASE, tenant="contoso", created=CREATED, parameters=FAST)

    def test_text_around_it_does_not_matter(self, file: str, recovery: RecoveryKey) -> None:
        windows = f"Keep this safe.\n{file}Thank you.\n".replace("\n", "\r\n")
        read = SealedRecoveryKey.parse(windows)
        assert (read.tenant, read.public, read.created) == ("contoso", recovery.public, CREATED)
        assert read.open(PASSPHRASE).public == recovery.public

    def test_a_passphrase_is_the_same_however_it_is_typed(self, recovery: RecoveryKey) -> None:
        file = recovery.seal("übermorgen früh", tenant="contoso", created=CREATED, parameters=FAST)
        decomposed = "u\u0308bermorgen fru\u0308h"
        assert SealedRecoveryKey.parse(file).open(decomposed).public == recovery.public

    @pytest.mark.parametrize("line", range(1, 8))
    def test_any_altered_line_is_noticed(self, line: int, file: str) -> None:
        lines = file.splitlines()
        name, _, value = lines[line].partition(": ")
        changed = {"version": "2", "tenant": "fabrikam", "created": "2027-03-01T12:00:00+00:00",
                   "kdf": "scrypt n=32768 r=8 p=1", "public-key": RecoveryKey.generate().public.text}  # fmt: skip
        lines[line] = f"{name}: {changed.get(name, base64.b64encode(bytes(48)).decode())}"
        assert value not in lines[line]
        with pytest.raises((KeyUnavailable, ValueError)):
            SealedRecoveryKey.parse("\n".join(lines)).open(PASSPHRASE)

    def test_a_wrong_passphrase_is_said_plainly(self, file: str) -> None:
        with pytest.raises(KeyUnavailable, match="passphrase is wrong"):
            SealedRecoveryKey.parse(file).open("wrong horse battery staple")

    @pytest.mark.parametrize(
        "kdf", ["scrypt n=1073741824 r=8 p=1", "scrypt n=16 r=8 p=1", "scrypt n=131072 r=99 p=1", "md5"]
    )
    def test_a_file_cannot_ask_for_a_weak_or_an_endless_derivation(self, kdf: str, file: str) -> None:
        with pytest.raises(ValueError, match="outside the format's limits"):
            SealedRecoveryKey.parse(file.replace(FAST.text, kdf))

    @pytest.mark.parametrize("text", ["", "hello", "-----BEGIN TENANTKEEP RECOVERY KEY-----\nversion: 1\n"])
    def test_another_file_is_named_as_such(self, text: str) -> None:
        with pytest.raises(ValueError, match="recovery key file"):
            SealedRecoveryKey.parse(text)

    def test_a_short_passphrase_is_refused(self, recovery: RecoveryKey) -> None:
        with pytest.raises(ValueError, match="at least 12"):
            recovery.seal("short", tenant="contoso", created=CREATED)

    def test_the_default_cost_is_the_documented_one(self, recovery: RecoveryKey) -> None:
        assert ScryptParameters().text in recovery.seal(PASSPHRASE, tenant="contoso", created=CREATED)
        assert ScryptParameters().text == "scrypt n=131072 r=8 p=1"

    @pytest.mark.parametrize(
        "text", ["", "x25519:", "x25519:AAAA", "rsa:" + "A" * 43 + "=", "x25519:" + "A" * 42 + "%="]
    )
    def test_what_is_no_public_key_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="recovery public key is"):
            RecoveryPublicKey.parse(text)

    @pytest.mark.parametrize("raw", [bytes(32), bytes([1]) + bytes(31)])
    def test_a_point_that_protects_nothing_is_refused(self, raw: bytes) -> None:
        with pytest.raises(ValueError, match="computing shared key"):
            RecoveryPublicKey.parse("x25519:" + base64.b64encode(raw).decode())


def test_no_key_material_is_stored_printed_or_logged(
    *,
    customer: Repository,
    memory: MemoryStorage,
    wrapper: LocalKeyWrapper,
    recovery: RecoveryKey,
    mail: Mail,
    commit: Commit,
    ulid: Ulid,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every key of a repository that was rotated, re-wrapped and hurt, looked for in every form it could leak in."""
    caplog.set_level(logging.DEBUG)
    back_up(customer, ulid(1), None, mail(1), commit)
    customer.keys.rotate(wrapper, recovery.public)
    back_up(customer, ulid(2), ulid(1), mail(2), commit)
    replacement = RecoveryKey.generate()
    customer.keys.require(wrapper, replacement.public)
    file = replacement.seal(PASSPHRASE, tenant="contoso", created=CREATED, parameters=FAST)
    ring = customer._backing.ring
    keys = [ring.key(n) for n in ring.numbers]
    planted = [part for key in keys for part in (key.secret, key.blob_id, key.data, key.meta)]
    planted += [held._private.private_bytes_raw() for held in (recovery, replacement)]
    with pytest.raises(KeyUnavailable) as refused:
        Repository.open(memory, recovery)
    sealed = SealedRecoveryKey.parse(file)
    shown = [repr(thing) for thing in (*keys, ring, customer, recovery, replacement, sealed, refused.value)]
    places = [*memory.objects.values(), file.encode(), caplog.text.encode(), *(text.encode() for text in shown)]
    assert len(planted) == 14
    for secret in planted:
        for form in (secret, secret.hex().encode(), base64.b64encode(secret), repr(secret)[2:-1].encode()):
            assert not [place for place in places if form in place]


class TestShredding:
    def test_it_names_every_key_that_opens_anything(
        self, customer: Repository, memory: MemoryStorage, wrapper: LocalKeyWrapper, recovery: RecoveryKey
    ) -> None:
        moved, other = LocalKeyWrapper(name="tenant-contoso-2"), RecoveryKey.generate()
        customer.keys.rewrap(moved)
        with FaultyStorage(memory) as locked:
            locked.plan("delete", "keys/1", StorageDenied("locked"), times=2)
            Repository.open(locked, moved).keys.require(moved, other.public)
        found = shredding.required(memory)
        assert found.transit_keys == {"tenant-contoso", "tenant-contoso-2"}
        assert found.recovery_keys == {recovery.public.fingerprint, other.public.fingerprint}

    def test_half_of_it_is_nothing(self, customer: Repository, memory: MemoryStorage, recovery: RecoveryKey) -> None:
        found = shredding.required(memory)
        transit, sealed = {"tenant-contoso"}, {recovery.public.fingerprint}
        assert found.tenant == "contoso"
        assert found.remaining(transit_keys=transit, recovery_keys=sealed) == frozenset()
        assert found.remaining(transit_keys=transit, recovery_keys=()) == {
            f"recovery key {recovery.public.fingerprint}"
        }
        assert found.remaining(transit_keys=(), recovery_keys=sealed) == {"transit key tenant-contoso"}
