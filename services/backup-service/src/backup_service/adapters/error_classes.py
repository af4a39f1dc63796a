"""The one place that maps errors of libraries to our error classes and their effects."""

import asyncio

import structlog

import backup_engine.errors as engine
from backup_service.domain.jobs import HandedBack, Held, Outcome, Retried, failed
from chassis import vault
from chassis.outages import is_outage
from contracts.errors import ErrorClass
from contracts.names import HoldReason
from contracts.problem import ProblemError
from graph_client import errors as graph

log = structlog.get_logger()

_LONGEST_HOLD = 600.0

_GRAPH_HOLDS: tuple[tuple[type[graph.GraphError], HoldReason], ...] = (
    (graph.TokenUnavailable, HoldReason.NO_VALID_TOKEN),
    (graph.Unauthorized, HoldReason.NO_VALID_TOKEN),
    (graph.Forbidden, HoldReason.CONSENT_LOST),
    (graph.Unreachable, HoldReason.GRAPH_UNREACHABLE),
)


class Judgement:
    """Callable as ports.Judge. `recheck` is how often (seconds) a held job looks whether its cause has gone."""

    def __init__(self, recheck: float) -> None:
        self._recheck = recheck

    def __call__(self, error: Exception) -> Outcome:
        return self._of_graph(error) or self._of_storage(error) or self._of_vault(error) or _defect(error)

    def _held(self, reason: HoldReason, error: Exception, recheck: float | None = None) -> Held:
        return Held(reason, str(error), min(max(recheck or 0.0, self._recheck), _LONGEST_HOLD))

    def _of_graph(self, error: Exception) -> Outcome | None:
        if isinstance(error, graph.Throttled):
            return self._held(HoldReason.TENANT_THROTTLED, error, error.after)
        if isinstance(error, graph.NotFound):
            return failed(ErrorClass.NOT_FOUND, str(error))
        for kind, reason in _GRAPH_HOLDS:
            if isinstance(error, kind):
                return self._held(reason, error)
        return Retried(ErrorClass.INTERNAL, str(error)) if isinstance(error, graph.GraphError) else None

    def _of_storage(self, error: Exception) -> Outcome | None:
        match error:
            case engine.StorageUnreachable():
                return self._held(HoldReason.STORAGE_UNREACHABLE, error)
            case engine.StorageDenied():
                return failed(ErrorClass.STORAGE_DENIED, str(error))
            case engine.LockUnsupported():
                return failed(ErrorClass.STORAGE_DENIED, str(error))
            case engine.ObjectLocked():
                return Retried(ErrorClass.STORAGE_DENIED, str(error))
            case engine.NotFound() | engine.IntegrityError() | engine.FormatUnsupported() | engine.KeyUnavailable():
                return failed(ErrorClass.INTEGRITY, str(error))
        return None

    def _of_vault(self, error: Exception) -> Outcome | None:
        if isinstance(error, vault.VaultUnreachable):
            return self._held(HoldReason.VAULT_UNREACHABLE, error)
        if isinstance(error, vault.VaultError):
            return Retried(ErrorClass.VAULT_UNREACHABLE, str(error))
        return None


def _defect(error: Exception) -> Outcome:
    if isinstance(error, ProblemError):
        # What the job needs, such as its storage target, is not among what people created.
        return failed(ErrorClass.NOT_FOUND, str(error))
    if is_outage(error):
        # The bus or the documents: without them there is no place to hold a job in, and no attempt is to blame.
        return HandedBack()
    if isinstance(error, TimeoutError | asyncio.TimeoutError | OSError):
        return Retried(ErrorClass.CONNECTION_TIMEOUT, f"{type(error).__name__}: {error}")
    log.error("job met a defect; it is tried again and then fails as internal", exc_info=error)
    return Retried(ErrorClass.INTERNAL, f"{type(error).__name__}: {error}")
