"""Every error of the libraries has the effect on a sync that the product's error table promises."""

import inspect
from typing import Any

import pytest
from pymongo.errors import AutoReconnect, OperationFailure

from chassis import vault
from chassis.bus import BusUnreachable
from contracts.errors import ErrorClass
from contracts.names import HoldReason
from graph_client import errors as graph
from sync_service.adapters.error_classes import Judgement
from sync_service.ports import CursorExpired, Holding, Retrying

RECHECK = 60.0
E, H = ErrorClass, HoldReason

TABLE: list[tuple[Exception, HoldReason | ErrorClass]] = [
    (graph.TokenUnavailable("expired"), H.NO_VALID_TOKEN),
    (graph.Unauthorized("401 twice"), H.NO_VALID_TOKEN),
    (graph.Forbidden("consent is gone"), H.CONSENT_LOST),
    (graph.Throttled(5.0), H.TENANT_THROTTLED),
    (graph.Unreachable("no answer"), E.CONNECTION_TIMEOUT),
    (graph.BadResponse("odd"), E.CONNECTION_TIMEOUT),
    (graph.DeltaLoop("loop"), E.CONNECTION_TIMEOUT),
    (CursorExpired(), E.CONNECTION_TIMEOUT),
    (vault.VaultUnreachable("GET", "p", "sealed"), H.VAULT_UNREACHABLE),
    (vault.VaultDenied("GET", "p", "403"), E.VAULT_UNREACHABLE),
    (graph.Refused("no such property", status=400), E.INTERNAL),
    (graph.NotFound("somewhere nobody looks for it"), E.INTERNAL),
    (graph.ResyncRequired("outside change tracking"), E.INTERNAL),
    (graph.ItemUnreadable("no item is read"), E.INTERNAL),
    (graph.BodyTooLarge("huge"), E.INTERNAL),
    (OperationFailure("no such index"), E.INTERNAL),
    (ZeroDivisionError(), E.INTERNAL),
]


@pytest.mark.parametrize(("error", "expected"), TABLE, ids=lambda value: type(value).__name__)
def test_an_error_holds_a_sync_or_is_tried_again(error: Exception, expected: HoldReason | ErrorClass) -> None:
    verdict = Judgement(RECHECK)(error)
    if isinstance(expected, HoldReason):
        assert isinstance(verdict, Holding)
        assert (verdict.reason, verdict.recheck) == (expected, RECHECK)
    else:
        assert isinstance(verdict, Retrying)
        assert verdict.error is expected


@pytest.mark.parametrize("error", [AutoReconnect("documents are away"), BusUnreachable("no bus")])
def test_what_is_away_leaves_no_place_to_write_a_verdict(error: Exception) -> None:
    """The lease of the run ends, and somebody takes it up."""
    with pytest.raises(type(error)):
        Judgement(RECHECK)(error)


def test_no_error_of_graph_is_forgotten() -> None:
    every = {kind for _, kind in inspect.getmembers(graph, inspect.isclass) if issubclass(kind, graph.GraphError)}
    assert every - {type(error) for error, _ in TABLE} == {graph.GraphError}


def test_what_microsoft_365_refused_is_told_with_its_status() -> None:
    verdict: Any = Judgement(RECHECK)(graph.Refused("no such property", status=400, code="BadRequest"))
    assert "status=400" in verdict.detail
