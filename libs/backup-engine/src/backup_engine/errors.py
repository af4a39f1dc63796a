"""Everything the engine raises.

RepositoryError
├── StorageError
│   ├── NotFound            the object does not exist
│   ├── AlreadyExists       put-if-absent met an object
│   ├── ObjectLocked        a retention or a legal hold refuses to delete: later
│   ├── LockUnsupported     the store locks no objects
│   ├── StorageUnreachable  no answer, or the store says "later": worth another try
│   │   └── StorageFull     no space or quota left: goes on when somebody has made room
│   └── StorageDenied       credentials, permission or bucket are wrong: a person must act
│       └── NotPrepared     the folders of an SFTP target are not there
├── IntegrityError          bytes are not what was written
├── FormatUnsupported       written by a newer engine, or by one that is not ours
├── KeyUnavailable          no wrapped key could be opened
│   └── KeyMissing          the repository holds no key of that number
├── SessionFenced           another session took this one over
├── AlreadyCommitted        the session to adopt did commit: its snapshot is the result
├── UnknownItem             a change to an item this state does not hold
├── InvalidRetention        no period or scheme the engine offers
└── InvalidName             a shard, session or key breaks the naming rules
"""


class RepositoryError(Exception):
    """Base of all errors of the engine."""


class StorageError(RepositoryError):
    """A storage operation failed; `key` is the object it was about."""

    def __init__(self, message: str, *, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class NotFound(StorageError):
    pass


class AlreadyExists(StorageError):
    pass


class ObjectLocked(StorageError):
    pass


class LockUnsupported(StorageError):
    pass


class StorageUnreachable(StorageError):
    pass


class StorageFull(StorageUnreachable):
    pass


class StorageDenied(StorageError):
    pass


class NotPrepared(StorageDenied):
    pass


class IntegrityError(RepositoryError):
    """`key` names the object whose bytes are wrong or missing."""

    def __init__(self, message: str, *, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class FormatUnsupported(RepositoryError):
    pass


class KeyUnavailable(RepositoryError):
    pass


class KeyMissing(KeyUnavailable):
    pass


class SessionFenced(RepositoryError):
    """The session may not commit: `fenced_by` took it over."""

    def __init__(self, session: str, *, fenced_by: str) -> None:
        super().__init__(f"session {session} was taken over by {fenced_by}: stop, the other one goes on")
        self.session = session
        self.fenced_by = fenced_by


class AlreadyCommitted(RepositoryError):
    """Adopt `snapshot_id` as the success of the session that was thought dead."""

    def __init__(self, snapshot_id: str) -> None:
        super().__init__(f"session {snapshot_id} has committed: its snapshot is the result")
        self.snapshot_id = snapshot_id


class UnknownItem(RepositoryError):
    def __init__(self, key: str) -> None:
        super().__init__("the current state holds no such item")
        self.key = key


class InvalidName(RepositoryError):
    pass


class InvalidRetention(RepositoryError):
    pass


UNREADABLE = (IntegrityError, FormatUnsupported, KeyMissing)
"""The object itself is wrong, whatever the reason; anything else says that the check could not run."""
