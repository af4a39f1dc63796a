"""Wrote the repository in `format-1`. Kept to show how it came about; never run it over a folder that exists."""

import hashlib
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backup_engine import NewItem, Repository, Session, Snapshot, Tuning
from backup_engine.derived import PART
from backup_engine.holds import Hold, Release, Scope
from backup_engine.recovery import RecoveryKey, ScryptParameters
from backup_engine.retention import Period
from backup_engine.storage import MemoryStorage
from backup_engine.testing.keys import LocalKeyWrapper

WRAPPING_KEY = bytes(range(32))
PASSPHRASE = "correct horse battery staple"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TUNING = Tuning(pack_size=64 << 10, merge_above=3, compressors=0, uploaders=0)


def ulid(n: int) -> str:
    return f"01ARZ3NDEKTSV4RRFFQ{n:07d}"


def mail(n: int, attachment: int | None = None) -> bytes:
    head = b"From: anna@contoso.example\r\nSubject: mail %d\r\nMIME-Version: 1.0\r\n" % n
    if attachment is None:
        return head + b"\r\nA short one.\r\n"
    line = hashlib.sha256(b"%d" % attachment).hexdigest()[:62].encode() + b"AAAAAAAAAAAAAA\r\n"
    return (
        head + b'Content-Type: multipart/mixed; boundary="=_b"\r\n\r\n--=_b\r\nContent-Type: text/plain\r\n\r\n'
        b"See attachment.\r\n--=_b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + line * 100 + b"--=_b--\r\n"
    )  # fmt: skip


def file() -> bytes:
    """A little over 1 MiB, so that it is cut by content; it compresses well."""
    return b"".join(b"%011d\n" % (n // 64) for n in range(100_000))


class Writer:
    def __init__(self) -> None:
        self.storage = MemoryStorage()
        self.wrapper = LocalKeyWrapper(WRAPPING_KEY)
        self.recovery = RecoveryKey.generate()
        self.repository = Repository.create(
            self.storage, self.wrapper, tenant="contoso", recovery=self.recovery.public, tuning=TUNING
        )
        self._sessions = 0

    def begin(self, shard: str, parent: Snapshot | None = None, adopt: str | None = None) -> Session:
        self._sessions += 1
        parent_id = None if parent is None else parent.id
        return self.repository.open_session(shard, ulid(self._sessions), parent=parent_id, adopt=adopt)

    def commit(self, session: Session, keep: timedelta = 3650 * DAY) -> Snapshot:
        taken = START + self._sessions * DAY
        with session:
            return session.commit(
                b"cursor",
                listed=9,
                skipped=[],
                failed=[],
                taken_at=taken,
                expires_at=taken + keep,
                label="anna@contoso.example",
            )

    def write(self) -> None:
        self.repository.custody.set_floor(Period.parse("30d"), by="operator", at=START)
        last = self._mailbox()
        self._calendar()
        self._taken_over(last)
        self._custody(last)
        self._checked(last)
        for days in (400, 401):
            self.repository.maintain(START + days * DAY, grace=timedelta(0))
        with self.begin("mail/ben") as unfinished:
            unfinished.put_item(NewItem("b1", "mail", "1", ""), mail(50, 50))
            unfinished.checkpoint(b"half")

    def _mailbox(self) -> Snapshot:
        session = self.begin("mail/anna")
        session.put_record("inbox", "folder", "1", "", {"name": "Posteingang", "hidden": False})
        for n in range(6):
            session.put_item(NewItem(f"m{n}", "mail", "1", "inbox", {"read": False, "n": n}), mail(n, n % 3))
        session.checkpoint(b"half")
        session.put_item(NewItem("short", "mail", "1", "inbox"), mail(9))
        session.put_item(NewItem("empty", "mail", "1", "inbox"), b"")
        session.put_stream(NewItem("file", "file", "1", "inbox", {"name": "liste ä.txt"}), [file()])
        last = self.commit(session, keep=31 * DAY)  # expired when the collector comes
        self.repository.keys.rotate(self.wrapper, self.recovery.public)
        for n in range(5):
            session = self.begin("mail/anna", last)
            session.put_item(NewItem(f"m{10 + n}", "mail", "1", "inbox"), mail(10 + n, n % 4))
            session.update_meta("m1", str(n), "inbox", {"read": True, "n": n})
            session.remove(f"m{n + 2}")
            last = self.commit(session)
        return last

    def _calendar(self) -> None:
        last = None
        for n in range(18):  # enough index objects for a collector to merge
            session = self.begin("calendar/anna", last)
            for m in range(3):
                event = json.dumps({"subject": f"Jour fixe {n}-{m}", "day": n}).encode()
                session.put_page_item(NewItem(f"e{n:02d}{m}", "event", "1", "calendar"), event)
            last = self.commit(session)

    def _taken_over(self, last: Snapshot) -> None:
        dead = self.begin("mail/anna", last)
        dead.put_item(NewItem("adopted", "mail", "1", "inbox"), mail(40, 40))
        dead.checkpoint(b"half")
        dead.abort()
        session = self.begin("mail/anna", last, adopt=dead.id)
        session.put_item(NewItem("after", "mail", "1", "inbox"), mail(41))
        self.commit(session)

    def _custody(self, last: Snapshot) -> None:
        custody = self.repository.custody
        for n, scope in ((900, Scope("mail/anna", last.id)), (901, Scope("mail/anna"))):
            custody.place_hold(Hold(ulid(n), scope, "litigation", "operator", START + 40 * DAY))
        custody.release_hold(ulid(901), Release("operator", START + 41 * DAY, "settled"))

    def _checked(self, last: Snapshot) -> None:
        checks = self.repository.checks
        checks.attest(last, [self.repository.verify("mail/anna", last.id, 0)], at=START + 42 * DAY)
        # A segment nobody needs that cannot be read: a damage record names it.
        self.storage.put(f"manifests/mail/anna/{ulid(1)}-000099-000000", b"rubbish" * 20)
        checks.rolling(at=START + 43 * DAY, session=ulid(902))

    def expected(self) -> dict[str, object]:
        repository = self.repository
        points = [
            {
                "shard": point.shard,
                "id": point.id,
                "items": {
                    row.key: [
                        row.kind,
                        row.version,
                        row.parent,
                        dict(row.meta),
                        row.size,
                        row.sha256 and row.sha256.hex(),
                    ]
                    for row in repository.items(point.shard, point.id)
                },
            }
            for point in repository.snapshots()
        ]
        ring = repository._backing.ring
        return {
            "tenant": "contoso",
            "wrapping_key": WRAPPING_KEY.hex(),
            "data_keys": {str(n): ring.key(n).secret.hex() for n in ring.numbers},
            "passphrase": PASSPHRASE,
            "recovery_key": self.recovery.seal(
                PASSPHRASE, tenant="contoso", created=START, parameters=ScryptParameters(n=1 << 14)
            ),
            "points": points,
            "objects": {name: hashlib.sha256(body).hexdigest() for name, body in sorted(self.storage.objects.items())},
        }


def write_derived(folder: Path) -> None:
    """A derived file of two versions that share a part (section 22)."""
    writer = Writer()
    derived = writer.repository.derived
    shared = bytes(PART)
    derived.store("search", "box/anna", ulid(1), io.BytesIO(shared + b"old"), [ulid(900)])
    derived.store("search", "box/anna", ulid(2), io.BytesIO(shared + b"new"), [ulid(900), ulid(901)])
    _write_objects(folder, writer, "derived/")
    said = {
        "data_keys": _data_keys(writer),
        "newest": f"derived/search/box/anna/{ulid(2)}",
        "snapshots": [ulid(900), ulid(901)],
        "sha256": hashlib.sha256(shared + b"new").hexdigest(),
    }
    (folder / "derived.json").write_text(json.dumps(said, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def write_documents(folder: Path) -> None:
    """Two versions of what a service could not rebuild, and one of another service (section 21)."""
    writer = Writer()
    documents = writer.repository.documents
    said = {
        "backup-service": [{"targets": [{"id": "t1", "name": "Ablage ä"}]}, {"targets": []}],
        "token-service": [{"tenant": "contoso", "profiles": []}],
    }
    for service, versions in said.items():
        for n, document in enumerate(reversed(versions)):
            documents.put(service, ulid(n), document)
    _write_objects(folder, writer, "")
    facts = {"data_keys": _data_keys(writer), "wrapping_key": WRAPPING_KEY.hex(), "newest_first": said}
    text = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / "documents.json").write_text(text + "\n", encoding="utf-8")


def _write_objects(folder: Path, writer: Writer, prefix: str) -> None:
    for name, body in writer.storage.objects.items():
        if name.startswith(prefix):
            path = folder / "objects" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)


def _data_keys(writer: Writer) -> dict[str, str]:
    ring = writer.repository._backing.ring
    return {str(n): ring.key(n).secret.hex() for n in ring.numbers}


PARTS = {"derived": write_derived, "documents": write_documents}


def main(folder: Path) -> None:
    folder.mkdir()
    writer = Writer()
    writer.write()
    _write_objects(folder, writer, "")
    text = json.dumps(writer.expected(), indent=1, ensure_ascii=False, sort_keys=True)
    (folder / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] in PARTS:
        PARTS[sys.argv[1]](Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]))
