"""The objects of a session that has committed: nobody needs them, and a few hundred bytes left behind are harmless."""

import logging
from collections.abc import Iterable
from functools import partial

from backup_engine import names
from backup_engine.backing import Backing
from backup_engine.errors import ObjectLocked, RepositoryError
from backup_engine.pools import side_by_side

_log = logging.getLogger(__name__)


def remove(backing: Backing, session: str, checkpoints: int, dead: Iterable[str]) -> None:
    """Remove those of `session`, which made so many checkpoints, and of the sessions it took over."""
    storage, at_once = backing.storage, backing.tuning.uploaders
    own = [names.intent(session), *(names.checkpoint(session, n) for n in range(checkpoints))]
    try:
        side_by_side([partial(storage.delete, name) for name in own], at_once)
        storage.delete(names.session_open(session))  # last: what is left without it belongs to nobody
        for taken_over in dead:
            for info in list(storage.list(names.session_objects(taken_over))):
                storage.delete(info.key)
    except ObjectLocked:
        pass  # an account that may only add: who may delete collects them
    except RepositoryError:
        _log.warning("session objects left behind after commit", extra={"session": session}, exc_info=True)
