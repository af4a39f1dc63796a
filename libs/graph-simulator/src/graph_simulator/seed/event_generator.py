"""Invent the calendars of a German company: deterministic from a seed, with the odd cases of real calendars."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from graph_simulator import recurrence, zones
from graph_simulator.attachments import Attachment, AttachmentKind
from graph_simulator.events import NewEvent, When
from graph_simulator.seed import texts
from graph_simulator.seed.event import HOLIDAYS, SeedDay, SeedEvent

FIRST, DAYS = date(2025, 1, 2), 640
BERLIN, NEW_YORK = "W. Europe Standard Time", "Eastern Standard Time"
ZONES = (BERLIN, BERLIN, BERLIN, NEW_YORK, "UTC", "India Standard Time")
SUBJECTS = (
    "Jour fixe Vertrieb",
    "Übergabe Projekt Nordlicht",
    "Weekly sync, week {k}",
    "Zahnarzt",
    "Prüfung der Maße {n}",
    "Quarterly review {k}",
    "Besprechung mit Größmann & Söhne",
    "日本支社との会議 {n}",
    "Umzug 🗓 am {w}",
)
ROOMS = ("Besprechungsraum Köln", "Meeting room 4", "Kantine, Erdgeschoß", "")
CALENDARS = ("", "", "", "Projekte")
MOST_DAYS = 40
ANSWERS = ("none", "accepted", "declined", "tentativelyAccepted")
# One event in so many is of this kind; the rest are single events of some minutes.
SERIES_EVERY, ALL_DAY_EVERY, MEETING_EVERY, ATTACHED_EVERY = 4, 9, 3, 7


@dataclass(slots=True)
class EventGenerator:
    """Writes one event after the other; the same seed writes the same events."""

    seed: int
    domain: str
    mailboxes: list[str]
    rng: random.Random = field(init=False)
    _counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311 - invented events, reproducible on purpose

    def events(self, count: int) -> Iterator[SeedEvent]:
        """Yield `count` events, dealt out to the mailboxes in turn."""
        for number in range(count):
            yield self.event(self.mailboxes[number % len(self.mailboxes)])

    def event(self, mailbox: str) -> SeedEvent:
        """Write one event of a mailbox."""
        self._counts[mailbox] += 1
        number, rng = self._counts[mailbox], self.rng
        day = FIRST + timedelta(days=rng.randrange(DAYS))
        if number % ALL_DAY_EVERY == 0:
            when = When(_midnight(day), _midnight(day + timedelta(days=rng.randrange(1, 4))), BERLIN, all_day=True)
        else:
            start = datetime(day.year, day.month, day.day, rng.randrange(7, 19), rng.choice((0, 15, 30)))  # noqa: DTZ001 - local time of its zone
            end = start + timedelta(minutes=rng.choice((0, 15, 30, 60, 90)))
            when = When(zones.write(start), zones.write(end), rng.choice(ZONES))
        pattern = self._recurrence(day, number // SERIES_EVERY) if number % SERIES_EVERY == 0 else None
        event = NewEvent(when, self._properties(mailbox, number), pattern)
        if pattern is not None:
            event, days = self._series(event)
        else:
            days = ()
        calendar = HOLIDAYS if number % (ALL_DAY_EVERY * 3) == 0 else rng.choice(CALENDARS)
        return SeedEvent(mailbox, calendar, event, days, self._attachments(number))

    def _properties(self, mailbox: str, number: int) -> dict[str, Any]:
        rng = self.rng
        text = texts.paragraph(rng, rng.randrange(40, 900))
        found: dict[str, Any] = {
            "subject": texts.fill(rng, rng.choice(SUBJECTS)),
            "body": {"contentType": "html", "content": f"<html><body><p>{text}</p></body></html>"},
            "bodyPreview": " ".join(text.split())[:255],
            "categories": rng.sample(texts.CATEGORIES, rng.choices((0, 1, 2), (75, 20, 5))[0]),
            "sensitivity": rng.choices(("normal", "private", "confidential"), (90, 8, 2))[0],
            "showAs": rng.choices(("busy", "free", "tentative", "oof", "workingElsewhere"), (70, 12, 8, 6, 4))[0],
            "importance": rng.choices(("normal", "high", "low"), (92, 6, 2))[0],
            "isReminderOn": rng.random() < 0.8,  # noqa: PLR2004 - most events remind
            "reminderMinutesBeforeStart": rng.choice((0, 5, 15, 30, 1440)),
        }
        if room := rng.choice(ROOMS):
            place = {"displayName": room, "locationType": "conferenceRoom", "uniqueId": room, "uniqueIdType": "private"}
            found |= {"location": place, "locations": [place]}
        return found | (self._meeting(mailbox, number) if number % MEETING_EVERY == 0 else {})

    def _meeting(self, mailbox: str, number: int) -> dict[str, Any]:
        rng = self.rng
        people = rng.sample(texts.PEOPLE, rng.randrange(1, 5))
        stamp = f"{FIRST + timedelta(days=rng.randrange(DAYS))}T08:00:00Z"
        attendees = [
            {
                "type": rng.choice(("required", "optional", "resource")),
                "status": {"response": rng.choice(ANSWERS), "time": stamp},
                "emailAddress": {"name": name, "address": f"{local}@{self.domain}"},
            }
            for name, local in people
        ]
        found: dict[str, Any] = {"attendees": attendees}
        if number % (MEETING_EVERY * 2) == 0:
            link = f"https://teams.microsoft.com/l/meetup-join/19%3ameeting_{rng.getrandbits(64):016x}%40thread.v2/0"
            found |= {"isOnlineMeeting": True, "onlineMeetingProvider": "teamsForBusiness"}
            found["onlineMeeting"] = {"joinUrl": link}
        if rng.random() < 0.4:  # noqa: PLR2004 - others invite as well
            name, local = people[0]
            found |= {"isOrganizer": False, "responseStatus": {"response": "accepted", "time": stamp}}
            found["organizer"] = {"emailAddress": {"name": name, "address": f"{local}@{self.domain}"}}
            found["attendees"].append(
                {
                    "type": "required",
                    "status": {"response": "none", "time": stamp},
                    "emailAddress": {"name": mailbox, "address": f"{mailbox}@{self.domain}"},
                }
            )
        return found

    def _recurrence(self, day: date, number: int) -> dict[str, Any]:
        rng = self.rng
        kind = tuple(PATTERNS)[number % len(PATTERNS)]
        span: dict[str, Any] = {"type": rng.choice(("noEnd", "endDate", "numbered")), "startDate": day.isoformat()}
        if span["type"] == "endDate":
            span["endDate"] = (day + timedelta(days=rng.randrange(30, 700))).isoformat()
        if span["type"] == "numbered":
            span["numberOfOccurrences"] = rng.randrange(3, 30)
        pattern = {"type": kind, "interval": rng.choice((1, 1, 1, 2, 3)), **PATTERNS[kind](rng, day)}
        return {"pattern": pattern, "range": span}

    def _series(self, event: NewEvent) -> tuple[NewEvent, tuple[SeedDay, ...]]:
        """Begin on the first day of the pattern, cancel a day or two, move or rename others."""
        rng, when = self.rng, event.when
        assert event.recurrence is not None
        full = recurrence.checked(event.recurrence)
        every = [day for day, _ in zip(recurrence.days(full), range(MOST_DAYS), strict=False)]
        if not every:  # the range ends before the pattern's first day
            return NewEvent(when, event.properties), ()
        shift = every[0] - zones.read(when.starts).date()
        starts, ends = (zones.read(text) + shift for text in (when.starts, when.ends))
        full["range"] |= {"startDate": every[0].isoformat(), "recurrenceTimeZone": when.zone}
        master = NewEvent(When(zones.write(starts), zones.write(ends), when.zone, when.all_day), event.properties, full)
        others = rng.sample(every[1:], min(len(every) - 1, rng.randrange(4)))
        return master, tuple(self._day(day, (starts, ends), master, number) for number, day in enumerate(others))

    def _day(self, day: date, times: tuple[datetime, datetime], master: NewEvent, number: int) -> SeedDay:
        if number == 0:
            return SeedDay(day.isoformat())
        subject = f"{master.properties['subject']} (verschoben)"
        if number == 1 or master.when.all_day:
            return SeedDay(day.isoformat(), {"subject": subject})
        shift = timedelta(days=(day - times[0].date()).days, hours=1)
        starts, ends = (zones.write(moment + shift) for moment in times)
        return SeedDay(day.isoformat(), {"subject": subject}, When(starts, ends, master.when.zone))

    def _attachments(self, number: int) -> tuple[Attachment, ...]:
        if number % ATTACHED_EVERY:
            return ()
        rng = self.rng
        content = rng.randbytes(rng.randrange(200, 20_000))
        file = _attachment(0, AttachmentKind.FILE, f"Übersicht-{number}.pdf", content, "application/pdf")
        if number % (ATTACHED_EVERY * 2):
            return (file,)
        link = _attachment(1, AttachmentKind.REFERENCE, f"Plan {number}.xlsx", b"")
        nested: dict[str, Any] = {"@odata.type": "#microsoft.graph.message", "subject": "Vorgeschichte"}
        nested["body"] = {"contentType": "text", "content": "Siehe unten."}
        item = _attachment(2, AttachmentKind.ITEM, "Vorgeschichte", json.dumps(nested).encode())
        return (file, link, item)


def _attachment(
    ordinal: int, kind: AttachmentKind, name: str, content: bytes, content_type: str | None = None
) -> Attachment:
    return Attachment(ordinal, kind, name, content_type, inline=False, content_id=None, content=content)


def _midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00"


def _weekday(day: date) -> str:
    return recurrence.DAYS[day.weekday()]


PATTERNS: dict[str, Callable[[random.Random, date], dict[str, Any]]] = {
    "daily": lambda _rng, _day: {},
    "weekly": lambda rng, day: {
        "daysOfWeek": sorted({_weekday(day), rng.choice(recurrence.DAYS[:5])}, key=recurrence.DAYS.index),
        "firstDayOfWeek": rng.choice(("monday", "sunday")),
    },
    "absoluteMonthly": lambda rng, day: {"dayOfMonth": rng.choice((day.day, 31))},
    "relativeMonthly": lambda rng, day: {
        "daysOfWeek": rng.choice(([_weekday(day)], list(recurrence.DAYS[:5]))),
        "index": rng.choice(("first", "second", "third", "fourth", "last")),
    },
    "absoluteYearly": lambda _rng, day: {"dayOfMonth": day.day, "month": day.month},
    "relativeYearly": lambda _rng, day: {"daysOfWeek": [_weekday(day)], "index": "last", "month": day.month},
}
