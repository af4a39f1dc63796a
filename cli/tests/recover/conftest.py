"""A repository of two mailboxes, made by the engine, with a recovery key file; the vault of it is gone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from backup_engine import NewItem, RecoveryKey, Repository
from backup_engine.recovery import ScryptParameters
from backup_engine.storage import LocalStorage, Storage
from backup_engine.testing.keys import LocalKeyWrapper
from tenantkeep.main import app

PASSPHRASE = "correct horse battery staple"
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
MAILS = {f"m{n}": f"Subject: mail {n}\r\n\r\nbody {n}\r\n".encode() for n in range(5)}


@dataclass(frozen=True)
class Lost:
    """Everything is gone but this."""

    folder: Path
    key: Path
    points: dict[str, list[str]]

    @property
    def url(self) -> str:
        return f"file://{self.folder}"


@pytest.fixture(scope="session")
def recovery() -> RecoveryKey:
    return RecoveryKey.generate()


@pytest.fixture
def passphrase() -> str:
    return PASSPHRASE


@pytest.fixture
def key_file(tmp_path: Path, recovery: RecoveryKey) -> Path:
    file = tmp_path / "contoso.recovery-key"
    cheap = ScryptParameters(n=1 << 14)
    file.write_text("Keep me safe.\n" + recovery.seal(PASSPHRASE, tenant="contoso", created=NOW, parameters=cheap))
    return file


def fill(storage: Storage, recovery: RecoveryKey) -> dict[str, list[str]]:
    """Two restore points of Anna, one of Bert; the data key is rotated in between."""
    wrapper = LocalKeyWrapper()
    repository = Repository.create(storage, wrapper, tenant="contoso", recovery=recovery.public)
    points: dict[str, list[str]] = {"anna": [], "bert": []}
    for n, name in enumerate(("anna", "bert", "anna")):
        session_id = f"01ARZ3NDEKTSV4RRFFQ{n:07d}"
        parent = points[name][-1] if points[name] else None
        with repository.open_session(f"c1/id-of-{name}", session_id, parent=parent) as session:
            session.put_record("inbox", "folder", "", "", {"name": "Inbox"})
            session.put_record("offers", "folder", "", "inbox", {"name": "Offers"})
            for key, body in list(MAILS.items())[: 3 + n]:
                folder = "offers" if key == "m1" else "inbox"
                session.put_item(NewItem(key, "mail", "1", folder, {"receivedDateTime": "2026-03-02T08:00:00Z"}), body)
            session.commit(
                b"cursor",
                listed=3 + n,
                skipped=[],
                failed=[],
                taken_at=NOW + timedelta(days=n),
                expires_at=NOW + timedelta(days=90),
                label=f"{name}@contoso.example",
            )
        points[name].append(session_id)
        repository.documents.put("token-service", session_id, {"tenant": "contoso", "version": n})
        repository.keys.rotate(wrapper, recovery.public)
    return points


@pytest.fixture
def lost(tmp_path: Path, recovery: RecoveryKey, key_file: Path) -> Lost:
    folder = tmp_path / "bucket"
    return Lost(folder, key_file, fill(LocalStorage(folder / "contoso"), recovery))


Run = Callable[..., Result]


@pytest.fixture
def recover(lost: Lost, tmp_path: Path) -> Run:
    """`tenantkeep recover` on the lost repository, with whatever options come before the command."""

    def run(*arguments: str, options: tuple[str, ...] | None = None, passphrase: str | None = PASSPHRASE) -> Result:
        given = ("--storage", lost.url, "--key", str(lost.key)) if options is None else options
        environment = {
            "TENANTKEEP_HOME": str(tmp_path / "nothing"),
            "TENANTKEEP_RECOVERY_PASSPHRASE": passphrase,
            "LC_ALL": None,
            "LC_MESSAGES": None,
            "LANG": "C.UTF-8",
        }
        return CliRunner().invoke(app, ["recover", *given, *arguments], env=environment)

    return run


@pytest.fixture
def fill_storage() -> Callable[[Storage, RecoveryKey], dict[str, list[str]]]:
    return fill
