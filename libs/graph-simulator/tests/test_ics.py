from pathlib import Path
from typing import Any

import httpx
import pytest

from graph_simulator.seed import ics
from graph_simulator.seed.mail import SourceInvalidError
from graph_simulator.testing import SimulatorProcess, seed

FILE = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//test//DE
X-WR-CALNAME:Verein
BEGIN:VEVENT
UID:1@test
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:20260105T190000
DTEND;TZID=Europe/Berlin:20260105T203000
RRULE:FREQ=MONTHLY;BYDAY=1MO;COUNT=5
EXDATE;TZID=Europe/Berlin:20260202T190000
SUMMARY:Vorstandssitzung
CATEGORIES:Verein,Wichtig
ATTENDEE;CN=Jürgen Müller;PARTSTAT=ACCEPTED:mailto:jm@verein.example
END:VEVENT
BEGIN:VEVENT
UID:1@test
DTSTAMP:20260101T000000Z
RECURRENCE-ID;TZID=Europe/Berlin:20260302T190000
DTSTART;TZID=Europe/Berlin:20260303T190000
DTEND;TZID=Europe/Berlin:20260303T203000
SUMMARY:Vorstandssitzung (Dienstag)
END:VEVENT
BEGIN:VEVENT
UID:2@test
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20260501
SUMMARY:Maifeiertag
CLASS:PRIVATE
TRANSP:TRANSPARENT
END:VEVENT
END:VCALENDAR
"""


def test_a_file_becomes_a_calendar(
    northwind: Any, simulator: SimulatorProcess, http: httpx.Client, tmp_path: Path
) -> None:
    (tmp_path / "verein.ics").write_text(FILE)
    summary = seed(
        simulator.state, "northwind", "--generate", "0", "--ics", str(tmp_path / "verein.ics"), "--user", "ics"
    )
    assert summary["events"] == 2
    home = northwind.user("ics")
    [calendar] = [each for each in northwind.get(f"{home}/calendars?$top=50")["value"] if each["name"] == "Verein"]
    window = "startDateTime=2026-01-01&endDateTime=2027-01-01"
    found = northwind.get(f"{home}/calendars/{calendar['id']}/calendarView?{window}&$top=50")["value"]
    assert [(each["start"]["dateTime"][:16], each["subject"]) for each in found] == [
        ("2026-01-05T18:00", "Vorstandssitzung"),
        ("2026-03-03T18:00", "Vorstandssitzung (Dienstag)"),
        ("2026-04-06T17:00", "Vorstandssitzung"),
        ("2026-05-01T00:00", "Maifeiertag"),
        ("2026-05-04T17:00", "Vorstandssitzung"),
    ]
    assert found[0]["attendees"][0]["status"]["response"] == "accepted"
    assert found[0]["categories"] == ["Verein", "Wichtig"]
    assert (found[3]["sensitivity"], found[3]["showAs"], found[3]["isAllDay"]) == ("private", "free", True)
    sent = northwind.simulator.control("GET", "tenants/northwind/invitations")["invitations"]
    assert not [each for each in sent if each["organizer"].startswith("ics@")]


@pytest.mark.parametrize("rule", ["FREQ=HOURLY", "FREQ=MONTHLY;BYDAY=5MO"])
def test_a_rule_without_counterpart_in_graph_is_refused(tmp_path: Path, rule: str) -> None:
    file = tmp_path / "bad.ics"
    file.write_text(FILE.replace("FREQ=MONTHLY;BYDAY=1MO;COUNT=5", rule))
    with pytest.raises(SourceInvalidError):
        list(ics.read(file, "owner"))
