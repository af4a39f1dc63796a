"""One event, one contact and one mail: chosen in a restore point, restored alone, compared with their sources."""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.browsing import Folder
from contracts.names import Source
from contracts.restoring import RestoredSource
from contracts.texts import Text
from contracts.views import Job, RestorePoint
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.demo.outlook import Entry, Outlook
from tenantkeep.commands.demo.tenant_source import TENANT

MAIL_FOLDER = "folder"
_CONTAINERS: Mapping[Source, str] = {
    Source.CALENDAR: "calendar", Source.CONTACTS: "contact-folder", Source.MAIL: MAIL_FOLDER
}  # fmt: skip
_MOST = 200
NAMES: Mapping[Source, Text] = {
    Source.CALENDAR: Text("One event alone equals its source", "Ein Termin allein gleicht seiner Quelle"),
    Source.CONTACTS: Text("One contact alone equals its source", "Ein Kontakt allein gleicht seiner Quelle"),
    Source.MAIL: Text("One mail alone equals its source", "Eine Mail allein gleicht ihrer Quelle"),
}


@dataclass(frozen=True)
class Pieces:
    """One item of each source, by id, and what each target folder held before."""

    chosen: Mapping[Source, Entry]
    before: Mapping[Source, set[str]]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(str(entry["id"]) for entry in self.chosen.values())


@dataclass(frozen=True)
class Arrival:
    """What became of one item: how many the job compared, how many came, and whether they are what the source is."""

    verified: int
    arrived: int
    equal: int
    days: int

    @property
    def held(self) -> bool:
        return self.verified == self.arrived == self.equal == 1

    @property
    def told(self) -> Text:
        days = (f", {self.days} days", f", {self.days} Tage") if self.days else ("", "")
        return Text(
            f"{self.verified}/1 compared equal, {self.equal} of {self.arrived} arrived as in the source{days[0]}",
            f"{self.verified}/1 gleich, {self.equal} von {self.arrived} angekommen wie in der Quelle{days[1]}",
        )


def mail_in(gateway: Gateway, points: list[RestorePoint]) -> int:
    """Messages in these restore points, as browsing tells: other items and what belongs to them do not count."""
    folders = [folder for point in points for folder in gateway.folders(TENANT, point.id)]
    return sum(folder.items for folder in folders if folder.kind == MAIL_FOLDER)


def choose(gateway: Gateway, outlook: Outlook, point: RestorePoint, target: str) -> Pieces:
    """An item of each source that is in the restore point and in sight in Outlook; the longest series if there is one.

    No event with attachments: among them may be links, which come back only as words in the report. The mailbox has to
    be as it was at the backup.
    """
    folders = gateway.folders(TENANT, point.id)
    chosen: dict[Source, Entry] = {}
    for source, kind in _CONTAINERS.items():
        there = outlook.items(point.resource_name, source)
        stored = _stored(gateway, point, [folder for folder in folders if folder.kind == kind and folder.items])
        found = [there[key] for key in stored if key in there and not there[key].get("hasAttachments")]
        if found:
            chosen[source] = max(found, key=lambda entry: outlook.days(point.resource_name, entry))
    return Pieces(chosen, {source: set(outlook.items(target, source)) for source in chosen})


def arrivals(outlook: Outlook, pieces: Pieces, job: Job, user: str, target: str) -> dict[Source, Arrival]:
    """Compare what is new in the target with what was chosen, fact by fact."""
    report = {} if job.restored is None else {found.source: found for found in job.restored.sources}
    return {
        source: _arrival(outlook, source, (user, chosen), (target, pieces.before[source]), report.get(source))
        for source, chosen in pieces.chosen.items()
    }


def _arrival(
    outlook: Outlook, source: Source, chosen: tuple[str, Entry], into: tuple[str, set[str]], told: RestoredSource | None
) -> Arrival:
    target, before = into
    new = [entry for key, entry in outlook.items(target, source).items() if key not in before]
    expected = outlook.facts(chosen[0], source, chosen[1])
    equal = sum(outlook.facts(target, source, entry) == expected for entry in new)
    verified = told.verified if told is not None and told.verified == told.created else 0
    return Arrival(verified, len(new), equal, len(expected["days"]))


def _stored(gateway: Gateway, point: RestorePoint, folders: list[Folder]) -> list[str]:
    pages = (gateway.items(TENANT, point.id, folder.id, limit=_MOST) for folder in folders)
    return [item.id for page in pages for item in page.items if not item.draft]
