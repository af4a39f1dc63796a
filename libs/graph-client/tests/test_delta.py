from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from graph_client import BadResponse, DeltaLoop, DeltaPage, LoopGuard, Page, Response, ResyncRequired

Make = Callable[..., Any]

BASE = "https://graph.test/v1.0"
FOLDER = "users/anna/mailFolders/f/messages/delta"


def page(ok: Make, *entries: dict[str, Any], after: str | None = None, done: str | None = None) -> Response:
    body: dict[str, Any] = {"value": list(entries)}
    if after:
        body["@odata.nextLink"] = f"{BASE}/{FOLDER}?$skiptoken={after}"
    if done:
        body["@odata.deltaLink"] = f"{BASE}/{FOLDER}?$deltatoken={done}"
    return ok(body=body)


async def collect(pages: AsyncIterator[Any]) -> list[Any]:
    return [one async for one in pages]


async def test_a_round_follows_links_verbatim_and_repeats_the_headers(world: Make, ok: Make) -> None:
    link = f"{BASE}/{FOLDER}?$skiptoken=a%2Fb+c%3D%3D&x='q'(1)"
    w = world(ok(body={"value": [{"id": "1"}], "@odata.nextLink": link}), page(ok, {"id": "2"}, done="d1"))
    prefer = ("odata.maxpagesize=500", 'IdType="ImmutableId"')
    params = {"$select": "id,subject"}
    pages: list[DeltaPage] = await w.run(collect(w.client.delta(FOLDER, params=params, prefer=prefer)))
    assert [one.number for one in pages] == [1, 2]
    assert pages[0].next_link == link
    assert pages[1].delta_link == f"{BASE}/{FOLDER}?$deltatoken=d1"
    assert [request.url for request in w.transport.seen] == [f"{BASE}/{FOLDER}?$select=id,subject", link]
    assert {request.headers["Prefer"] for request in w.transport.seen} == {
        'odata.maxpagesize=500, IdType="ImmutableId"'
    }


async def test_the_last_entry_of_an_id_wins_within_a_page(world: Make, ok: Make) -> None:
    gone = {"id": "1", "@removed": {"reason": "deleted"}}
    w = world(
        page(
            ok,
            {"id": "1", "v": 1},
            {"id": "2", "v": 1},
            gone,
            {"id": "3", "deleted": {"state": "deleted"}},
            {"id": "2", "v": 2},
            done="d",
        )
    )
    (only,) = await w.run(collect(w.client.delta(FOLDER)))
    assert only.items == ({"id": "2", "v": 2},)
    assert [entry["id"] for entry in only.removed] == ["1", "3"]


async def test_a_round_resumes_from_a_stored_link(world: Make, ok: Make) -> None:
    stored = f"{BASE}/{FOLDER}?$skiptoken=kept"
    w = world(page(ok, {"id": "9"}, done="d"))
    (only,) = await w.run(collect(w.client.delta(stored)))
    assert w.transport.seen[0].url == stored
    assert only.items == ({"id": "9"},)


async def test_empty_pages_with_a_next_link_are_no_loop(world: Make, ok: Make) -> None:
    w = world(*[page(ok, after=str(n)) for n in range(40)], page(ok, done="d"))
    assert len(await w.run(collect(w.client.delta(FOLDER)))) == 41


async def test_the_same_link_for_ever_is_a_loop(world: Make, ok: Make) -> None:
    w = world(lambda _: page(ok, {"id": "1"}, after="same"))
    with pytest.raises(DeltaLoop):
        await w.run(collect(w.client.delta(FOLDER)))
    assert len(w.transport.seen) == 2


async def test_a_link_back_to_the_start_is_a_loop(world: Make, ok: Make) -> None:
    start = f"{BASE}/{FOLDER}?$skiptoken=s"
    w = world(lambda _: page(ok, {"id": "1"}, after="s"))
    with pytest.raises(DeltaLoop):
        await w.run(collect(w.client.delta(start)))


async def test_changing_links_with_identical_content_are_a_loop(world: Make, ok: Make) -> None:
    links = iter(range(10_000))
    w = world(lambda _: page(ok, {"id": "1"}, {"id": "2"}, after=str(next(links))))
    with pytest.raises(DeltaLoop):
        await w.run(collect(w.client.delta(FOLDER)))
    assert len(w.transport.seen) == 5


async def test_endless_empty_pages_are_a_loop(world: Make, ok: Make) -> None:
    links = iter(range(10_000))
    w = world(lambda _: page(ok, after=str(next(links))), loop_guard=LoopGuard(empty=20))
    with pytest.raises(DeltaLoop):
        await w.run(collect(w.client.delta(FOLDER)))
    assert len(w.transport.seen) == 20


async def test_an_expired_cursor_needs_a_resync(world: Make, no: Make) -> None:
    for status, code in ((410, "SyncStateNotFound"), (404, "syncStateInvalid"), (410, ""), (410, "resyncRequired")):
        w = world(no(status, code))
        with pytest.raises(ResyncRequired):
            await w.run(collect(w.client.delta(f"{BASE}/{FOLDER}?$deltatoken=old")))


async def test_a_stored_link_of_another_origin_needs_a_resync_and_sees_no_token(world: Make) -> None:
    w = world()
    with pytest.raises(ResyncRequired):
        await w.run(collect(w.client.delta("https://elsewhere.test/v1.0/x?$deltatoken=t")))
    assert not w.transport.seen


@pytest.mark.parametrize("link", ["https://elsewhere.test/v1.0/x", "http://graph.test/v1.0/x", 7, ""])
async def test_a_next_link_of_another_origin_is_never_followed(world: Make, ok: Make, link: object) -> None:
    w = world(ok(body={"value": [], "@odata.nextLink": link}))
    with pytest.raises(BadResponse):
        await w.run(collect(w.client.delta(FOLDER)))
    assert len(w.transport.seen) == 1


@pytest.mark.parametrize("body", [{}, {"value": {}}, {"value": [1]}, {"value": []}])
async def test_a_page_that_is_none_is_a_bad_response(world: Make, ok: Make, body: object) -> None:
    w = world(ok(body=body))
    with pytest.raises(BadResponse):
        await w.run(collect(w.client.delta(FOLDER)))


async def test_lists_are_paged_to_the_end(world: Make, ok: Make) -> None:
    w = world(
        ok(body={"value": [{"id": "1"}], "@odata.nextLink": f"{BASE}/users?$skiptoken=n"}),
        ok(body={"value": [{"id": "2"}]}),
    )
    pages: list[Page] = await w.run(collect(w.client.pages("users", params={"$top": "1"}, prefer=("a=b",))))
    assert [entry["id"] for one in pages for entry in one.items] == ["1", "2"]
    assert w.transport.seen[0].url == f"{BASE}/users?$top=1"
    assert w.transport.seen[1].headers["Prefer"] == "a=b"
