"""Every error of the libraries has the outcome that the product's error table promises."""

import inspect
from typing import Any

import pytest
from pymongo.errors import AutoReconnect, ServerSelectionTimeoutError

import backup_engine.errors as engine
from backup_service.adapters.error_classes import Judgement
from backup_service.domain.jobs import Finished, HandedBack, Held, Retried
from chassis import vault
from chassis.bus import BusUnreachable
from contracts.errors import ErrorClass
from contracts.names import HoldReason, JobState
from contracts.problem import not_found
from graph_client import errors as graph

E, H = ErrorClass, HoldReason
RECHECK = 10.0

TABLE: list[tuple[Exception, tuple[str, Any]]] = [
    (graph.TokenUnavailable("expired"), ("held", H.NO_VALID_TOKEN)),
    (graph.Unauthorized("401 twice"), ("held", H.NO_VALID_TOKEN)),
    (graph.Forbidden("consent is gone"), ("held", H.CONSENT_LOST)),
    (graph.Throttled(60.0), ("held", H.TENANT_THROTTLED)),
    (graph.Unreachable("no answer"), ("held", H.GRAPH_UNREACHABLE)),
    (graph.NotFound("user deleted"), ("failed", E.NOT_FOUND)),
    (graph.ResyncRequired("twice"), ("retried", E.INTERNAL)),
    (graph.ItemUnreadable("outside an item"), ("retried", E.INTERNAL)),
    (graph.DeltaLoop("loop"), ("retried", E.INTERNAL)),
    (graph.BodyTooLarge("huge"), ("retried", E.INTERNAL)),
    (graph.Refused("400"), ("retried", E.INTERNAL)),
    (graph.BadResponse("odd"), ("retried", E.INTERNAL)),
    (graph.GraphError("base"), ("retried", E.INTERNAL)),
    (engine.StorageUnreachable("away"), ("held", H.STORAGE_UNREACHABLE)),
    (engine.StorageDenied("key revoked"), ("failed", E.STORAGE_DENIED)),
    (engine.IntegrityError("bit rot"), ("failed", E.INTEGRITY)),
    (engine.NotFound("an object the repository needs"), ("failed", E.INTEGRITY)),
    (engine.FormatUnsupported("newer"), ("failed", E.INTEGRITY)),
    (engine.KeyUnavailable("lost"), ("failed", E.INTEGRITY)),
    (engine.KeyMissing("no keys/2"), ("failed", E.INTEGRITY)),
    (engine.StorageFull("no room"), ("held", H.STORAGE_UNREACHABLE)),
    (engine.ObjectLocked("until 2036"), ("retried", E.STORAGE_DENIED)),
    (engine.LockUnsupported("no locks"), ("failed", E.STORAGE_DENIED)),
    (engine.NotPrepared("no folders"), ("failed", E.STORAGE_DENIED)),
    (engine.InvalidRetention("3 fortnights"), ("retried", E.INTERNAL)),
    (engine.AlreadyExists("met an object"), ("retried", E.INTERNAL)),
    (engine.StorageError("base"), ("retried", E.INTERNAL)),
    (engine.UnknownItem("m1"), ("retried", E.INTERNAL)),
    (engine.InvalidName("a b"), ("retried", E.INTERNAL)),
    (engine.RepositoryError("base"), ("retried", E.INTERNAL)),
    (vault.VaultUnreachable("GET", "p", "sealed"), ("held", H.VAULT_UNREACHABLE)),
    (vault.VaultDenied("GET", "p", "403"), ("retried", E.VAULT_UNREACHABLE)),
    (vault.VaultConflict("PUT", "p", "cas"), ("retried", E.VAULT_UNREACHABLE)),
    (vault.VaultNotFound("GET", "p", "404"), ("retried", E.VAULT_UNREACHABLE)),
    (vault.VaultRejected("PUT", "p", "400"), ("retried", E.VAULT_UNREACHABLE)),
    (vault.VaultError("GET", "p", "base"), ("retried", E.VAULT_UNREACHABLE)),
    (not_found("storage target"), ("failed", E.NOT_FOUND)),
    (AutoReconnect("documents are away"), ("handed back", None)),
    (ServerSelectionTimeoutError("documents are away"), ("handed back", None)),
    (BusUnreachable("bus is away"), ("handed back", None)),
    (TimeoutError("slow"), ("retried", E.CONNECTION_TIMEOUT)),
    (ConnectionResetError("reset"), ("retried", E.CONNECTION_TIMEOUT)),
    (ZeroDivisionError("a defect"), ("retried", E.INTERNAL)),
]

ELSEWHERE = {
    engine.SessionFenced: "ends the worker's part in the job (execute_job)",
    engine.AlreadyCommitted: "is the result (run_backup)",
}


def shape(outcome: object) -> tuple[str, Any]:
    match outcome:
        case Held():
            return "held", outcome.reason
        case Retried():
            return "retried", outcome.error
        case HandedBack():
            return "handed back", None
        case Finished(state=JobState.FAILED, fatal=fatal):
            assert fatal is not None
            return "failed", fatal.error
    raise AssertionError(outcome)


@pytest.mark.parametrize(("error", "expected"), TABLE, ids=[type(error).__qualname__ for error, _ in TABLE])
def test_outcome(error: Exception, expected: tuple[str, Any]) -> None:
    assert shape(Judgement(RECHECK)(error)) == expected


@pytest.mark.parametrize(
    "module", [(graph, graph.GraphError), (engine, engine.RepositoryError), (vault, vault.VaultError)]
)
def test_no_error_class_is_forgotten(module: tuple[Any, type[Exception]]) -> None:
    names, base = module
    classes = {c for _, c in inspect.getmembers(names, inspect.isclass) if issubclass(c, base)}
    assert classes - {type(error) for error, _ in TABLE} - ELSEWHERE.keys() == set()


@pytest.mark.parametrize(("asked", "recheck"), [(1.0, 10.0), (60.0, 60.0), (86_400.0, 600.0)])
def test_throttled_job_waits_as_long_as_graph_asked_within_reason(asked: float, recheck: float) -> None:
    held = Judgement(RECHECK)(graph.Throttled(asked))
    assert isinstance(held, Held)
    assert held.recheck == recheck


def test_the_detail_says_what_happened() -> None:
    outcome = Judgement(RECHECK)(ZeroDivisionError("by zero"))
    assert isinstance(outcome, Retried)
    assert outcome.detail == "ZeroDivisionError: by zero"
