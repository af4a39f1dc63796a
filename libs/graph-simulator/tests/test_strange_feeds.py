"""Delta feeds that replay, stall, overflow or never end, and answers that travel in unusual ways."""

from typing import Any

import httpx
import pytest

VALUE = r"/messages/[^/]+.*/\$value$"


def feed(tenant: Any) -> str:
    return f"{tenant.user('mehmet.yildiz')}/mailFolders/inbox/messages/delta"


def page(tenant: Any, link: str, size: int = 3) -> Any:
    return tenant.get(link, prefer=f'odata.maxpagesize={size}, IdType="ImmutableId"')


def everything(tenant: Any, link: str, size: int = 3) -> list[str]:
    found: list[str] = []
    while link:
        body = page(tenant, link, size)
        found += [entry["id"] for entry in body["value"]]
        link = body.get("@odata.nextLink", "")
    return found


def test_an_old_change_is_replayed_before_the_new_one(contoso: Any, faults: Any) -> None:
    expected = page(contoso, feed(contoso))["value"]
    faults(kind="delta-replay")
    entries = page(contoso, feed(contoso))["value"]
    assert len(entries) == 2 * len(expected) + 1
    assert {entry["id"]: entry for entry in entries} == {entry["id"]: entry for entry in expected}
    assert entries[0]["changeKey"] == "replayed"


def test_empty_pages_lead_on_and_lose_nothing(contoso: Any, faults: Any) -> None:
    expected = everything(contoso, feed(contoso))
    faults(kind="delta-empty", count=3)
    links = [feed(contoso)]
    for _ in range(3):
        body = page(contoso, links[-1])
        assert body["value"] == []
        links.append(body["@odata.nextLink"])
    assert len(set(links)) == 4
    assert everything(contoso, links[-1]) == expected


@pytest.mark.parametrize("links", ["same", "changing"])
def test_a_round_never_ends(contoso: Any, faults: Any, links: str) -> None:
    faults(kind="delta-loop", links=links, count=None)
    bodies = [page(contoso, feed(contoso))]
    for _ in range(4):
        bodies.append(page(contoso, bodies[-1]["@odata.nextLink"]))
    assert all(body["value"] == bodies[0]["value"] for body in bodies)
    assert len({body["@odata.nextLink"] for body in bodies}) == (1 if links == "same" else 5)
    assert not any("@odata.deltaLink" in body for body in bodies)


def test_a_page_may_be_longer_than_asked_for(contoso: Any, faults: Any) -> None:
    expected = everything(contoso, feed(contoso), size=1)
    faults(kind="delta-overfull")
    body = page(contoso, feed(contoso), size=1)
    assert len(body["value"]) == 3
    rest = everything(contoso, body["@odata.nextLink"], size=1)
    assert [entry["id"] for entry in body["value"]] + rest == expected


def first(tenant: Any, q: Any) -> str:
    user = tenant.user("mehmet.yildiz")
    return f"{user}/messages/{q(tenant.get(f'{user}/messages?$top=1&$select=id')['value'][0]['id'])}/$value"


@pytest.mark.parametrize("kind", ["reset", "short-body"])
def test_an_answer_is_lost_on_the_way(contoso: Any, faults: Any, q: Any, kind: str) -> None:
    path = first(contoso, q)
    whole = contoso.call("GET", path, "exchange-backup").content
    faults(kind=kind, match=VALUE)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        contoso.call("GET", path, "exchange-backup")
    assert contoso.call("GET", path, "exchange-backup").content == whole


def test_an_answer_comes_compressed_or_in_chunks(contoso: Any, faults: Any, q: Any) -> None:
    path = first(contoso, q)
    whole = contoso.call("GET", path, "exchange-backup").content
    faults(kind="gzip", match=VALUE)
    packed = contoso.call("GET", path, "exchange-backup")
    assert (packed.headers["content-encoding"], packed.content) == ("gzip", whole)
    faults(kind="chunked", match=VALUE)
    pieces = contoso.call("GET", path, "exchange-backup")
    assert (pieces.headers["transfer-encoding"], pieces.content) == ("chunked", whole)
    assert "content-length" not in pieces.headers


def test_an_unreadable_item_has_the_code_it_was_given(contoso: Any, faults: Any, q: Any) -> None:
    user = f"mehmet.yildiz@{contoso.name}.onmicrosoft.com"
    faults(kind="unreadable-item", user=user, nth=1, code="ErrorInvalidRecipients")
    listed = contoso.get(f"users/{user}/messages?$top=100&$select=id")["value"]
    answers = [contoso.call("GET", f"users/{user}/messages/{q(entry['id'])}", "exchange-backup") for entry in listed]
    (refused,) = [answer for answer in answers if answer.status_code != 200]
    assert (refused.status_code, refused.json()["error"]["code"]) == (500, "ErrorInvalidRecipients")
