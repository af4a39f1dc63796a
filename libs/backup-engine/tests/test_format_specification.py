"""A second reader, written from docs/reference/repository-format.md alone: it shares no code with the engine."""

import hashlib
import hmac
import json
import random
import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgpack
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backup_engine import NewItem, Repository, Snapshot
from backup_engine.holds import Hold, Release, Scope
from backup_engine.retention import Period
from backup_engine.storage import MemoryStorage
from backup_engine.testing.keys import LocalKeyWrapper

FILE = random.Random(1).randbytes(3 << 20)


def hkdf(key: bytes, info: str, salt: bytes = b"") -> bytes:
    return HKDF(SHA256(), 32, salt, info.encode()).derive(key)


def fields(head: bytes) -> tuple[Any, ...]:
    """Section 2: magic, version, aead, id, kdf, codec, kind, zero, key, zeros, salt."""
    return struct.unpack(">8sHBBBBBBI12s32s", head)


class SpecificationReader:
    def __init__(self, objects: dict[str, bytes], wrapper: LocalKeyWrapper) -> None:
        self.objects = objects
        record = json.loads(objects["keys/1"])
        self.key = wrapper.unwrap(record["wraps"][0]["ciphertext"])

    def sealed(self, name: str, kind: int) -> dict[str, Any]:
        body = self.objects[name]
        magic, version, aead, ident, kdf, codec, found, zero, key, zeros, salt = fields(body[:64])
        assert (magic, version, aead, ident, kdf) == (b"TKSEAL\0\0", 1, 1, 1, 1)
        assert (found, zero, key, zeros) == (kind, 0, 1, bytes(12))
        object_key = hkdf(hkdf(self.key, "tenantkeep/1/meta"), "tenantkeep/1/object", salt)
        plain = AESGCM(object_key).decrypt(bytes(12), body[64:], body[:64] + name.encode())
        return msgpack.unpackb(zstandard.decompress(plain) if codec else plain)

    def pack(self, name: str) -> dict[bytes, bytes]:
        body = self.objects[name]
        head = body[:64]
        magic, *_, kind, _, key, _, salt = fields(head)
        assert (magic, kind, key) == (b"TKPACK\0\0", 0, 1)
        assert name.endswith("-" + hashlib.sha256(body).hexdigest())
        (length,) = struct.unpack(">I", body[-4:])
        assert body[-68:-4] == head
        digest = hashlib.sha256(head).digest()
        aead = AESGCM(hkdf(hkdf(self.key, "tenantkeep/1/data"), "tenantkeep/1/pack", salt))
        trailer = aead.decrypt(b"\xff" * 12, body[-68 - length : -68], digest + b"trailer")
        directory = zstandard.decompress(trailer)
        blobs = {}
        position = 64
        for i, (ident, offset, stored, size, codec) in enumerate(struct.iter_unpack(">32sIIIB3x", directory)):
            assert offset == position
            position += stored
            record = body[offset : offset + stored]
            coded = aead.decrypt(i.to_bytes(12, "big"), record, digest + ident + bytes([codec]))
            blob = zstandard.decompress(coded) if codec else coded
            assert len(blob) == size
            assert hmac.digest(hkdf(self.key, "tenantkeep/1/id"), blob, "sha256") == ident
            blobs[ident] = blob
        assert position == len(body) - 68 - length
        return blobs

    def rows(self, segments: list[str]) -> dict[str, list[Any]]:
        """Section 7: newest first wins."""
        rows: dict[str, bytes | None] = {}
        for name in segments:
            segment = self.sealed(name, 3)
            assert [row[0] for row in segment["rows"]] == sorted(row[0] for row in segment["rows"])
            for key, row in segment["rows"]:
                rows.setdefault(key, row)
        return {key: msgpack.unpackb(row) for key, row in rows.items() if row is not None}

    def blobs(self) -> dict[bytes, bytes]:
        """Section 6, every pack any delta names."""
        blobs: dict[bytes, bytes] = {}
        deltas = [self.sealed(name, 2) for name in self.objects if name.startswith("index/")]
        for pack in [pack for delta in deltas for pack in delta["packs"]]:
            body = self.objects[pack["name"]]
            assert (pack["size"], pack["header"]) == (len(body), body[:64])
            found = self.pack(pack["name"])
            assert [blob[0] for blob in struct.iter_unpack(">32s16x", pack["blobs"])] == list(found)
            blobs |= found
        return blobs

    def restore(self, shard: str, session: str) -> dict[str, tuple[str, bytes | None]]:
        blobs = self.blobs()
        restored = {}
        snapshot = self.sealed(f"snapshots/{shard}/{session}", 4)
        for key, (_, _, _, meta, size, sha256, recipe) in self.rows(snapshot["segments"]).items():
            body = None
            if recipe is not None:
                slices = struct.iter_unpack(">32sII", recipe)
                body = b"".join(blobs[ident][offset : offset + length] for ident, offset, length in slices)
                assert (len(body), hashlib.sha256(body).digest()) == (size, sha256)
            restored[key] = (meta, body)
        return restored


def test_the_specification_alone_suffices_to_restore(
    repository: Repository,
    memory: MemoryStorage,
    wrapper: LocalKeyWrapper,
    mail: Callable[..., bytes],
    commit: Callable[..., Snapshot],
) -> None:
    first, second = "01ARZ3NDEKTSV4RRFFQ0000001", "01ARZ3NDEKTSV4RRFFQ0000002"
    with repository.open_session("mail/anna", first, parent=None) as session:
        session.put_record("inbox", "folder", "1", "", {"b": 1, "a": "ä"})
        for n in range(20):
            session.put_item(NewItem(f"m{n:02d}", "mail", "1", "inbox", {"n": n}), mail(n, attachment=n % 7))
        session.checkpoint(b"half")
        session.put_item(NewItem("raw", "mail", "1", "inbox", {}), bytes(range(256)) * 3)
        session.put_stream(NewItem("file", "file", "1", "inbox", {}), [FILE[:1_000_000], FILE[1_000_000:]])
        for n in range(3):
            session.put_page_item(NewItem(f"event{n}", "event", "1", "inbox", {}), b'{"event":%d}' % n)
        commit(session)
    with repository.open_session("mail/anna", second, parent=first) as session:
        session.remove("m03")
        session.update_meta("m04", "2", "inbox", {"n": 400})
        commit(session, failed=[])
    reader = SpecificationReader(memory.objects, wrapper)
    config = reader.sealed("config", 1)
    assert (config["tenant"], config["part_min"], config["blob_max"]) == ("contoso", 6144, 4194304)
    assert config["flags"] == []
    assert (config["chunk_above"], config["chunk"]) == (1 << 20, [512 << 10, 1 << 20, 8 << 20])
    assert (config["chunk_large_from"], config["chunk_large"]) == (1 << 30, [1 << 20, 2 << 20, 8 << 20])
    assert (config["page_items"], config["page_bytes"]) == (32, 128 << 10)
    restored = reader.restore("mail/anna", second)
    expected = {f"m{n:02d}": (f'{{"n":{n}}}', mail(n, attachment=n % 7)) for n in range(20) if n != 3}
    expected["m04"] = ('{"n":400}', expected["m04"][1])
    expected["inbox"] = ('{"a":"ä","b":1}', None)
    expected["raw"] = ("{}", bytes(range(256)) * 3)
    expected["file"] = ("{}", FILE)
    expected |= {f"event{n}": ("{}", b'{"event":%d}' % n) for n in range(3)}
    assert restored == expected
    snapshot = reader.sealed(f"snapshots/mail/anna/{second}", 4)
    assert (snapshot["parent"], snapshot["complete"], snapshot["items"]) == (first, True, 24)
    assert set(snapshot) == {
        "shard", "session", "parent", "segments", "cursor", "nonce", "taken_at", "expires_at", "complete", "listed",
        "items", "bytes", "changed", "removed", "stored_bytes", "packs", "failed", "skipped", "engine",
        "content", "label", "retention_class", "locked_until",
    }  # fmt: skip
    lines = [
        json.dumps(
            {"key": key, "kind": kind, "meta": json.loads(meta), "parent": parent, "size": size,
             "sha256": sha256 and sha256.hex()},
            sort_keys=True, separators=(",", ":"), ensure_ascii=False,
        ) + "\n"
        for key, (kind, _, parent, meta, size, sha256, _) in sorted(reader.rows(snapshot["segments"]).items())
    ]  # fmt: skip
    assert snapshot["content"] == hashlib.sha256("".join(lines).encode()).digest()
    assert (snapshot["taken_at"], len(snapshot["nonce"])) == ("2026-03-01T12:00:00+00:00", 16)


def test_checkpoints_tombstones_and_openings_are_as_specified(
    repository: Repository, memory: MemoryStorage, wrapper: LocalKeyWrapper, mail: Callable[..., bytes]
) -> None:
    first, second = "01ARZ3NDEKTSV4RRFFQ0000001", "01ARZ3NDEKTSV4RRFFQ0000002"
    dead = repository.open_session("box", first, parent=None)
    dead.put_item(NewItem("m", "mail", "1", ""), mail(1))
    (pack,) = dead.checkpoint(b"cursor").packs
    dead.abort()
    repository.open_session("box", second, parent=None, adopt=first).abort()
    reader = SpecificationReader(memory.objects, wrapper)
    assert reader.sealed(f"sessions/{second}/open", 6) == {"shard": "box", "parent": None, "adopts": first}
    assert reader.sealed(f"sessions/{first}/ckpt-000000", 7) == {
        "shard": "box",
        "parent": None,
        "segments": [f"manifests/box/{first}-000000-000000"],
        "cursor": b"cursor",
        "changed": 1,
        "removed": 0,
        "stored_bytes": pack.size,
        "packs": [[pack.key, pack.size]],
    }
    assert reader.sealed(f"snapshots/box/{first}", 5) == {"session": first, "fenced_by": second}


def test_every_guard_the_page_names_exists() -> None:
    here = Path(__file__).parent
    page = (here.parents[2] / "docs/reference/repository-format.md").read_text()
    guards = re.findall(r"(test_\w+\.py)(?:::(\w+))?", page)
    assert len(guards) >= 10
    for file, test in guards:
        assert f"def {test}" in (here / file).read_text() if test else (here / file).exists(), (file, test)


def test_floor_and_holds_are_what_the_specification_says(
    repository: Repository, memory: MemoryStorage, wrapper: LocalKeyWrapper, ulid: Callable[[int], str]
) -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    repository.custody.set_floor(Period.parse("1y"), by="anna", at=at)
    repository.custody.place_hold(Hold(ulid(1), Scope("mail/anna"), "lawsuit", "anna", at))
    repository.custody.release_hold(ulid(1), Release("bert", at, "settled"))
    reader = SpecificationReader(memory.objects, wrapper)
    moment = "2026-03-01T12:00:00+00:00"
    assert reader.sealed("policies/00000001", 14) == {"period": "1y", "set_by": "anna", "set_at": moment}
    assert reader.sealed(f"holds/{ulid(1)}", 11) == {
        "shard": "mail/anna", "snapshot": None, "reason": "lawsuit", "by": "anna", "at": moment,
    }  # fmt: skip
    assert reader.sealed(f"holds/{ulid(1)}-released", 11) == {"by": "bert", "at": moment, "reason": "settled"}
