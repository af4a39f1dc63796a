"""Items are browsed, searched, shown and downloaded, and nothing of them is in documents, streams, logs or metrics."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest
import secret_scan
from secret_scan import Scan
from stack_fixture import RunningStack
from two_tenants import MINE, Pair

from tenantkeep.stack import trust

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(180)]


def _looked_into(pair: Pair) -> list[dict[str, Any]]:
    """Every question there is about what a restore point holds; the items it was about."""
    api, mine = pair.api, pair.mine
    point = f"/tenants/{MINE}/restore-points/{mine.restore_point}"
    items: list[dict[str, Any]] = []
    for folder in api.done("GET", f"{point}/folders")["items"]:
        items += api.done("GET", f"{point}/folders/{quote(folder['id'], safe='')}/items")["items"]
    assert items
    texts = 0
    for item in items:
        one = f"{point}/items/{quote(item['id'], safe='')}"
        assert api.done("GET", one)["subject"] == item["subject"]
        texts += bool(api.done("GET", f"{one}/message")["text"])
        found = api.done("GET", f"{point}/search?subject={quote(item['subject'])}&everywhere=true")["items"]
        assert item["id"] in [hit["id"] for hit in found]
        opened = api.done("POST", f"{one}/downloads", {})
        stored = api.client.get(opened["url"], headers={"authorization": f"Bearer {api.token([MINE])}"})
        assert (stored.status_code, len(stored.content)) == (200, item["size"])
    assert texts > 1
    assert api.call("GET", f"{point}/search?q=%00&cursor=x", tenants=[MINE]).status_code in {200, 422}
    assert api.done("GET", f"{point}/compare?with={mine.restore_point}")["items"] == []
    return items


def _metrics(scan: Scan, stack: RunningStack) -> None:
    ports = ("token_service", "sync_service", "backup_planner", "backup_worker", "monitor_service", "gateway_health")
    with httpx.Client(verify=trust.context(stack.home.ca), trust_env=False) as client:
        for name in ports:
            scan.read(f"metrics:{name}", client.get(f"https://127.0.0.1:{stack.ports[name]}/metrics").text)


async def test_nothing_of_an_item_is_outside_the_repository(pair: Pair) -> None:
    stack, scan = pair.api.stack, Scan()
    for number, item in enumerate(_looked_into(pair)):
        for name in ("subject", "excerpt"):
            if len(item[name]) >= 12:
                scan.know(f"{name} of item {number}", item[name])
    assert len({name for name in scan.needles.values() if name.startswith("subject")}) > 1
    secret_scan.files(scan, [path for path in stack.home.logs.iterdir() if "simulator" not in path.name], "logs")
    secret_scan.files(scan, stack.home.run.iterdir(), "state")
    secret_scan.databases(scan, stack)
    await secret_scan.streams(scan, stack)
    _metrics(scan, stack)
    assert scan.found == []
    places = {"logs", "state", "documents", "streams", "metrics"}
    assert {place for place, size in scan.bytes_read.items() if size > 1_000} >= places, "not read is not proven"
    assert [path for path in stack.home.root.rglob("search/*") if path.is_file()] == []
