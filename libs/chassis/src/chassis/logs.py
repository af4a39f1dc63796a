"""Structured logs: one JSON object a line on standard output, without secrets.

A message is a constant sentence, facts are fields: `log.info("job claimed", job=job.id, attempt=2)`. What libraries
log through the standard library goes the same way.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from contracts.redaction import masked, redacted

_CHATTY = ("httpx", "httpcore", "pymongo", "motor", "asyncio", "uvicorn", "faststream", "nats")
"""Libraries whose routine messages tell of every request (and, at debug, of its content)."""

_SILENT = ("msal",)
"""Debug lines of it hold code and code verifier, warnings claims, errors whole answers; what matters it returns."""


def configure(level: str, service: str) -> None:
    """Set up logging for the process; calling it again replaces the earlier set-up. `level` as the setting."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,  # never with locals: they hold secrets
                _redact,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    logging.captureWarnings(capture=True)


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Put `tenant`, `job`, `session` and the like on every line logged inside, in this task and those it starts."""
    with structlog.contextvars.bound_contextvars(**fields):
        yield


def _named(service: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {masked(name): redacted(value, name) for name, value in event.items()}
