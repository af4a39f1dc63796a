"""A service that restarts is waited for: visibly, for a bounded time, and never where no restart would help."""

import json
import socket
import ssl
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from contracts.texts import Text
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.patience import NOBODY_LISTENS, Patience
from tenantkeep.commands.session import Access


class VirtualClock:
    """Pausing moves the clock."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    def pause(self, seconds: float) -> None:
        self.at += seconds


def asked(*script: httpx.Response | Exception, seconds: float = 60) -> tuple[Any, VirtualClock, list[Text], int]:
    """Ask with this script, whose last entry repeats: the outcome, the clock, what was told, how often was asked."""
    clock, told, times = VirtualClock(), list[Text](), 0

    def question() -> httpx.Response:
        nonlocal times
        step = script[min(times, len(script) - 1)]
        times += 1
        if isinstance(step, Exception):
            raise step
        return step

    try:
        outcome: Any = Patience(clock, told.append, seconds).ask(question)
    except httpx.TransportError as error:
        outcome = error
    return outcome, clock, told, times


def refused(cause: Exception | None = None) -> httpx.ConnectError:
    error = httpx.ConnectError("All connection attempts failed")
    error.__cause__ = cause or ConnectionRefusedError()
    return error


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_service_that_comes_back_is_waited_for_as_it_wishes(status: int) -> None:
    away = httpx.Response(status, headers={"retry-after": "5"})
    outcome, clock, told, times = asked(away, away, httpx.Response(200))
    assert (outcome.status_code, clock.at, times) == (200, 10.0, 3)
    assert [text.en for text in told] == ["No answer at the moment: something restarts. Asking again for up to 60 s."]


def test_a_service_that_stays_away_is_given_up_in_time() -> None:
    outcome, clock, told, times = asked(httpx.Response(503, headers={"retry-after": "7"}))
    assert (outcome.status_code, clock.at, times, len(told)) == (503, 56.0, 9, 1)


@pytest.mark.parametrize("wish", ["soon", "-1", "1e9", "²", "86400", ""])
def test_no_wish_of_a_server_makes_the_wait_endless(wish: str) -> None:
    headers = [(b"retry-after", wish.encode("latin-1"))]
    outcome, clock, _, _ = asked(httpx.Response(503, headers=headers), httpx.Response(200))
    assert (outcome.status_code, 0 < clock.at <= 10) == (200, True)


@pytest.mark.parametrize("status", [200, 202, 401, 404, 409, 422, 429, 500])
def test_an_answer_is_an_answer(status: int) -> None:
    outcome, clock, told, times = asked(httpx.Response(status, headers={"retry-after": "1"}))
    assert (outcome.status_code, clock.at, told, times) == (status, 0.0, [], 1)


def test_a_gateway_that_restarts_is_waited_for_and_one_that_is_down_not_for_long() -> None:
    outcome, _, told, times = asked(refused(), httpx.ReadError("reset"), httpx.Response(200))
    assert (outcome.status_code, times, len(told)) == (200, 3, 1)
    outcome, clock, _, _ = asked(refused())
    assert isinstance(outcome, httpx.ConnectError)
    assert clock.at == NOBODY_LISTENS


@pytest.mark.parametrize("cause", [ssl.SSLCertVerificationError(), socket.gaierror(-2, "unknown name")])
def test_what_no_restart_heals_is_told_at_once(cause: Exception) -> None:
    outcome, clock, told, times = asked(refused(cause))
    assert isinstance(outcome, httpx.ConnectError)
    assert (clock.at, told, times) == (0.0, [], 1)


def test_no_patience_asks_once() -> None:
    assert asked(httpx.Response(503), seconds=0)[3] == 1


def test_a_command_goes_on_where_the_service_came_back_and_says_that_it_waited(
    signed_in: Any, tenantkeep: Callable[..., Any]
) -> None:
    signed_in.restarting = 2
    done = tenantkeep("tenant", "list", TENANTKEEP_PATIENCE="30")
    assert done.exit_code == 0, done.output
    assert done.stderr.startswith("No answer at the moment")
    signed_in.restarting = 2
    done = tenantkeep("tenant", "list", "--json", TENANTKEEP_PATIENCE="30")
    assert (json.loads(done.stdout)["items"][0]["tenant"], done.stderr) == ("contoso", "")


def test_a_repeated_creation_carries_the_same_key(gateway: Any, server_tls: Any) -> None:
    access = Access(gateway.url, gateway.url, "ops", SecretStr("the-client-secret"), server_tls.ca_file)
    gateway.restarting = 2
    with Gateway(access, Patience(VirtualClock(), lambda _: None, 30)) as connected:
        assert connected.start_backup("contoso", "configuration-1") == "run-1"
    assert len(gateway.keys) == 3
    assert len(set(gateway.keys)) == 1


def test_a_mailbox_that_is_being_made_searchable_is_said_to_be() -> None:
    preparing = httpx.Response(503, json={"code": "preparing", "status": 503, "title": "Not ready yet"})
    outcome, _, told, _ = asked(preparing, httpx.Response(200))
    assert outcome.status_code == 200
    assert ["searchable" in text.en and "durchsuchbar" in text.de for text in told] == [True]
