"""Sessions that store blobs without ever committing: a rewriting, a repair (format, section 18)."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from backup_engine import names
from backup_engine.backing import Backing
from backup_engine.errors import ObjectLocked
from backup_engine.header import Kind

SHARD = ""  # what their `open` names: no shard of anybody


@contextmanager
def upkeep_session(backing: Backing, session: str) -> Iterator[None]:
    """Under the fresh ULID `session`, packs belong to somebody until an index object names them.

    A collector leaves them alone meanwhile. What a crash leaves behind, or an account that may only add, is garbage: a
    collector that may delete gives the session up when it is old enough.
    """
    opened = {"shard": SHARD, "parent": None, "adopts": None}
    backing.objects.put(names.session_open(session), Kind.SESSION_OPEN, opened)
    yield
    with suppress(ObjectLocked):
        backing.storage.delete(names.session_open(session))
