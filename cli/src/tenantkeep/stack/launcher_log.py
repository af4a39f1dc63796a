"""The launcher's own log: every start, death and restart, in logs/launcher.log."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler

from tenantkeep.stack.home import Home

_BYTES = 1024 * 1024
_QUIET = ("httpx", "httpcore", "asyncio", "pymongo", "circus")


@contextmanager
def launcher_log(home: Home) -> Iterator[None]:
    """Send this process' log lines to the file and nowhere else (the terminal belongs to the display)."""
    handler = RotatingFileHandler(home.log("launcher"), maxBytes=_BYTES, backupCount=1, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    before, level = root.handlers, root.level
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.handlers, root.level = before, level
        handler.close()
