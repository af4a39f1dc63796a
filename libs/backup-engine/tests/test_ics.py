"""iCalendar files as icalendar and khal read them; khal computes days with code that nobody here wrote."""

import base64
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from backup_engine import NewItem, Repository, Snapshot
from backup_engine.exporting import ARCHIVES, FORMATS, MANIFEST, other_files
from backup_engine.exporting.ics_events import components, plain_text

SHARD, SESSION = "c1/anna", "01ARZ3NDEKTSV4RRFFQ0000001"
BERLIN = "W. Europe Standard Time"
CONFIG = """[calendars]
[[exported]]
path = {folder}/vdir
[default]
default_calendar = exported
[locale]
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
local_timezone = UTC
default_timezone = UTC
[sqlite]
path = {folder}/khal.db
"""


def event(key: str, start: str, end: str, **more: Any) -> dict[str, Any]:
    """An event as Graph delivers it; times in UTC."""
    return {
        "id": key,
        "iCalUId": f"{key}@x.example",
        "subject": key,
        "start": {"dateTime": f"{start}.0000000", "timeZone": "UTC"},
        "end": {"dateTime": f"{end}.0000000", "timeZone": "UTC"},
        "originalStartTimeZone": BERLIN,
        "lastModifiedDateTime": "2026-01-01T08:00:00Z",
        **more,
    }


def series(key: str, span: dict[str, Any], **pattern: Any) -> dict[str, Any]:
    """A series at 9 o'clock in Berlin, from the start of its range."""
    full = {"startDate": "2026-03-16", "recurrenceTimeZone": BERLIN, **span}
    start = f"{full['startDate']}T08:00:00"
    recurrence = {"pattern": {"interval": 1, **pattern}, "range": full}
    return event(key, start, start.replace("08:", "09:"), recurrence=recurrence)


def stored(found: dict[str, Any], exceptions: Any = (), cancelled: Any = ()) -> bytes:
    return json.dumps({"event": found, "exceptions": list(exceptions), "cancelled": list(cancelled)}).encode()


@pytest.fixture
def backup(repository: Repository) -> Callable[..., tuple[Repository, Snapshot]]:
    def make(*bodies: bytes, attached: Any = ()) -> tuple[Repository, Snapshot]:
        now = datetime(2026, 1, 5, tzinfo=UTC)
        session = repository.open_session(SHARD, SESSION, parent=None)
        for key, name in (("c1", "Kalender"), ("c2", "kalender"), ("c3", "a/b: ?")):
            session.put_record(
                key, "calendar", "1", "", {"name": name, "is_default": key == "c1", "hexColor": "#a6d1f5"}
            )
        for body in bodies:
            session.put_page_item(NewItem(json.loads(body)["event"]["id"], "event", "1", "c1", {}), body)
        for key, owner, meta, content in attached:
            session.put_item(NewItem(key, "event-attachment", "1", owner, {"event": owner, **meta}), content)
        snapshot = session.commit(
            b"x", listed=len(bodies), skipped=[], failed=[], expires_at=now + timedelta(days=9), taken_at=now
        )
        return repository, snapshot

    return make


def unzipped(repository: Repository, snapshot: Snapshot) -> dict[str, bytes]:
    raw = b"".join(ARCHIVES["ics"](repository, SHARD, snapshot.id))
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def khal(folder: Path, ics: bytes, first: str, last: str) -> list[str]:
    """What khal lists between two days, one `start|title` per line and day."""
    (folder / "vdir").mkdir()
    (folder / "in.ics").write_bytes(ics)
    (folder / "khal.conf").write_text(CONFIG.format(folder=folder))
    run = [sys.executable, "-m", "khal", "-c", str(folder / "khal.conf")]
    subprocess.run([*run, "import", "--batch", str(folder / "in.ics")], check=True, capture_output=True)
    form = ["list", "--day-format", "", "--format", "{start-long-full}|{title}", first, last]
    done = subprocess.run([*run, *form], check=True, capture_output=True, text=True)
    return sorted({line for line in done.stdout.splitlines() if "|" in line})


FIVE = {"type": "numbered", "numberOfOccurrences": 3}
PATTERNS = [
    ({"type": "daily", "interval": 2}, ["2026-03-16", "2026-03-18", "2026-03-20"]),
    (
        {"type": "weekly", "interval": 2, "daysOfWeek": ["monday", "sunday"], "firstDayOfWeek": "monday"},
        ["2026-03-16", "2026-03-22", "2026-03-30"],
    ),
    (
        {"type": "weekly", "interval": 2, "daysOfWeek": ["monday", "sunday"], "firstDayOfWeek": "sunday"},
        ["2026-03-16", "2026-03-29", "2026-03-30"],
    ),
    ({"type": "absoluteMonthly", "dayOfMonth": 16}, ["2026-03-16", "2026-04-16", "2026-05-16"]),
    (
        {"type": "relativeMonthly", "daysOfWeek": ["monday"], "index": "third"},
        ["2026-03-16", "2026-04-20", "2026-05-18"],
    ),
    ({"type": "absoluteYearly", "dayOfMonth": 16, "month": 3}, ["2026-03-16", "2027-03-16", "2028-03-16"]),
    (
        {"type": "relativeYearly", "daysOfWeek": ["monday"], "index": "third", "month": 3},
        ["2026-03-16", "2027-03-15", "2028-03-20"],
    ),
]


def test_khal_finds_every_day_of_every_pattern(backup: Any, tmp_path: Path) -> None:
    bodies = [stored(series(f"p{number}", FIVE, **pattern)) for number, (pattern, _) in enumerate(PATTERNS)]
    last_day = {"type": "noEnd", "startDate": "2026-01-31"}
    bodies.append(stored(series("short", last_day, type="absoluteMonthly", dayOfMonth=31)))
    ended = {"type": "endDate", "endDate": "2026-03-18"}
    bodies.append(stored(series("ended", ended, type="daily")))
    found = khal(tmp_path, unzipped(*backup(*bodies))["calendars/Kalender.ics"], "2026-01-01", "2028-12-31")
    for number, (_, days) in enumerate(PATTERNS):
        assert [line[:10] for line in found if line.endswith(f"|p{number}")] == days
    # Nine o'clock in Berlin before and after the clocks change.
    assert {line[11:16] for line in found if line.endswith(("|p0", "|p3"))} == {"08:00", "07:00"}
    assert [line[:10] for line in found if line.endswith("|short")][:4] == [
        "2026-01-31",
        "2026-02-28",
        "2026-03-31",
        "2026-04-30",
    ]
    assert [line[:10] for line in found if line.endswith("|ended")] == ["2026-03-16", "2026-03-17", "2026-03-18"]


def test_khal_shows_exceptions_cancelled_days_and_whole_days(backup: Any, tmp_path: Path) -> None:
    weekly = series("s1", FIVE | {"numberOfOccurrences": 4}, type="weekly", daysOfWeek=["monday"])
    moved = event("s1.d", "2026-03-24T10:00:00", "2026-03-24T11:00:00", originalStart="2026-03-23T08:00:00Z")
    holiday = event("whole", "2026-05-01T00:00:00", "2026-05-03T00:00:00", isAllDay=True)
    yearly = {"pattern": {"type": "absoluteYearly", "interval": 1, "dayOfMonth": 1, "month": 6}}
    yearly["range"] = {"type": "noEnd", "startDate": "2026-06-01", "recurrenceTimeZone": BERLIN}
    birthday = event("birthday", "2026-06-01T00:00:00", "2026-06-02T00:00:00", isAllDay=True, recurrence=yearly)
    bodies = [stored(weekly, [moved | {"subject": "moved"}], ["OID.s1.2026-03-30"]), stored(holiday), stored(birthday)]
    found = khal(tmp_path, unzipped(*backup(*bodies))["calendars/Kalender.ics"], "2026-03-01", "2027-06-30")
    assert found == [
        "2026-03-16 08:00|s1",
        "2026-03-24 10:00|moved",
        "2026-04-06 07:00|s1",
        "2026-05-01 00:00|whole",
        "2026-06-01 00:00|birthday",
        "2027-06-01 00:00|birthday",
    ]


def test_everything_an_event_says_is_there(backup: Any) -> None:
    people = [
        {
            "type": kind,
            "status": {"response": answer},
            "emailAddress": {"name": 'Jürgen "JM"\nMüller', "address": f"{kind}@x.example"},
        }
        for kind, answer in (("required", "accepted"), ("optional", "tentativelyAccepted"), ("resource", "none"))
    ]
    full = event(
        "full",
        "2026-03-16T08:00:00",
        "2026-03-16T09:00:00",
        subject="Größe, Maße; und \\ 日本",
        body={
            "contentType": "html",
            "content": "<head><style>p{}</style></head><p>Zeile&nbsp;1</p>\r\n\n<p>Zeile &lt;2&gt;</p>",
        },
        location={"displayName": "Raum 4, Köln"},
        attendees=people,
        organizer={"emailAddress": {"name": "Anna", "address": "anna@x.example"}},
        categories=["Rot", "a, b"],
        sensitivity="private",
        showAs="free",
        importance="high",
        isReminderOn=True,
        reminderMinutesBeforeStart=30,
        onlineMeeting={"joinUrl": "https://teams.example/j"},
    )
    attached = [
        ("a1", "full", {"name": "Maße.txt", "content_type": "text/plain", "attachment_type": "file"}, b"\x00\xffsmall"),
        ("a2", "full", {"name": "groß.bin", "content_type": "", "attachment_type": "file"}, bytes(2_000_000)),
        ("a3", "full", {"name": "Brief", "attachment_type": "item"}, b"Subject: x\r\n\r\n"),
    ]
    repository, snapshot = backup(stored(full), attached=attached)
    files = unzipped(repository, snapshot)
    calendar = Calendar.from_ical(files["calendars/Kalender.ics"])
    [found] = calendar.walk("VEVENT")
    assert str(found["SUMMARY"]) == full["subject"]
    assert str(found["DESCRIPTION"]) == "Zeile 1\n\nZeile <2>"
    assert (str(found["LOCATION"]), str(found["CLASS"]), str(found["TRANSP"])) == (
        "Raum 4, Köln",
        "PRIVATE",
        "TRANSPARENT",
    )
    assert [str(person.params["PARTSTAT"]) for person in found["ATTENDEE"]] == ["ACCEPTED", "TENTATIVE", "NEEDS-ACTION"]
    assert str(found["ORGANIZER"]) == "mailto:anna@x.example"
    assert [str(name) for name in found["CATEGORIES"].cats] == ["Rot", "a, b"]
    assert found.walk("VALARM")[0]["TRIGGER"].dt == timedelta(minutes=-30)
    assert found["DTSTART"].dt.tzinfo.key == "Europe/Berlin"
    assert [str(zone["TZID"]) for zone in calendar.walk("VTIMEZONE")] == ["Europe/Berlin"]
    inline, linked, item = found["ATTACH"]
    assert inline.params["X-FILENAME"] == "Maße.txt"
    assert base64.b64decode(inline.to_ical()) == b"\x00\xffsmall"
    assert str(linked) == "Kalender%20attachments/000001%20gro%C3%9F.bin"
    assert files["calendars/Kalender attachments/000001 groß.bin"] == bytes(2_000_000)
    assert item.params["X-FILENAME"] == "Brief.eml"
    assert calendar["X-WR-CALNAME"] == "Kalender"


def test_a_file_per_calendar_with_names_for_every_system(backup: Any) -> None:
    repository, snapshot = backup(stored(event("e1", "2026-03-16T08:00:00", "2026-03-16T09:00:00")))
    files = unzipped(repository, snapshot)
    assert sorted(files) == ["calendars/Kalender.ics", "calendars/a_b_ _.ics", "calendars/kalender (2).ics", MANIFEST]
    for name in sorted(files)[:3]:
        Calendar.from_ical(files[name])
    lines = [json.loads(line) for line in files[MANIFEST].splitlines()]
    assert [(line["kind"], line["path"]) for line in lines if line["kind"] == "event"] == [
        ("event", "calendars/Kalender.ics")
    ]


def test_what_cannot_be_written_or_read_costs_itself(backup: Any, tmp_path: Path) -> None:
    strange = event("strange", "never", "never")
    torn = event("torn", "2026-03-16T08:00:00", "2026-03-16T09:00:00", iCalUId="one\ntwo\r\nBEGIN:VALARM")
    good = event("good", "2026-03-16T08:00:00", "2026-03-16T09:00:00")
    attached = [("a1", "good", {"name": "x", "attachment_type": "file"}, b"y" * 9_000)]
    repository, snapshot = backup(stored(strange), stored(torn), stored(good), attached=attached)
    files = unzipped(repository, snapshot)
    found = Calendar.from_ical(files["calendars/Kalender.ics"]).walk("VEVENT")
    assert sorted(str(each["SUMMARY"]) for each in found) == ["good", "torn"]
    [bad] = [json.loads(line) for line in files[MANIFEST].splitlines() if b'"damaged"' in line]
    assert bad["key"] == "strange"
    assert "path" not in bad
    FORMATS["ics"]((), tmp_path / "out", other_files(repository, SHARD, snapshot.id))
    written = (tmp_path / "out" / "calendars" / "Kalender.ics").read_bytes()
    assert Calendar.from_ical(written) == Calendar.from_ical(files["calendars/Kalender.ics"])


def test_an_unknown_time_zone_counts_as_utc() -> None:
    odd = event("odd", "2026-03-16T08:00:00", "2026-03-16T09:00:00", originalStartTimeZone="Customized Time Zone")
    _, [component] = components(odd, (), (), {})
    assert component["DTSTART"].dt == datetime(2026, 3, 16, 8, tzinfo=UTC)
    assert isinstance(component["DTSTART"].dt, date)


def test_plain_text_of_markup() -> None:
    assert plain_text("a<br>b<!-- x --><script>no</script><div>c&amp;d</div>\r\ne") == "a\nbc&d\n\ne"
