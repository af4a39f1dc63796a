"""Which users of a tenant have a mailbox to back up, and why the others have not."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from contracts.names import LeftOutReason


@dataclass(frozen=True)
class User:
    """A user of the directory; `address` is "" when there is none.

    Whether the account may sign in does not matter: the accounts of shared mailboxes may not, nor may those of people
    who have left, and both have mail to keep.
    """

    id: str
    address: str
    guest: bool


class MailboxFinding(StrEnum):
    """What one call to a user's mailbox has shown."""

    THERE = "there"
    MISSING = "missing"
    DENIED = "denied"


@dataclass(frozen=True)
class KnownResource:
    """What is known of a user from runs before. `looked_at`: when the mailbox was last asked for.

    `reason` says why it was left out, None if it is backed up; `since` is when that began. `had_mailbox`: it was
    backed up at some time.
    """

    id: str
    name: str
    reason: LeftOutReason | None
    since: datetime
    looked_at: datetime
    had_mailbox: bool
