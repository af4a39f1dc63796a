from collections.abc import Iterator
from typing import Any

import pytest

WINDOW = "startDateTime=2026-03-01T00:00:00Z&endDateTime=2026-05-01T00:00:00Z"
SPAN = {"type": "numbered", "startDate": "2026-03-23", "numberOfOccurrences": 3}
DAILY = {"pattern": {"type": "daily", "interval": 1}, "range": SPAN}


@pytest.fixture
def calendar(northwind: Any) -> Iterator[str]:
    home = northwind.user("restore-target")
    made = northwind.call("POST", f"{home}/calendars", json={"name": "Delta"}).json()
    yield f"{home}/calendars/{made['id']}"
    northwind.call("DELETE", f"{home}/calendars/{made['id']}")


def create(tenant: Any, calendar: str, day: str, **more: Any) -> dict[str, Any]:
    body = {"subject": "Termin", **more}
    body |= {
        name: {"dateTime": f"{day}T{hour}:00:00", "timeZone": "UTC"} for name, hour in (("start", 10), ("end", 11))
    }
    answer = tenant.call("POST", f"{calendar}/events", json=body)
    assert answer.status_code == 201
    made: dict[str, Any] = answer.json()
    return made


def follow(tenant: Any, url: str) -> tuple[list[dict[str, Any]], str]:
    entries: list[dict[str, Any]] = []
    while True:
        page = tenant.get(url, prefer="odata.maxpagesize=2")
        entries += page["value"]
        if "@odata.deltaLink" in page:
            return entries, page["@odata.deltaLink"]
        url = page["@odata.nextLink"]


def test_a_window_reports_what_takes_place_in_it_and_what_left_it(northwind: Any, calendar: str) -> None:
    home = northwind.user("restore-target")
    single, series = (
        create(northwind, calendar, "2026-03-10"),
        create(northwind, calendar, "2026-03-23", recurrence=DAILY),
    )
    outside = create(northwind, calendar, "2027-01-01")
    entries, link = follow(northwind, f"{calendar}/calendarView/delta?{WINDOW}")
    assert [each["type"] for each in entries] == ["singleInstance", "seriesMaster", *["occurrence"] * 3]
    assert outside["id"] not in {each["id"] for each in entries}
    assert entries[2].keys() == {"@odata.type", "@odata.etag", "id", "type", "seriesMasterId", "start", "end"}
    gone, kept = entries[2]["id"], entries[3]["id"]
    northwind.call("DELETE", f"{home}/events/{gone}")
    northwind.call("PATCH", f"{home}/events/{kept}", json={"subject": "anders"})
    later = {
        name: {"dateTime": f"2028-01-01T{hour}:00:00", "timeZone": "UTC"} for name, hour in (("start", 10), ("end", 11))
    }
    northwind.call("PATCH", f"{home}/events/{single['id']}", json=later)
    northwind.call("PATCH", f"{home}/events/{outside['id']}", json={"subject": "unseen"})
    entries, link = follow(northwind, link)
    removed = {each["id"] for each in entries if "@removed" in each}
    assert removed == {gone, single["id"], outside["id"]}
    live = {each["id"]: each["type"] for each in entries if "@removed" not in each}
    assert live[series["id"]] == "seriesMaster"
    assert live[kept] == "exception"
    assert follow(northwind, link)[0] == []


def test_options_that_are_not_supported_are_refused(northwind: Any, calendar: str) -> None:
    for query in (f"{WINDOW}&$select=subject", "$top=1", "startDateTime=2026-01-01&endDateTime=tomorrow"):
        assert northwind.call("GET", f"{calendar}/calendarView/delta?{query}").status_code == 400, query


def test_its_feed_has_the_faults_of_every_feed(northwind: Any, calendar: str, faults: Any) -> None:
    create(northwind, calendar, "2026-03-10")
    url = f"{calendar}/calendarView/delta?{WINDOW}"
    _, link = follow(northwind, url)
    faults(kind="gone-delta", match="calendarView/delta")
    gone = northwind.call("GET", link)
    assert (gone.status_code, gone.json()["error"]["code"]) == (410, "SyncStateNotFound")
    faults(kind="delta-loop", match="calendarView/delta", count=3)
    pages = [northwind.get(url)]
    for _ in range(2):
        pages.append(northwind.get(pages[-1]["@odata.nextLink"]))
    assert len({page["@odata.nextLink"] for page in pages}) == 3
    assert pages[0]["value"] == pages[1]["value"] == pages[2]["value"]


def test_an_unreadable_event_and_one_that_cannot_be_listed(northwind: Any, calendar: str, faults: Any) -> None:
    home = northwind.user("restore-target")
    bad, good = create(northwind, calendar, "2026-03-10"), create(northwind, calendar, "2026-03-11")
    faults(kind="unreadable-item", item_id=bad["id"])
    assert northwind.call("GET", f"{home}/events/{bad['id']}").json()["error"]["code"] == "ErrorCorruptData"
    assert len(northwind.get(f"{calendar}/events")["value"]) == 2
    faults(kind="unlistable-item", item_id=bad["id"])
    whole = northwind.call("GET", f"{calendar}/events")
    assert (whole.status_code, whole.json()["error"]["code"]) == (500, "InternalServerError")
    assert northwind.get(f"{home}/events/{good['id']}")["id"] == good["id"]
