"""Outlook's limits: requests at a time, requests and uploaded bytes in a window, all per app and mailbox."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_simulator.testing import SimulatorProcess, seed
from graph_simulator.web.limits import Consumer, OutlookLimits, OutlookThrottle, SlidingWindow

ANNA, BERT = Consumer("app", "anna"), Consumer("app", "bert")


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_table_is_that_of_the_documentation() -> None:
    table = OutlookLimits()
    assert (table.concurrency, table.requests, table.window) == (4, 10_000, 600.0)
    assert (table.upload_bytes, table.upload_window) == (150_000_000, 300.0)


def test_places_are_per_app_and_mailbox_and_come_back() -> None:
    throttle = OutlookThrottle(OutlookLimits(concurrency=2), Hands())
    tickets = [throttle.enter(ANNA, "GET", 0) for _ in range(3)]
    assert [ticket.refusal is None for ticket in tickets] == [True, True, False]
    assert throttle.enter(BERT, "GET", 0).refusal is None
    assert throttle.enter(Consumer("other app", "anna"), "GET", 0).refusal is None
    for ticket in tickets:
        ticket.leave()
        ticket.leave()
    assert throttle.enter(ANNA, "GET", 0).refusal is None
    anna = throttle.as_json()[0]
    assert (anna["most_concurrent"], anna["throttled"]) == (3, 1)


def test_refused_requests_count_and_retry_after_is_never_too_early() -> None:
    clock = Hands()
    throttle = OutlookThrottle(OutlookLimits(concurrency=0, requests=3, window=60.0, time_scale=0.1), clock)
    for clock.now in (0.0, 1.0, 2.0):
        assert throttle.enter(ANNA, "GET", 0).refusal is None
    clock.now = 3.0
    refusal = throttle.enter(ANNA, "GET", 0).refusal
    assert refusal is not None
    assert (refusal.status_code, refusal.headers["retry-after"]) == (429, "4")  # two must leave, as this one counts too
    clock.now = 6.9
    assert throttle.enter(ANNA, "GET", 0).refusal is not None  # knocked early
    clock.now = 30.0
    assert throttle.enter(ANNA, "GET", 0).refusal is None


def test_uploaded_bytes_have_a_window_of_their_own() -> None:
    clock = Hands()
    throttle = OutlookThrottle(OutlookLimits(concurrency=0, upload_bytes=100, upload_window=10.0), clock)
    assert throttle.enter(ANNA, "POST", 60).refusal is None
    assert throttle.enter(ANNA, "GET", 60).refusal is None
    assert throttle.enter(ANNA, "PUT", 60).refusal is not None
    clock.now = 20.0
    assert throttle.enter(ANNA, "PATCH", 60).refusal is None


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 5)), max_size=60))
def test_a_window_counts_exactly_what_the_last_seconds_brought(steps: list[tuple[float, int]]) -> None:
    window, now, past = SlidingWindow(10, 5.0), 0.0, []
    for pause, amount in steps:
        now += pause
        past.append((now, amount))
        used = sum(spent for at, spent in past if at + 5.0 > now)
        assert (window.spend(amount, now) == 0.0) == (used <= 10)
        assert window.most >= used


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SimulatorProcess, dict[str, Any]]]:
    state: Path = tmp_path_factory.mktemp("limited")
    summary = seed(state, "contoso", "--generate", "3", "--mailboxes", "1", "--apps", str(state / "apps.json"))
    with SimulatorProcess(state, options=("--mailbox-requests", "5", "--time-scale", "0.002")) as server:
        yield server, summary


def test_the_wire_says_so_and_the_statistics_prove_it(limited: tuple[SimulatorProcess, dict[str, Any]]) -> None:
    server, summary = limited
    apps = (server.state / "apps.json").read_text()
    app = httpx.Response(200, text=apps).json()["apps"]["exchange-backup"]
    form = {"grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default", **app}
    upn = f"restore-target@{summary['domain']}"
    with httpx.Client(verify=server.tls(), trust_env=False) as http:
        token = http.post(f"{server.url}/{summary['tenant_id']}/oauth2/v2.0/token", data=form).json()["access_token"]
        me = {"Authorization": f"Bearer {token}"}
        answers = [http.get(f"{server.graph_url}/users/{upn}/mailFolders/inbox", headers=me) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[5].json()["error"]["code"] == "ApplicationThrottled"
    assert 0.0 < float(answers[5].headers["retry-after"]) <= 1.2
    (use,) = server.control("GET", "stats")["mailboxes"]
    assert use["app"] == app["client_id"]
    assert (use["most_requests_in_window"], use["most_concurrent"], use["throttled"]) == (6, 1, 1)
