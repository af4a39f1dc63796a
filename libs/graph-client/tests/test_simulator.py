"""The client against the simulated Microsoft 365, with the faults it can inject."""

import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from graph_client import (
    Budget,
    DeltaPage,
    Forbidden,
    GraphClient,
    ItemUnreadable,
    Limits,
    NotFound,
    ResyncRequired,
    SystemClock,
    Throttled,
    Unreachable,
    segment,
)
from graph_simulator.testing import SimulatorProcess, seed

pytestmark = pytest.mark.integration

IMMUTABLE = 'IdType="ImmutableId"'
MAILS = 60


class EntraTokens:
    """Client credentials by hand: the library brings no token source."""

    def __init__(self, url: str, tenant_id: str, app: dict[str, str], trust: Any) -> None:
        self._url = f"{url}/{tenant_id}/oauth2/v2.0/token"
        self._form = {
            "grant_type": "client_credentials",
            "scope": "https://graph.microsoft.com/.default",
            "client_id": app["client_id"],
            "client_secret": app["client_secret"],
        }
        self._trust = trust
        self._token = ""
        self.refused = 0

    async def token(self) -> str:
        if not self._token:
            async with httpx.AsyncClient(verify=self._trust, trust_env=False) as client:
                answer = await client.post(self._url, data=self._form)
            self._token = answer.raise_for_status().json()["access_token"]
        return self._token

    async def rejected(self, token: str) -> None:
        assert token == self._token
        self._token = ""
        self.refused += 1


class Tenant:
    def __init__(self, server: SimulatorProcess, apps_file: Path) -> None:
        self.server = server
        known = json.loads(apps_file.read_text())
        self.tenant_id, self.apps = known["tenant_id"], known["apps"]

    def tokens(self, profile: str = "exchange-backup") -> EntraTokens:
        return EntraTokens(self.server.url, self.tenant_id, self.apps[profile], self.server.tls())

    def client(self, tokens: EntraTokens | None = None, **limits: Any) -> GraphClient:
        clock, rng = SystemClock(), random.Random(11)
        return GraphClient(
            f"{self.server.url}/v1.0",
            tokens or self.tokens(),
            verify=self.server.tls(),
            budget=Budget(clock, rng, Limits(**{"backoff_base": 0.02, "backoff_cap": 0.1, **limits})),
            clock=clock,
            rng=rng,
        )

    def fault(self, **spec: Any) -> None:
        self.server.control("POST", "faults", spec)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    state = tmp_path_factory.mktemp("simulator")
    apps = state / "apps.json"
    seed(state, "contoso", "--generate", str(MAILS), "--mailboxes", "2", "--seed", "5", "--apps", str(apps))
    with SimulatorProcess(state) as server:
        yield Tenant(server, apps)


@pytest.fixture
def tenant(seeded: Tenant) -> Iterator[Tenant]:
    yield seeded
    seeded.server.control("DELETE", "faults")


@pytest.fixture
async def graph(tenant: Tenant) -> AsyncIterator[GraphClient]:
    async with tenant.client() as client:
        yield client


async def mailboxes(graph: GraphClient) -> list[str]:
    return [user["id"] async for page in graph.pages("users", params={"$top": "2"}) for user in page.items]


async def folders(graph: GraphClient, user: str) -> list[str]:
    path = f"users/{user}/mailFolders/delta"
    return [folder["id"] async for page in graph.delta(path) for folder in page.items]


async def fullest(graph: GraphClient) -> tuple[str, str]:
    """The user and folder with most mail."""
    found: list[tuple[int, str, str]] = []
    for user in await mailboxes(graph):
        async for page in graph.pages(f"users/{user}/mailFolders", params={"includeHiddenFolders": "true"}):
            found += [(folder["totalItemCount"], user, folder["id"]) for folder in page.items]
    _, user, folder = max(found)
    return user, folder


def delta_of(user: str, folder: str) -> str:
    return f"users/{user}/mailFolders/{segment(folder)}/messages/delta"


async def round_of(graph: GraphClient, start: str, size: int = 3) -> list[DeltaPage]:
    prefer = (IMMUTABLE, f"odata.maxpagesize={size}")
    return [page async for page in graph.delta(start, prefer=prefer)]


async def test_every_mail_is_listed_once_and_its_bytes_can_be_read(graph: GraphClient) -> None:
    seen: list[str] = []
    for user in await mailboxes(graph):
        for folder in await folders(graph, user):
            for page in await round_of(graph, delta_of(user, folder), 5):
                for item in page.items:
                    mime = await graph.read(f"users/{user}/messages/{segment(item['id'])}/$value")
                    seen.append(item["id"])
                    assert isinstance(mime, bytes)
    assert len(seen) == len(set(seen)) == MAILS
    assert graph.counters.requests > MAILS
    assert graph.counters.retries == 0


async def test_a_round_resumes_from_any_stored_link_in_another_client(graph: GraphClient, tenant: Tenant) -> None:
    user, folder = await fullest(graph)
    pages = await round_of(graph, delta_of(user, folder))
    everything = [item["id"] for page in pages for item in page.items]
    assert len(pages) > 3
    assert pages[1].next_link is not None
    async with tenant.client() as another:
        rest = await round_of(another, pages[1].next_link)
        assert [item["id"] for page in rest for item in page.items] == everything[6:]
        assert rest[-1].delta_link is not None
        (quiet,) = await round_of(another, rest[-1].delta_link)
        assert (quiet.items, quiet.removed) == ((), ())


@pytest.mark.parametrize("retry_after", ["0.3", "1", None, "garbage", "Thu, 01 Jan 2026 00:00:00 GMT"])
async def test_throttling_is_waited_out(graph: GraphClient, tenant: Tenant, retry_after: str | None) -> None:
    tenant.fault(kind="throttle", match="/users", count=2, retry_after=retry_after)
    assert await mailboxes(graph)
    assert graph.counters.throttled == 2


async def test_a_long_throttle_is_the_callers(graph: GraphClient, tenant: Tenant) -> None:
    tenant.fault(kind="throttle", match="/users", count=1, retry_after="120")
    with pytest.raises(Throttled) as caught:
        await mailboxes(graph)
    assert caught.value.after == pytest.approx(120, abs=1)


async def test_a_body_that_breaks_off_is_read_again(graph: GraphClient, tenant: Tenant) -> None:
    user, folder = await fullest(graph)
    item = (await round_of(graph, delta_of(user, folder)))[0].items[0]["id"]
    path = f"users/{user}/messages/{segment(item)}/$value"
    whole = await graph.read(path)
    tenant.fault(kind="reset-mid-body", match=r"/\$value$", after_bytes=min(100, len(whole) - 1), count=2)
    assert await graph.read(path) == whole
    assert graph.counters.retries == 2


async def test_an_unreadable_item_is_named_and_not_asked_again(graph: GraphClient, tenant: Tenant) -> None:
    user, folder = await fullest(graph)
    item = (await round_of(graph, delta_of(user, folder)))[0].items[0]["id"]
    tenant.fault(kind="unreadable-item", item_id=item)
    before = graph.counters.requests
    with pytest.raises(ItemUnreadable) as caught:
        await graph.read(f"users/{user}/messages/{segment(item)}/$value")
    assert caught.value.code == "ErrorCorruptData"
    assert caught.value.request_id
    assert graph.counters.requests == before + 1


async def test_a_void_cursor_needs_a_resync(graph: GraphClient, tenant: Tenant) -> None:
    user, folder = await fullest(graph)
    delta_link = (await round_of(graph, delta_of(user, folder), 500))[-1].delta_link
    assert delta_link is not None
    tenant.fault(kind="gone-delta", count=1)
    with pytest.raises(ResyncRequired):
        await round_of(graph, delta_link)


async def test_graph_that_is_away_is_unreachable(graph: GraphClient, tenant: Tenant) -> None:
    tenant.fault(kind="unavailable")
    with pytest.raises(Unreachable) as caught:
        await graph.get("users")
    assert caught.value.status == 503


async def test_revoked_tokens_are_renewed_in_the_middle_of_the_work(tenant: Tenant) -> None:
    tokens = tenant.tokens()
    async with tenant.client(tokens) as graph:
        user, folder = await fullest(graph)
        first = await anext(aiter(graph.delta(delta_of(user, folder), prefer=("odata.maxpagesize=3",))))
        tenant.server.control("POST", "tenants/contoso/revoke-tokens")
        assert first.next_link is not None
        assert await round_of(graph, first.next_link)
    assert tokens.refused == 1


async def test_the_backup_app_may_not_write_and_nothing_is_found_where_nothing_is(graph: GraphClient) -> None:
    user = (await mailboxes(graph))[0]
    with pytest.raises(Forbidden):
        await graph.post(f"users/{user}/mailFolders", {"displayName": "X"})
    with pytest.raises(NotFound):
        await graph.get(f"users/{user}/messages/{segment('no/such=id')}")
