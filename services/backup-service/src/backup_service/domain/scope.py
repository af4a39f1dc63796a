"""Which mailboxes a configuration is about."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from backup_service.domain.mail import Mailbox


@dataclass(frozen=True)
class Scope:
    """Addresses, patterns of addresses (`*@sales.contoso.com`) or object ids; to exclude beats to include."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def covers(self, mailbox: Mailbox) -> bool:
        """Upper and lower case mean the same. Without `include` everybody is meant."""
        return (not self.include or _matches(self.include, mailbox)) and not _matches(self.exclude, mailbox)


def _matches(patterns: tuple[str, ...], mailbox: Mailbox) -> bool:
    names = (mailbox.id.lower(), mailbox.address.lower())
    return any(fnmatchcase(name, pattern.lower()) for pattern in patterns for name in names)
