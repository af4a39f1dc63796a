from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from graph_client import (
    BadResponse,
    Forbidden,
    GraphError,
    ItemUnreadable,
    Limits,
    NotFound,
    Refused,
    ResyncRequired,
    RetryPolicy,
    Throttled,
    Unauthorized,
    Unreachable,
)

Make = Callable[..., Any]

MAIL = "users/anna/messages/m1"


async def test_a_decimal_retry_after_is_waited_out(world: Make, ok: Make, no: Make) -> None:
    w = world(no(429, "TooManyRequests", {"Retry-After": "2.128"}), ok(body={"id": "m1"}))
    assert await w.run(w.client.get(MAIL)) == {"id": "m1"}
    assert 2.128 <= w.clock.monotonic() < 2.4
    assert (w.client.counters.requests, w.client.counters.retries, w.client.counters.throttled) == (2, 1, 1)


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "soon"}, {"Retry-After": "-1"}, {"Retry-After": "0"}])
async def test_without_a_readable_retry_after_the_pauses_grow(
    world: Make, ok: Make, no: Make, headers: dict[str, str]
) -> None:
    w = world(*[no(429, "TooManyRequests", headers)] * 4, ok(body={}))
    moments: list[float] = []
    answers = list(w.transport.script)
    w.transport.script = [lambda _: (moments.append(w.clock.monotonic()), answers.pop(0))[1]]
    await w.run(w.client.get(MAIL))
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert pauses == sorted(pauses)
    assert 0.25 <= pauses[0] <= 0.6
    assert 2.0 <= pauses[3] <= 4.5


async def test_an_http_date_counts_from_the_servers_own_clock(world: Make, ok: Make, no: Make) -> None:
    skewed = {"Date": "Thu, 01 Jan 2026 05:00:00 GMT", "Retry-After": "Thu, 01 Jan 2026 05:00:04 GMT"}
    w = world(no(429, "TooManyRequests", skewed), ok(body={}))
    await w.run(w.client.get(MAIL))
    assert 4.0 <= w.clock.monotonic() < 4.5


async def test_a_long_wait_is_handed_to_the_caller_and_keeps_the_gate_closed(world: Make, no: Make) -> None:
    w = world(no(429, "activityLimitReached", {"Retry-After": "120"}))
    with pytest.raises(Throttled) as first:
        await w.run(w.client.get(MAIL))
    assert first.value.after == 120.0
    assert w.clock.monotonic() == 0.0
    with pytest.raises(Throttled) as second:
        await w.run(w.client.get("users/otto/messages/m2"))
    assert second.value.after == 120.0
    assert len(w.transport.seen) == 1


async def test_endless_throttling_ends_in_throttled_with_a_wait(world: Make, no: Make) -> None:
    w = world(lambda _: no(429, "TooManyRequests", {"Retry-After": "3"}))
    with pytest.raises(Throttled) as caught:
        await w.run(w.client.get(MAIL))
    assert len(w.transport.seen) == 6
    assert caught.value.after == pytest.approx(3.0)
    assert caught.value.status == 429


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_server_errors_are_repeated_even_with_empty_or_html_bodies(world: Make, ok: Make, status: int) -> None:
    w = world(ok(status), ok(status, b"<html>oops</html>"), ok(body={"id": 1}))
    assert await w.run(w.client.get(MAIL)) == {"id": 1}
    assert w.clock.monotonic() > 0.5


async def test_a_dead_network_ends_in_unreachable_after_the_budget(world: Make) -> None:
    w = world(lambda _: Unreachable("no answer: ReadError"), retry=RetryPolicy(attempts=3))
    with pytest.raises(Unreachable):
        await w.run(w.client.get(MAIL))
    assert len(w.transport.seen) == 3


async def test_a_post_is_not_repeated_when_it_may_have_arrived(world: Make, ok: Make) -> None:
    w = world(Unreachable("no answer: ReadError", sent=True), ok(201, {"id": "twin"}))
    with pytest.raises(Unreachable):
        await w.run(w.client.post("users/anna/mailFolders/f/messages", {"subject": "x"}))
    assert len(w.transport.seen) == 1


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_post_is_not_repeated_after_a_server_error(world: Make, ok: Make, status: int) -> None:
    w = world(ok(status), ok(201, {"id": "twin"}))
    with pytest.raises(Unreachable):
        await w.run(w.client.post("users/anna/messages", {}))
    assert len(w.transport.seen) == 1


async def test_a_post_is_repeated_when_the_server_did_nothing(world: Make, ok: Make, no: Make) -> None:
    w = world(
        Unreachable("no answer: ConnectError", sent=False),
        no(429, "TooManyRequests", {"Retry-After": "1"}),
        ok(503),
        ok(201, {"id": "one"}),
    )
    assert await w.run(w.client.post("users/anna/messages", {})) == {"id": "one"}


@pytest.mark.parametrize("verb", ["post", "patch"])
async def test_a_request_whose_body_broke_off_on_its_way_is_sent_again(
    world: Make, ok: Make, no: Make, verb: str
) -> None:
    message = "IO error during request payload read"
    lost = ok(400, {"error": {"code": "BadRequest", "message": message}})
    w = world(lost, ok(body={"id": "m1"}))
    assert await w.run(getattr(w.client, verb)(MAIL, {"subject": "x"})) == {"id": "m1"}
    assert w.client.counters.retries == 1
    w = world(no(400, "BadRequest"))
    with pytest.raises(Refused):
        await w.run(getattr(w.client, verb)(MAIL, {}))


async def test_an_empty_404_is_asked_again_before_it_is_believed(world: Make, ok: Make) -> None:
    w = world(ok(404), ok(body={"id": "m1"}))
    assert await w.run(w.client.get(MAIL)) == {"id": "m1"}
    w = world(lambda _: ok(404))
    with pytest.raises(NotFound):
        await w.run(w.client.get(MAIL))
    assert len(w.transport.seen) == 3


async def test_a_404_with_a_code_is_believed_at_once(world: Make, no: Make) -> None:
    w = world(no(404, "ErrorItemNotFound"))
    with pytest.raises(NotFound) as caught:
        await w.run(w.client.get(MAIL))
    assert (caught.value.code, caught.value.request_id, caught.value.status) == (
        "ErrorItemNotFound",
        "r-1",
        404,
    )
    assert caught.value.path == "/v1.0/users/anna/messages/m1"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, "ErrorCorruptData", ItemUnreadable),
        (500, "ErrorContentConversionFailed", ItemUnreadable),
        (400, "ErrorInvalidRecipients", ItemUnreadable),
        (403, "ErrorAccessDenied", Forbidden),
        (403, "Authorization_RequestDenied", Forbidden),
        (410, "syncStateNotFound", ResyncRequired),
        (400, "SyncStateInvalid", ResyncRequired),
        (409, "ErrorFolderExists", Refused),
        (400, "RequestBroker--ParseUri", Refused),
        (501, "NotImplemented", Refused),
        (302, "", BadResponse),
        (410, "gone", NotFound),
    ],
)
async def test_each_refusal_has_its_class_and_is_not_repeated(
    world: Make, no: Make, status: int, code: str, kind: type[GraphError]
) -> None:
    w = world(no(status, code))
    with pytest.raises(GraphError) as caught:
        await w.run(w.client.get(MAIL))
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert len(w.transport.seen) == 1


async def test_the_deepest_code_counts_but_bare_numbers_do_not(world: Make, no: Make) -> None:
    w = world(no(400, "invalidRequest", inner="resyncApplyDifferences"))
    with pytest.raises(ResyncRequired):
        await w.run(w.client.get("drives/d/root/delta"))
    w = world(lambda _: no(429, "TooManyRequests", {"Retry-After": "99"}, inner="429"))
    with pytest.raises(Throttled) as caught:
        await w.run(w.client.get(MAIL))
    assert caught.value.code == "TooManyRequests"


async def test_a_410_on_a_drive_delta_carries_the_fresh_start(world: Make, no: Make) -> None:
    w = world(no(410, "resyncRequired", {"Location": "https://graph.test/v1.0/drives/d/root/delta?token=new"}))
    with pytest.raises(ResyncRequired) as caught:
        await w.run(w.client.get("drives/d/root/delta?token=old"))
    assert caught.value.location.endswith("token=new")
    assert "token" not in str(caught.value)


async def test_a_401_renews_the_token_once(world: Make, ok: Make, no: Make) -> None:
    w = world(no(401, "InvalidAuthenticationToken"), ok(body={"id": 1}))
    assert await w.run(w.client.get(MAIL)) == {"id": 1}
    assert [request.headers["Authorization"] for request in w.transport.seen] == [
        "Bearer token-0",
        "Bearer token-1",
    ]
    assert w.tokens.refused == ["token-0"]


async def test_a_second_401_is_final(world: Make, no: Make) -> None:
    w = world(lambda _: no(401, "InvalidAuthenticationToken"))
    with pytest.raises(Unauthorized):
        await w.run(w.client.get(MAIL))
    assert len(w.transport.seen) == 2


async def test_a_success_that_is_no_json_object_is_a_bad_response(world: Make, ok: Make) -> None:
    for body in (b"<html>", b"[1]"):
        w = world(*[ok(body=body)] * 3)
        with pytest.raises(BadResponse):
            await w.run(w.client.get(MAIL))


async def test_a_cut_answer_to_a_question_is_asked_for_again_and_nothing_is_done_twice(world: Make, ok: Make) -> None:
    cut = ok(body=b'{"id": "m')
    w = world(cut, cut, ok(body={"id": "m1"}))
    assert await w.run(w.client.get(MAIL)) == {"id": "m1"}
    assert len(w.transport.seen) == 3
    w = world(cut)
    with pytest.raises(BadResponse):
        await w.run(w.client.post(MAIL, {}))
    assert len(w.transport.seen) == 1


async def test_an_upload_carries_no_token_and_shows_no_url(world: Make, ok: Make, no: Make) -> None:
    url = "https://outlook.test/up?authtoken=secret"
    w = world(ok(202, {"nextExpectedRanges": ["4-"]}), no(401, "unauthenticated"))
    headers = {"Content-Range": "bytes 0-3/9"}
    assert await w.run(w.client.put_bytes(url, b"abcd", headers)) == {"nextExpectedRanges": ["4-"]}
    sent = w.transport.seen[0]
    assert (sent.url, sent.content, sent.headers["Content-Range"]) == (url, b"abcd", "bytes 0-3/9")
    assert "Authorization" not in sent.headers
    with pytest.raises(Unauthorized) as caught:
        await w.run(w.client.put_bytes(url, b"efgh", headers))
    assert "outlook.test" not in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_time_scale_shortens_the_back_off(world: Make, ok: Make) -> None:
    w = world(ok(500), ok(500), ok(body={}), limits=Limits(time_scale=0.01))
    await w.run(w.client.get(MAIL))
    assert 0 < w.clock.monotonic() < 0.02


async def test_a_404_for_what_was_just_made_is_asked_again(world: Make, ok: Make, no: Make) -> None:
    w = world(no(404, "ErrorItemNotFound"), no(404, "ErrorItemNotFound"), ok(201, {"id": "1"}))
    assert await w.run(w.client.post("users/anna/messages/1/attachments", {}, fresh=True)) == {"id": "1"}
    w = world(lambda _: no(404, "ErrorItemNotFound"))
    with pytest.raises(NotFound):
        await w.run(w.client.post("users/anna/messages/1/attachments", {}, fresh=True))
    assert len(w.transport.seen) == 5
    w = world(lambda _: no(404, "ErrorItemNotFound"))
    with pytest.raises(NotFound):
        await w.run(w.client.post("users/anna/messages/1/attachments", {}))
    assert len(w.transport.seen) == 1
