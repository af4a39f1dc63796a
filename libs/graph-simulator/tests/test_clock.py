"""A clock that differs: of the simulator from the machine's, and of the sign-in from Graph's."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest


@pytest.fixture
def clock(fabrikam: Any) -> Iterator[Any]:
    yield lambda **offsets: fabrikam.simulator.control("PUT", "clock", offsets)
    fabrikam.simulator.control("PUT", "clock", {})


def token(tenant: Any) -> str:
    answer = tenant.http.post(tenant.token_url, data=tenant.form("exchange-backup"))
    found: str = answer.json()["access_token"]
    return found


def ask(tenant: Any, bearer: str) -> Any:
    return tenant.http.get(f"{tenant.simulator.graph_url}/users", headers={"Authorization": f"Bearer {bearer}"})


@pytest.mark.parametrize("ahead", [300, -300])
def test_one_clock_rules_dates_and_tokens(fabrikam: Any, clock: Any, ahead: int) -> None:
    clock(ahead=ahead)
    answer = ask(fabrikam, token(fabrikam))
    assert answer.status_code == 200
    [date] = answer.headers.get_list("date")
    assert abs((parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds() - ahead) < 30


def test_a_token_of_a_sign_in_that_is_ahead_is_not_valid_yet(fabrikam: Any, clock: Any) -> None:
    clock(sign_in_ahead=60)
    early = token(fabrikam)
    refused = ask(fabrikam, early)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
    assert "not yet valid" in refused.json()["error"]["message"]
    clock(ahead=61)
    assert ask(fabrikam, early).status_code == 200


def test_a_clock_is_a_number_of_seconds(fabrikam: Any) -> None:
    for wrong in ({"ahead": "soon"}, ["ahead"]):
        with pytest.raises(Exception, match="400"):
            fabrikam.simulator.control("PUT", "clock", wrong)
