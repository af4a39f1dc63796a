"""What sync-service alone knows of employees, sealed into the repository of a target and brought back from there.

    sync-service                     settings, groups of roles, erasures
    sync-service-employees-<x>       employees whose object id begins with <x>
    sync-service-activity-<month>    the activity log of a month; closed when it was kept after the month's end

Each document names the life it belongs to, the time from a tenant's first sync until its documents are lost. So a
directory that was synchronised anew, and knows nothing yet, hides nothing of what was kept before.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from backup_engine import Repository
from backup_service.ports.custody import EmployeeDirectory
from chassis.clock import Clock
from contracts.operations.kept_directory import BringBack, KeptDirectory

HEAD = "sync-service"
EMPLOYEES = f"{HEAD}-employees-"
ACTIVITY = f"{HEAD}-activity-"
_HEXADECIMAL = frozenset("0123456789abcdef")
_OTHERS = "x"
_PART = 50_000
"""Bytes of one part that is handed back, about: it has to fit into a message, and to be stored in seconds."""
_LATE = timedelta(days=1)
"""An entry is in the log by then, whoever died before it was written."""

Document = dict[str, Any]


@dataclass
class _Shelf:
    """The kept documents of one repository."""

    repository: Repository
    new_id: Callable[[], str]
    names: frozenset[str] = frozenset()
    life: str = ""

    @classmethod
    async def of(cls, repository: Repository, new_id: Callable[[], str], life: str) -> "_Shelf":
        names = await asyncio.to_thread(repository.documents.services)
        return cls(repository, new_id, frozenset(names), life)

    async def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Unchanged documents make no new version."""
        sealed = {"life": self.life, **document}
        await asyncio.to_thread(self.repository.documents.put, name, self.new_id(), sealed)

    async def newest(self, name: str, life: str) -> Document | None:
        """As it was kept last in this life."""
        if name not in self.names:
            return None
        versions = await asyncio.to_thread(self.repository.documents.versions, name)
        return next((version for version in versions if version.get("life") == life), None)

    async def lives(self) -> list[str]:
        """Those a head was kept of, the latest first."""
        if HEAD not in self.names:
            return []
        versions = await asyncio.to_thread(self.repository.documents.versions, HEAD)
        return list(dict.fromkeys(str(version["life"]) for version in versions))


class KeepEmployees:
    def __init__(self, directory: EmployeeDirectory, clock: Clock, new_id: Callable[[], str]) -> None:
        self._directory = directory
        self._clock = clock
        self._new_id = new_id

    async def export(self, tenant: str, repository: Repository) -> None:
        """Raises ProblemError, also when sync-service does not answer."""
        page = await self._directory.page(tenant, None)
        if page.life is None:
            return  # nobody was ever synchronised
        shelf = await _Shelf.of(repository, self._new_id, page.life)
        erasures = [one.model_dump(mode="json") async for one in self._directory.erasures(tenant)]
        head = page.model_dump(mode="json", include={"settings", "role_groups"})
        await self._employees(tenant, shelf, page)
        await self._activity(tenant, shelf)
        # Last: a life that has a head is whole.
        await shelf.put(HEAD, {**head, "erasures": erasures})

    async def _employees(self, tenant: str, shelf: _Shelf, page: KeptDirectory) -> None:
        """They come in the order of their ids, so one document is in memory at a time."""
        written: set[str] = set()
        name, held = "", list[Document]()
        while True:
            for employee in page.employees:
                following = _shelf_mark(employee.id)
                if following != name and held:
                    written.add(await self._put(shelf, name, held))
                    held = []
                name = following
                held.append(employee.model_dump(mode="json"))
            if page.cursor is None:
                break
            page = await self._directory.page(tenant, page.cursor)
        if held:
            written.add(await self._put(shelf, name, held))
        for gone in sorted(known for known in shelf.names - written if known.startswith(EMPLOYEES)):
            await shelf.put(gone, {"employees": []})

    async def _put(self, shelf: _Shelf, name: str, held: list[Document]) -> str:
        await shelf.put(name, {"employees": held})
        return name

    async def _activity(self, tenant: str, shelf: _Shelf) -> None:
        """Newest first, month by month, until one that was kept after its end."""
        latest = _month(self._clock.now() - _LATE)
        held = _Month(latest)
        async for entry in self._directory.activity(tenant):
            if (month := _month(entry.at)) != held.name:
                await self._keep(shelf, held, latest)
                known = await shelf.newest(f"{ACTIVITY}{month}", shelf.life)
                if known is not None and known["closed"]:
                    return
                held = _Month(month)
            held.entries.append(entry.model_dump(mode="json"))
        await self._keep(shelf, held, latest)

    async def _keep(self, shelf: _Shelf, month: "_Month", latest: str) -> None:
        if month.entries:
            document = {"closed": month.name < latest, "entries": month.entries[::-1]}
            await shelf.put(f"{ACTIVITY}{month.name}", document)

    async def bring_back(self, tenant: str, repository: Repository) -> int:
        """Hand back what was kept in the life before this one; gives of how many employees. Raises ProblemError."""
        now = (await self._directory.page(tenant, None)).life
        shelf = await _Shelf.of(repository, self._new_id, now or "")
        lost = next((life for life in await shelf.lives() if life != now), None)
        if lost is None:
            return 0
        head = await shelf.newest(HEAD, lost) or {}
        done = 0
        for part in _split("erasures", head["erasures"]):
            await self._directory.bring_back(tenant, BringBack(life=lost, **part))
        for what, begin in (("employees", EMPLOYEES), ("activity", ACTIVITY)):
            for name in sorted(known for known in shelf.names if known.startswith(begin)):
                document = await shelf.newest(name, lost) or {}
                for part in _split(what, document.get("employees") or document.get("entries") or ()):
                    answer = await self._directory.bring_back(tenant, BringBack(life=lost, **part))
                    done += answer.employees
        settled = {name: head[name] for name in ("settings", "role_groups")}
        await self._directory.bring_back(tenant, BringBack(life=lost, **settled, last=True))
        return done


@dataclass
class _Month:
    name: str
    entries: list[Document] = field(default_factory=list)


def _shelf_mark(identity: str) -> str:
    first = identity[0].lower()
    return f"{EMPLOYEES}{first if first in _HEXADECIMAL else _OTHERS}"


def _month(moment: datetime) -> str:
    return f"{moment:%Y-%m}"


def _split(what: str, items: Sequence[Document]) -> Iterator[dict[str, Sequence[Document]]]:
    """Parts small enough for one message each."""
    part: list[Document] = []
    size = 0
    for item in items:
        part.append(item)
        size += len(str(item))
        if size > _PART:
            yield {what: part}
            part, size = [], 0
    if part:
        yield {what: part}
