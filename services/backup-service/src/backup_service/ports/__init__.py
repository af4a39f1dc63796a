"""What the use cases need, with the promise each must keep."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from backup_engine import Repository
from backup_service.domain.address_book import Entry
from backup_service.domain.change_page import ChangePage
from backup_service.domain.discovery import KnownResource, MailboxFinding, User
from backup_service.domain.export_order import ExportOrder
from backup_service.domain.jobs import Cause, Claim, Outcome
from backup_service.domain.mail import Folder, Mailbox, Message, ReferencesPage
from backup_service.domain.restored_mail import CreatedMail, PresentMail
from backup_service.ports.calendars import Calendars, CalendarTarget
from backup_service.ports.contacts import Contacts, ContactTarget
from contracts.errors import ErrorClass
from contracts.events import Counts, Event, JobWakeUp
from contracts.names import HoldReason, JobKind
from contracts.views import (
    BackupConfiguration,
    ItemProblem,
    Job,
    LeftOut,
    Listing,
    ProbeStep,
    RestorePoint,
    Run,
    StorageTarget,
)


class SessionLost(Exception):
    """Another worker took the job over: stop at once and touch nothing more."""


class Jobs(Protocol):
    """Job documents. Every write filters on the session, so that a fenced worker changes nothing."""

    async def claim(self, wake: JobWakeUp, delivery: int) -> Claim | None:
        """Take the job with one compare-and-set; None when the wake-up is stale. The job is Running afterwards."""
        ...

    async def progress(self, claim: Claim, counts: Counts, phase: str) -> None:
        """Show progress and prolong the claim. Raises SessionLost."""
        ...

    async def checkpointed(
        self, claim: Claim, number: int, packs: Sequence[tuple[str, int, str]], counts: Counts
    ) -> None:
        """Record a checkpoint and announce its packs (key, size, sha256), in one write. Raises SessionLost."""
        ...

    async def conclude(self, claim: Claim, outcome: Outcome) -> None:
        """Record how the execution ended and announce it, in one write. Raises SessionLost."""
        ...


class Directory(Protocol):
    """A tenant's users. Raises the error tree of graph_client."""

    async def users(self) -> list[User]: ...

    async def mailbox_of(self, user: str) -> MailboxFinding:
        """Ask the user's mailbox for a sign of life."""
        ...


class Resources(Protocol):
    """What runs have found out about users: who is backed up, who is not and why."""

    async def known(self, tenant: str) -> Sequence[KnownResource]: ...

    async def remember(self, tenant: str, resources: Sequence[KnownResource]) -> None:
        """Replace what is known of these."""
        ...


class Mail(Protocol):
    """A tenant's mail in Microsoft 365. Raises the error tree of graph_client."""

    async def folders(self, mailbox: str, *, parents: Collection[str] = (), full: bool = True) -> list[Folder]:
        """The folders below the root, hidden ones included, parents before children.

        A folder whose only children are hidden counts none: those among `parents` are opened all the same, and
        `full` opens every folder.
        """
        ...

    async def folder_by_id(self, mailbox: str, folder: str) -> Folder | None:
        """One folder, None when it does not exist (any more)."""
        ...

    async def well_known(self, mailbox: str) -> dict[str, str]:
        """{folder id: well-known name} of the folders that every mailbox has, whatever their names are."""
        ...

    async def deletions(self, mailbox: str) -> Folder | None:
        """The recoverable items: what people have deleted for good, until Exchange drops it."""
        ...

    async def has_archive(self, mailbox: str) -> bool:
        """Tell whether it has an in-place archive, which is a second mailbox."""
        ...

    def changes(self, mailbox: str, folder: str, link: str | None) -> AsyncIterator[ChangePage[Message]]:
        """Go on from a stored link, or enumerate from the start. ResyncRequired when the link has expired."""
        ...

    async def listing(self, mailbox: str, folder: str, skip: int, top: int) -> list[Message]:
        """`top` messages of a folder after the first `skip`, oldest first; fewer only at the end.

        Gives up early: raises Unreachable with status 500 when one of them cannot be listed.
        """
        ...

    async def message(self, mailbox: str, message: str) -> Message:
        """One message's identity and sidecar."""
        ...

    def change_keys(self, mailbox: str, folder: str) -> AsyncIterator[dict[str, str]]:
        """{message id: change key} of all that is in a folder, page by page, without change tracking."""
        ...

    async def mime(self, mailbox: str, message: str) -> bytes:
        """The exact bytes Graph delivers for `$value`. Raises BodyTooLarge for what is too much for the memory."""
        ...

    def mime_stream(self, mailbox: str, message: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The same bytes as they arrive, of any length. Raises Unreachable when they break off."""
        ...

    async def references(self, mailbox: str, message: str) -> list[dict[str, Any]]:
        """Attachments that are links into a cloud storage: name, content_type, size. MIME has nothing of them."""
        ...

    async def folder_references(self, mailbox: str, folder: str, link: str | None) -> ReferencesPage:
        """The same of a folder's mails with attachments, many at once, newest first; `link` None = from the start.

        Gives up early: raises Unreachable with a status, ItemUnreadable, Refused or BodyTooLarge for a page that cannot
        be had.
        """
        ...


class AddressBook(Protocol):
    """A tenant's directory, by the kinds of domain.address_book. Raises the error tree of graph_client."""

    def changes(self, kind: str, link: str | None) -> AsyncIterator[ChangePage[Entry]]:
        """As Mail.changes; after a link, an entry may tell changed properties only."""
        ...

    async def entry(self, kind: str, identity: str) -> Entry:
        """One entry in full."""
        ...

    async def members(self, group: str) -> list[str]:
        """Ids of the direct members of a group."""
        ...


@dataclass(frozen=True)
class Workloads:
    """What one connection of the backup profile reads: a port for each workload, all over one client."""

    directory: Directory
    mail: Mail
    calendars: Calendars
    contacts: Contacts
    address_book: AddressBook
    requests: Callable[[], int]
    """Graph requests sent through the connection so far, retries included."""


class MailTarget(Protocol):
    """Where mail is restored to. Raises the error tree of graph_client."""

    async def folder(self, mailbox: str, name: str) -> str | None:
        """Id of the folder with this id or well-known name; None when the mailbox has none."""
        ...

    async def child(self, mailbox: str, parent: str, name: str) -> str | None:
        """Id of the folder `name` below `parent` ("" = the root), whatever its case; None when there is none."""
        ...

    async def ensure_folder(self, mailbox: str, parent: str, name: str, *, hidden: bool = False) -> tuple[str, bool]:
        """Id of the folder `name` below `parent` ("" = the root), and whether this call has created it."""
        ...

    async def created(self, mailbox: str, folder: str, restore: str) -> list[CreatedMail]:
        """What attempts of this restore have created in the folder."""
        ...

    async def present(self, mailbox: str, folder: str, message_ids: Collection[str] | None) -> list[PresentMail]:
        """What is in the folder; of these internet message ids only, unless None."""
        ...

    async def create(self, mailbox: str, folder: str, message: Mapping[str, Any]) -> Message:
        """The message as Exchange answers that it has stored it."""
        ...

    async def attach(
        self, mailbox: str, message: str, name: str, attachment: Mapping[str, Any], content: bytes
    ) -> None:
        """Add a file attachment too large for the create call."""
        ...

    async def remove(self, mailbox: str, message: str) -> None:
        """Delete a message: one that could not be completed, or one whose successor is proven. Repeating is fine."""
        ...

    async def message(self, mailbox: str, message: str) -> Message: ...

    async def mime(self, mailbox: str, message: str) -> bytes: ...


class RestoreTarget(Protocol):
    """A tenant's mailboxes to restore into, one connection for all workloads. Raises the error tree of graph_client."""

    @property
    def mail(self) -> MailTarget: ...

    @property
    def calendars(self) -> CalendarTarget: ...

    @property
    def contacts(self) -> ContactTarget: ...

    async def resolve(self, user: str) -> Mailbox:
        """The mailbox of a user by object id or address. NotFound when the user, or the mailbox, does not exist."""
        ...

    @property
    def requests(self) -> int:
        """Graph requests sent through this connection so far, retries included."""
        ...


class Tenants(Protocol):
    """Microsoft 365 access per tenant, by app profile. Each use has its own connection; all share one budget."""

    def backup(self, tenant: str) -> AbstractAsyncContextManager[Workloads]: ...

    def restore(self, tenant: str) -> AbstractAsyncContextManager[RestoreTarget]: ...


class Repositories(Protocol):
    """Opened repositories, one per tenant and target. Raises the error trees of backup_engine and the vault."""

    async def open(self, tenant: str, target: str) -> Repository: ...

    async def probe(self, tenant: str, target: str, where: Mapping[str, Any]) -> tuple[ProbeStep, ...]:
        """The connection test of a target that is not saved yet."""
        ...


class RestorePoints(Protocol):
    """What is known about restore points beside the repository; can be rebuilt from it."""

    async def add_restore_point(self, point: RestorePoint) -> None:
        """Make it known; repeating it changes nothing."""
        ...


class Timetable(Protocol):
    """When configurations run by themselves."""

    async def due(self, now: datetime) -> Sequence[BackupConfiguration]:
        """A bounded number of configurations whose time has come, longest due first."""
        ...

    async def struck(self, tenant: str, configuration: str, strike: datetime, next_at: datetime) -> None:
        """Set the next time, unless another planner or a change of the configuration has."""
        ...


class Catalogue(RestorePoints, Protocol):
    """What people created and what came of it. Look-ups answer None for what the tenant does not have."""

    async def add_target(self, target: StorageTarget, events: Sequence[Event] = ()) -> None:
        """Make it known, with what announces it; repeating it changes nothing and announces nothing."""
        ...

    async def change_target(
        self, target: StorageTarget, changes: Mapping[str, Any], events: Sequence[Event] = ()
    ) -> bool:
        """Change it, in one write with what announces that, while its credentials are still those; whether it did."""
        ...

    async def target(self, tenant: str, target: str) -> StorageTarget | None: ...

    async def targets(self, tenant: str, cursor: str | None, limit: int) -> Listing[StorageTarget]: ...

    async def add_configuration(self, configuration: BackupConfiguration, events: Sequence[Event] = ()) -> None:
        """Make it known, with what announces it; repeating it changes nothing and announces nothing."""
        ...

    async def configuration(self, tenant: str, configuration: str) -> BackupConfiguration | None: ...

    async def change_configuration(
        self, tenant: str, configuration: str, changes: Mapping[str, Any], events: Sequence[Event] = ()
    ) -> None: ...

    async def configuration_called(self, tenant: str, text: str) -> str | None:
        """Id of the configuration with this id or else this name; None when there is none. GiveUp when several."""
        ...

    async def configurations(self, tenant: str, cursor: str | None, limit: int) -> Listing[BackupConfiguration]: ...

    async def restore_point(self, tenant: str, point: str) -> RestorePoint | None: ...

    async def restore_points(
        self, tenant: str, narrow: Mapping[str, str], cursor: str | None, limit: int
    ) -> Listing[RestorePoint]: ...

    async def run(self, tenant: str, run: str) -> Run | None: ...

    async def runs(self, tenant: str, configuration: str | None, cursor: str | None, limit: int) -> Listing[Run]: ...

    async def job(self, tenant: str, job: str) -> Job | None: ...

    async def jobs(self, tenant: str, run: str, cursor: str | None, limit: int) -> Listing[Job]: ...

    async def unrestored(self, tenant: str, job: str, cursor: str | None, limit: int) -> Listing[ItemProblem]:
        """All that a restore job could not bring back, in order; empty while it goes on and for other jobs."""
        ...

    async def add_ticket(
        self, tenant: str, order: ExportOrder, secret: str, expires_at: datetime, events: Sequence[Event] = ()
    ) -> None: ...

    async def redeem(self, tenant: str, secret: str, now: datetime) -> ExportOrder | None:
        """What a ticket opens, once; None for anything but a fresh ticket of this tenant."""
        ...


RunDocument = Mapping[str, Any]
JobPlan = tuple[str, str, Mapping[str, Any]]
"""Resource id, resource name, further fields of the job."""


class Runs(Protocol):
    """Runs and the queueing of their jobs."""

    async def start(
        self,
        tenant: str,
        run: str,
        kind: JobKind,
        *,
        configuration: str | None,
        target: str | None = None,
        requested_at: datetime,
        details: Mapping[str, Any],
        cause: Cause | None = None,
        events: Sequence[Event] = (),
    ) -> bool:
        """Record a run, what asked for it and `events`; False when it is known already (the request came twice)."""
        ...

    async def get(self, tenant: str, run: str) -> RunDocument | None: ...

    async def due(self) -> Sequence[RunDocument]:
        """Runs that want attention now: to be planned, or to be settled."""
        ...

    async def unfinished(self, tenant: str, configuration: str, kind: JobKind) -> bool:
        """True while a run of this kind waits or goes on."""
        ...

    async def earlier_unfinished(self, run: RunDocument) -> bool:
        """True while an earlier run of the same configuration or target and kind still goes on."""
        ...

    async def postpone(self, run: RunDocument, seconds: float, hold: tuple[HoldReason, str] | None = None) -> None: ...

    async def fail(self, run: RunDocument, error: ErrorClass, detail: str) -> None: ...

    async def plan(self, run: RunDocument, jobs: Sequence[JobPlan], left_out: Sequence[LeftOut] = ()) -> None:
        """Create the run's jobs and mark it planned; repeating it changes nothing. `left_out` is who has no job."""
        ...

    async def settle(self, tenant: str, run_id: str) -> bool:
        """Finish the run if all its jobs are finished; True when it did."""
        ...

    async def admit(self, slots: int) -> int:
        """Send waiting jobs to the workers: of each tenant and kind `slots` at the most, and few before one begins."""
        ...

    async def admit_next(self, tenant: str, kind: JobKind, slots: int) -> int:
        """The same for one tenant and kind."""
        ...


Judge = Callable[[Exception], Outcome]
"""Maps an error of a library to what becomes of the job; a defect becomes Retried(internal)."""
