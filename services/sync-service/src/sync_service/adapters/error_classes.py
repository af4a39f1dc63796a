"""The one place that maps errors of libraries to our error classes and their effects."""

import structlog

from chassis import vault
from chassis.outages import is_outage
from contracts.errors import ErrorClass
from contracts.names import HoldReason
from graph_client import errors as graph
from sync_service.ports import CursorExpired, Holding, Retrying, Verdict

log = structlog.get_logger(__name__)

_LONGEST_HOLD = 600.0


class Judgement:
    """Callable as ports.Judge. `recheck` is how often (seconds) a held run looks whether its cause has gone."""

    def __init__(self, recheck: float) -> None:
        self._recheck = recheck

    def __call__(self, error: Exception) -> Verdict:
        match error:
            case graph.Throttled():
                return self._holding(HoldReason.TENANT_THROTTLED, error, error.after)
            case graph.TokenUnavailable() | graph.Unauthorized():
                return self._holding(HoldReason.NO_VALID_TOKEN, error)
            case graph.Forbidden():
                return self._holding(HoldReason.CONSENT_LOST, error)
            case vault.VaultUnreachable():
                return self._holding(HoldReason.VAULT_UNREACHABLE, error)
        return _retrying(error)

    def _holding(self, reason: HoldReason, error: Exception, recheck: float = 0.0) -> Holding:
        return Holding(reason, str(error), min(max(recheck, self._recheck), _LONGEST_HOLD))


def _retrying(error: Exception) -> Verdict:
    match error:
        case graph.Unreachable() | graph.BadResponse() | graph.DeltaLoop():
            return Retrying(ErrorClass.CONNECTION_TIMEOUT, str(error))
        case CursorExpired():
            return Retrying(ErrorClass.CONNECTION_TIMEOUT, "Microsoft 365 voids change tracking again and again")
        case vault.VaultError():
            return Retrying(ErrorClass.VAULT_UNREACHABLE, str(error))
    if is_outage(error):
        # The bus or the documents: there is no place to hold the run in; its lease ends, and somebody takes it up.
        raise error
    log.error("a sync met a defect; it is tried again and then fails as internal", exc_info=error)
    told = str(error) if isinstance(error, graph.GraphError) else type(error).__name__
    return Retrying(ErrorClass.INTERNAL, told)
