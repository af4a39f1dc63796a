from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

VALUE = r"/messages/[^/]+.*/\$value$"


def first_message(tenant: Any, q: Any) -> str:
    user = tenant.user("mehmet.yildiz")
    page = tenant.get(f"{user}/messages?$top=1&$select=id")
    return f"{user}/messages/{q(page['value'][0]['id'])}"


@pytest.mark.parametrize(
    ("spec", "header"),
    [({}, "1"), ({"retry_after": "2.128"}, "2.128"), ({"retry_after": None}, None), ({"retry_after": "soon"}, "soon")],
)
def test_throttling_comes_with_any_retry_after(contoso: Any, faults: Any, spec: dict[str, Any], header: Any) -> None:
    faults(kind="throttle", match="/users$", count=1, **spec)
    answer = contoso.call("GET", "users")
    assert (answer.status_code, answer.headers.get("retry-after")) == (429, header)
    assert answer.json()["error"]["code"] == "TooManyRequests"
    assert contoso.call("GET", "users").status_code == 200


def test_throttling_may_name_a_date_and_skip_requests(contoso: Any, faults: Any) -> None:
    faults(kind="throttle", match="/users$", count=1, skip=1, retry_after="http-date")
    assert contoso.call("GET", "users").status_code == 200
    answer = contoso.call("GET", "users")
    assert answer.status_code == 429
    assert parsedate_to_datetime(answer.headers["retry-after"])


def test_an_expired_delta_token_answers_410(contoso: Any, faults: Any) -> None:
    url = f"{contoso.user('mehmet.yildiz')}/mailFolders/junkemail/messages/delta"
    link = contoso.get(url)["@odata.deltaLink"]
    faults(kind="gone-delta", count=1)
    assert contoso.call("GET", url).status_code == 200
    answer = contoso.call("GET", link)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "SyncStateNotFound")
    assert contoso.call("GET", link).status_code == 200


def test_an_unreadable_item_is_listed_but_never_read(contoso: Any, q: Any) -> None:
    user, marked = contoso.user("anna.gross"), contoso.unreadable[0]
    assert marked["sha256"] in {line["sha256"] for line in contoso.manifest}
    listed = contoso.get(f"{user}/messages?$top=100&$select=subject")["value"]
    assert marked["id"] in {entry["id"] for entry in listed}
    before = _unreadable_fired(contoso)
    for path in (f"{user}/messages/{q(marked['id'])}", f"{user}/messages/{q(marked['immutable_id'])}/$value"):
        answer = contoso.call("GET", path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "ErrorCorruptData")
    assert _unreadable_fired(contoso) == before + 2


def _unreadable_fired(tenant: Any) -> int:
    rules = tenant.simulator.control("GET", "faults")["faults"]
    return sum(rule["fired"] for rule in rules if rule["kind"] == "unreadable-item")


def test_a_body_breaks_off_with_a_reset(contoso: Any, faults: Any, q: Any) -> None:
    path = first_message(contoso, q)
    whole = contoso.call("GET", f"{path}/$value").content
    faults(kind="reset-mid-body", match=VALUE, after_bytes=700)
    headers = {"Authorization": f"Bearer {contoso.token('exchange-backup')}"}
    received: list[bytes] = []

    def read() -> None:
        url = f"{contoso.simulator.graph_url}/{path}/$value"
        with contoso.http.stream("GET", url, headers=headers) as answer:
            assert int(answer.headers["content-length"]) == len(whole)
            received.extend(answer.iter_bytes())

    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        read()
    assert whole.startswith(b"".join(received))
    assert len(b"".join(received)) <= 700
    assert contoso.call("GET", f"{path}/$value").content == whole


def test_any_status_and_body_can_be_sent(contoso: Any, faults: Any) -> None:
    faults(kind="status", match="/oauth2/v2.0/token$", status=502, body="<html>Bad Gateway</html>")
    answer = contoso.http.post(contoso.token_url, data=contoso.form("directory"))
    assert (answer.status_code, answer.headers["content-type"][:9]) == (502, "text/html")
    faults(kind="status", match="/users$", status=404, body="")
    answer = contoso.call("GET", "users")
    assert (answer.status_code, answer.content) == (404, b"")


def test_unavailable_stops_graph_but_not_the_sign_in(contoso: Any, simulator: Any) -> None:
    fault = simulator.control("POST", "faults", {"kind": "unavailable"})
    assert [contoso.call("GET", "users").status_code for _ in range(3)] == [503, 503, 503]
    assert contoso.http.post(contoso.token_url, data=contoso.form("directory")).status_code == 200
    listed = {rule["id"]: rule for rule in simulator.control("GET", "faults")["faults"]}
    assert listed[fault["id"]]["fired"] == 3
    assert simulator.control("DELETE", f"faults/{fault['id']}") == {"removed": 1}
    assert contoso.call("GET", "users").status_code == 200


def test_a_delay_holds_up_one_request(contoso: Any, faults: Any) -> None:
    faults(kind="delay", match="/users$", seconds=0.3)
    assert contoso.call("GET", "users").elapsed.total_seconds() >= 0.3
    assert contoso.call("GET", "users").elapsed.total_seconds() < 0.3


def test_a_fifth_request_at_once_in_one_mailbox_is_throttled(contoso: Any, faults: Any) -> None:
    faults(kind="delay", match="/mailFolders/outbox$", count=6, seconds=1)
    anna, mehmet = (f"{contoso.user(name)}/mailFolders/outbox" for name in ("anna.gross", "mehmet.yildiz"))
    contoso.token("exchange-backup")
    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(contoso.call, "GET", path, "exchange-backup") for path in [anna] * 5 + [mehmet]]
    answers = [call.result() for call in calls]
    assert sorted(answer.status_code for answer in answers[:5]) == [200, 200, 200, 200, 429]
    assert answers[5].status_code == 200
    throttled = next(answer for answer in answers if answer.status_code == 429)
    assert throttled.json()["error"]["code"] == "ApplicationThrottled"


@pytest.mark.parametrize(
    "spec", [{}, {"kind": "rain"}, {"kind": "throttle", "match": "("}, {"kind": "unreadable-item"}]
)
def test_a_fault_that_makes_no_sense_is_refused(simulator: Any, contoso: Any, spec: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError, match="400"):
        simulator.control("POST", "faults", spec)


def test_the_control_api_needs_its_token_and_counts(contoso: Any, simulator: Any) -> None:
    assert contoso.http.get(f"{simulator.url}/_simulator/stats").status_code == 401
    simulator.control("POST", "stats/reset")
    contoso.get("users")
    contoso.get(contoso.user("anna.gross"))
    stats = simulator.control("GET", "stats")
    assert stats["requests"]["GET /v1.0/users"] == 1
    assert stats["requests"]["GET /v1.0/users/{user}"] == 1
    assert stats["graph_requests_total"] == 2
    assert stats["bytes_out"] > 0
    users = simulator.control("GET", "tenants/contoso/users")["users"]
    assert [user["messages"] for user in users[:2]] == [60, 60]
