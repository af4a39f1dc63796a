"""Exit codes of the `tenantkeep` command."""

from enum import IntEnum


class ExitCode(IntEnum):
    SUCCEEDED = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    STILL_WAITING = 4
    NOT_AUTHORISED = 5
