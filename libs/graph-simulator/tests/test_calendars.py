from collections.abc import Iterator
from typing import Any

import pytest

UTC_WINDOW = "startDateTime=2026-01-01T00:00:00Z&endDateTime=2026-12-31T00:00:00Z"
BERLIN = 'outlook.timezone="W. Europe Standard Time"'
TAG = "String {6f4f1d4b-5a1f-4a3e-9a5b-0a6f3a9b1c2d} Name TenantkeepRestore"


@pytest.fixture
def calendar(northwind: Any) -> Iterator[str]:
    """A calendar of its own in the mailbox restore-target, gone after the test."""
    home = northwind.user("restore-target")
    made = northwind.call("POST", f"{home}/calendars", json={"name": "Test", "color": "lightTeal"})
    assert (made.status_code, made.json()["hexColor"]) == (201, "#4adacc")
    path = f"{home}/calendars/{made.json()['id']}"
    yield path
    northwind.call("DELETE", path)


def timed(subject: str = "Termin", hour: int = 9, **more: Any) -> dict[str, Any]:
    zone = more.pop("zone", "W. Europe Standard Time")
    moments = {"start": f"2026-03-23T{hour:02d}:00:00", "end": f"2026-03-23T{hour:02d}:30:00"}
    return {"subject": subject, **{k: {"dateTime": v, "timeZone": zone} for k, v in moments.items()}, **more}


def weekly(**more: Any) -> dict[str, Any]:
    pattern = {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "monday"}
    span = {"type": "numbered", "startDate": "2026-03-23", "numberOfOccurrences": 4}
    return timed("Serie", recurrence={"pattern": pattern, "range": span}, **more)


def create(tenant: Any, calendar: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = tenant.call("POST", f"{calendar}/events", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def event(tenant: Any, made: dict[str, Any], query: str = "", **options: Any) -> Any:
    return tenant.get(f"{tenant.user('restore-target')}/events/{made['id']}{query}", **options)


def instances(tenant: Any, made: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = event(tenant, made, f"/instances?{UTC_WINDOW}", **options)["value"]
    return found


def test_a_mailbox_has_calendars_of_one_name_of_others_and_in_groups(northwind: Any) -> None:
    home = northwind.user("anna.gross")
    found = northwind.get(f"{home}/calendars?$top=100")["value"]
    assert [each["name"] for each in found].count("Projekte") == 2
    assert [each["name"] for each in found if each["isDefaultCalendar"]] == ["Kalender"]
    shared = [each for each in found if not each["owner"]["address"].startswith("anna.gross@")]
    assert [(each["name"], each["canEdit"]) for each in shared] == [("Kalender", False)]
    groups = northwind.get(f"{home}/calendarGroups")["value"]
    inside = [northwind.get(f"{home}/calendarGroups/{group['id']}/calendars")["value"] for group in groups]
    assert sorted(each["id"] for group in inside for each in group) == sorted(each["id"] for each in found)
    assert northwind.get(f"{home}/calendar")["isDefaultCalendar"]


def test_calendars_are_made_renamed_and_deleted(northwind: Any, calendar: str) -> None:
    home = northwind.user("restore-target")
    again = northwind.call("POST", f"{home}/calendars", json={"name": "TEST"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "ErrorFolderExists")
    assert northwind.call("PATCH", calendar, json={"name": "Anders"}).json()["name"] == "Anders"
    default = northwind.get(f"{home}/calendar")["id"]
    assert northwind.call("DELETE", f"{home}/calendars/{default}").status_code == 400
    made = create(northwind, calendar, timed())
    assert northwind.call("DELETE", calendar).status_code == 204
    assert northwind.call("GET", f"{home}/events/{made['id']}").status_code == 404


def test_times_are_shown_in_the_zone_asked_for(northwind: Any, calendar: str) -> None:
    made = create(northwind, calendar, timed())
    assert made["start"] == {"dateTime": "2026-03-23T08:00:00.0000000", "timeZone": "UTC"}
    assert made["originalStartTimeZone"] == "W. Europe Standard Time"
    local = event(northwind, made, prefer=BERLIN)["start"]
    assert local == {"dateTime": "2026-03-23T09:00:00.0000000", "timeZone": "W. Europe Standard Time"}
    bad = northwind.call("GET", f"{calendar}/events", prefer='outlook.timezone="Atlantis"')
    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "TimeZoneNotSupportedException")
    whole = (
        {"dateTime": "2026-05-01T00:00:00", "timeZone": "UTC"},
        {"dateTime": "2026-05-02T00:00:00", "timeZone": "UTC"},
    )
    day = create(northwind, calendar, {"subject": "Feiertag", "isAllDay": True, "start": whole[0], "end": whole[1]})
    assert event(northwind, day, prefer=BERLIN)["start"]["dateTime"] == "2026-05-01T00:00:00.0000000"


def test_a_series_keeps_its_hour_when_the_clocks_change(northwind: Any, calendar: str) -> None:
    made = create(northwind, calendar, weekly())
    assert made["type"] == "seriesMaster"
    found = instances(northwind, made)
    assert [each["start"]["dateTime"][:16] for each in found] == [
        "2026-03-23T08:00",
        "2026-03-30T07:00",
        "2026-04-06T07:00",
        "2026-04-13T07:00",
    ]
    assert {(each["type"], each["seriesMasterId"]) for each in found} == {("occurrence", made["id"])}
    view = northwind.get(f"{calendar}/calendarView?{UTC_WINDOW}&$top=3")
    assert len(view["value"]) == 3
    rest = northwind.get(view["@odata.nextLink"])
    assert [each["id"] for each in view["value"] + rest["value"]] == [each["id"] for each in found]
    listed = northwind.get(f"{calendar}/events?$count=true")
    assert [each["id"] for each in listed["value"]] == [made["id"]]
    assert listed["@odata.count"] == 1


def test_days_that_differ_and_cancelled_days_are_told_with_the_master(northwind: Any, calendar: str) -> None:
    home = northwind.user("restore-target")
    made = create(northwind, calendar, weekly())
    first, second, third, _ = instances(northwind, made)
    renamed = northwind.call("PATCH", f"{home}/events/{second['id']}", json={"subject": "Verschoben"}).json()
    assert (renamed["type"], renamed["id"], renamed["seriesMasterId"]) == ("exception", second["id"], made["id"])
    assert renamed["originalStart"] == "2026-03-30T07:00:00Z"
    moved = {"start": {"dateTime": "2026-04-07T12:00:00", "timeZone": "UTC"}}
    moved["end"] = {"dateTime": "2026-04-07T13:00:00", "timeZone": "UTC"}
    assert northwind.call("PATCH", f"{home}/events/{third['id']}", json=moved).status_code == 200
    assert northwind.call("DELETE", f"{home}/events/{first['id']}").status_code == 204
    query = "?$select=subject,cancelledOccurrences,changeKey&$expand=exceptionOccurrences"
    master = event(northwind, made, query)
    assert master["cancelledOccurrences"] == [f"OID.{made['id']}.2026-03-23"]
    assert [each["subject"] for each in master["exceptionOccurrences"]] == ["Verschoben", "Serie"]
    assert master["changeKey"] != made["changeKey"]
    assert "cancelledOccurrences" not in event(northwind, made)
    assert [each["type"] for each in instances(northwind, made)] == ["exception", "exception", "occurrence"]
    assert northwind.call("GET", f"{home}/events/{first['id']}").status_code == 404
    northwind.call("PATCH", f"{home}/events/{made['id']}", json={"subject": "Neu"})
    assert sorted({each["subject"] for each in instances(northwind, made)}) == ["Neu", "Verschoben"]
    northwind.call("PATCH", f"{home}/events/{made['id']}", json={"recurrence": made["recurrence"]})
    assert [each["type"] for each in instances(northwind, made)] == ["occurrence"] * 4


def test_an_immutable_id_survives_a_move_to_another_calendar(northwind: Any, calendar: str) -> None:
    home = northwind.user("restore-target")
    made = create(northwind, calendar, weekly())
    prefer = 'IdType="ImmutableId"'
    lasting = event(northwind, made, "?$select=id", prefer=prefer)["id"]
    day = instances(northwind, made, prefer=prefer)[1]["id"]
    where = {"user": f"restore-target@{northwind.name}.onmicrosoft.com", "event": lasting}
    where["calendar"] = northwind.get(f"{home}/calendar")["id"]
    northwind.simulator.control("POST", f"tenants/{northwind.name}/move-event", where)
    assert northwind.call("GET", f"{home}/events/{made['id']}").status_code == 404
    assert northwind.get(f"{home}/calendar/events/{lasting}", prefer=prefer)["id"] == lasting
    assert northwind.get(f"{home}/events/{day}", prefer=prefer)["seriesMasterId"] == lasting
    northwind.call("DELETE", f"{home}/events/{lasting}")


def test_attendees_are_invited_and_told_of_every_change(northwind: Any, calendar: str) -> None:
    home = northwind.user("restore-target")
    control = f"tenants/{northwind.name}/invitations"
    before = len(northwind.simulator.control("GET", control)["invitations"])
    people = [{"emailAddress": {"name": name, "address": f"{name}@x.example"}, "type": "required"} for name in "ab"]
    made = create(northwind, calendar, timed(attendees=people))
    assert made["attendees"][0]["status"] == {"response": "none", "time": "0001-01-01T00:00:00Z"}
    northwind.call("PATCH", f"{home}/events/{made['id']}", json={"attendees": people[:1]})
    northwind.call("DELETE", f"{home}/events/{made['id']}")
    alone = create(northwind, calendar, timed())
    northwind.call("DELETE", f"{home}/events/{alone['id']}")
    sent = northwind.simulator.control("GET", control)["invitations"][before:]
    assert [(each["kind"], each["recipient"][0]) for each in sent] == [
        ("request", "a"),
        ("request", "b"),
        ("update", "a"),
        ("cancellation", "b"),
        ("cancellation", "a"),
    ]


def test_a_transaction_id_creates_one_event_and_a_property_finds_it(northwind: Any, calendar: str) -> None:
    tag = [{"id": TAG, "value": "r1|k1"}]
    body = timed(transactionId="0a1b", singleValueExtendedProperties=tag)
    first, second = (create(northwind, calendar, body) for _ in range(2))
    assert first["id"] == second["id"]
    condition = f"singleValueExtendedProperties/any(p: p/id eq '{TAG}' and p/value eq 'r1|k1')"
    found = northwind.get(
        f"{calendar}/events?$filter={condition}&$expand=singleValueExtendedProperties($filter=id eq '{TAG}')"
    )["value"]
    assert [each["singleValueExtendedProperties"] for each in found] == [tag]
    assert northwind.get(f"{calendar}/events?$filter={condition.replace('k1', 'k2')}")["value"] == []


def test_attachments_of_every_kind_and_a_large_one(northwind: Any, calendar: str) -> None:
    home = northwind.user("restore-target")
    made = create(northwind, calendar, weekly())
    path = f"{home}/events/{made['id']}/attachments"
    file = {"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.txt", "contentBytes": "aGFsbG8="}
    posted = northwind.call("POST", path, json=file)
    assert posted.status_code == 201, posted.text
    assert northwind.call("GET", f"{path}/{posted.json()['id']}/$value").content == b"hallo"
    content = bytes(range(256)) * 13_000
    item = {"attachmentType": "file", "name": "big.bin", "size": len(content)}
    session = northwind.call("POST", f"{path}/createUploadSession", json={"AttachmentItem": item}).json()
    headers = {"Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}"}
    assert northwind.http.put(session["uploadUrl"], content=content, headers=headers).status_code == 201
    listed = northwind.get(f"{path}?$select=name,size")["value"]
    assert [(each["name"], each["size"]) for each in listed] == [("a.txt", 5), ("big.bin", len(content))]
    assert event(northwind, made)["hasAttachments"] is True
    assert event(northwind, made)["changeKey"] != made["changeKey"]
    day = instances(northwind, made)[0]
    assert len(event(northwind, day, "/attachments?$select=name")["value"]) == 2
    northwind.call("DELETE", f"{path}/{posted.json()['id']}")
    assert [each["name"] for each in northwind.get(path)["value"]] == ["big.bin"]


def test_seeded_calendars_have_every_kind_of_event(northwind: Any) -> None:
    kinds: set[str] = set()
    attached: set[str] = set()
    for mailbox in ("anna.gross", "mehmet.yildiz"):
        home = northwind.user(mailbox)
        for calendar in northwind.get(f"{home}/calendars?$top=50")["value"]:
            events = northwind.get(f"{home}/calendars/{calendar['id']}/events?$top=100")["value"]
            kinds |= {(each["recurrence"] or {"pattern": {"type": each["type"]}})["pattern"]["type"] for each in events}
            for each in events:
                kinds |= {name for name in ("isAllDay", "isOnlineMeeting") if each[name]}
                if each["hasAttachments"]:
                    found = northwind.get(f"{home}/events/{each['id']}/attachments")["value"]
                    attached |= {attachment["@odata.type"].rpartition(".")[2] for attachment in found}
    patterns = {"daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly"}
    assert kinds >= patterns | {"singleInstance", "isAllDay", "isOnlineMeeting"}
    assert attached == {"fileAttachment", "itemAttachment", "referenceAttachment"}


def test_reading_needs_a_calendar_permission_and_writing_another(northwind: Any) -> None:
    home = northwind.user("anna.gross")
    refused = northwind.call("GET", f"{home}/calendars", "directory")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "ErrorAccessDenied")
    assert northwind.call("POST", f"{home}/events", "exchange-backup", json=timed()).status_code == 403


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"start": None}, "ErrorPropertyValidationFailure"),
        ({"end": {"dateTime": "2025-01-01T00:00:00", "timeZone": "UTC"}}, "ErrorCalendarEndDateIsEarlierThanStartDate"),
        ({"isAllDay": True}, "ErrorInvalidRequest"),
        ({"zone": "Atlantis"}, "TimeZoneNotSupportedException"),
        ({"importance": "huge"}, "RequestBodyRead"),
        ({"colour": "blue"}, "RequestBodyRead"),
        ({"recurrence": {"pattern": {"type": "hourly"}}}, "ErrorInvalidRequest"),
        ({"attendees": "me"}, "RequestBodyRead"),
    ],
)
def test_what_graph_does_not_take_is_refused(northwind: Any, calendar: str, change: dict[str, Any], code: str) -> None:
    answer = northwind.call(
        "POST", f"{calendar}/events", json=timed(**change) | {k: v for k, v in change.items() if k != "zone"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
