"""Back up the folder drive/ of the tree: what a mailbox's backup does, for files, which have no use case yet."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from backup_engine import Repository
from backup_engine.model import NewItem
from backup_engine.session import Session
from backup_service.domain.jobs import Claim
from chassis.clock import Clock

FILE = "file"
_PIECE = 64 << 10  # bytes, as they arrive from Graph


def back_up_drive(drive: Path, repository: Repository, claim: Claim, clock: Clock) -> str:
    """One restore point of the files, verified at levels 0 and 1; its id."""
    parent = repository.newest(claim.shard)
    session = repository.open_session(claim.shard, claim.session, parent=None if parent is None else parent.id)
    files = {path.name: path for path in sorted(drive.iterdir())}
    for name, path in files.items():
        _store(session, name, path)
    for gone in [row.key for row in session.keys(FILE) if row.key not in files]:
        session.remove(gone)
    if session.unsaved:
        session.checkpoint(b"{}")
    now = clock.now()
    snapshot = session.commit(
        b"{}", listed=len(files), skipped=[], failed=[], taken_at=now, expires_at=now + timedelta(days=30)
    )
    for report in session.verify():
        assert report.good, report.problems
    return snapshot.id


def _store(session: Session, name: str, path: Path) -> None:
    stat = path.stat()
    version = f"{stat.st_mtime_ns:x}/{stat.st_size:x}"
    known = session.known(name)
    if known is None or known.version != version:
        session.put_stream(NewItem(name, FILE, version, "", {"name": name}), _pieces(path))


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
