"""Mailboxes and restore points of a repository, as people look for them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backup_engine import Repository, Snapshot
from contracts.texts import Text
from tenantkeep.commands.errors import CommandError
from tenantkeep.exit_codes import ExitCode


@dataclass(frozen=True)
class Mailbox:
    """One shard with its restore points, newest first."""

    shard: str
    points: tuple[Snapshot, ...]

    @property
    def newest(self) -> Snapshot:
        return self.points[0]

    @property
    def name(self) -> str:
        """The address if the restore points know it, else the id."""
        return self.newest.label or self.shard

    def is_called(self, text: str) -> bool:
        wanted = text.casefold()
        return wanted in {self.name.casefold(), self.shard.casefold(), self.shard.rpartition("/")[2].casefold()}


def mailboxes(repository: Repository) -> list[Mailbox]:
    """All there are, in the order of their names."""
    found: dict[str, list[Snapshot]] = defaultdict(list)
    for snapshot in repository.snapshots():
        found[snapshot.shard].append(snapshot)
    return sorted((Mailbox(shard, tuple(points)) for shard, points in found.items()), key=lambda box: box.name)


def mailboxes_called(known: Sequence[Mailbox], text: str) -> list[Mailbox]:
    """Those with that address or id: two configurations may cover one mailbox. Raises CommandError for none."""
    found = [box for box in known if box.is_called(text)]
    if not found:
        raise _unknown(text, [box.name for box in known])
    return found


def point(known: Sequence[Mailbox], text: str) -> Snapshot:
    """The restore point with that id, or the newest of the mailbox with that name. Raises CommandError."""
    for box in known:
        for snapshot in box.points:
            if snapshot.id == text.upper():
                return snapshot
    return max((box.newest for box in mailboxes_called(known, text)), key=lambda snapshot: snapshot.taken_at)


def shown(snapshot: Snapshot) -> dict[str, Any]:
    """One restore point for --json."""
    return {
        "id": snapshot.id,
        "mailbox": snapshot.label,
        "shard": snapshot.shard,
        "taken_at": snapshot.taken_at.isoformat(),
        "expires_at": snapshot.expires_at.isoformat(),
        "complete": snapshot.complete,
        "items": snapshot.items,
        "bytes": snapshot.bytes,
        "failed": len(snapshot.failed),
    }


def _unknown(text: str, names: Sequence[str]) -> CommandError:
    return CommandError(
        Text(f"No restore point or mailbox is called {text!r}.", f"{text!r} ist weder Stand noch Postfach."),
        Text("List what there is: tenantkeep recover … list", "Vorhandenes zeigen: tenantkeep recover … list"),
        ExitCode.USAGE,
        lines=tuple(names[:20]),
        code="not-found",
    )
