"""What can go wrong with the embedded stack; every text ends with what to do next."""

from pathlib import Path


class StackError(Exception):
    """The stack cannot do what was asked. `remedy` is the next step for the person who reads it."""

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}"


class HomeRefused(StackError):
    """The state folder is not ours, is from a newer version, or cannot be read."""


class PortTaken(StackError):
    """Somebody else listens on a port the stack needs."""


class AlreadyRunning(StackError):
    """A launcher already holds this state folder."""


class NotRunning(StackError):
    """No launcher holds this state folder."""


class StartFailed(StackError):
    """A process died or did not become ready in time; carries the end of its log."""

    def __init__(self, process: str, why: str, log: Path) -> None:
        self.process = process
        self.log = log
        lines = tail(log, 15)
        shown = "\n".join(f"  | {line}" for line in lines) if lines else "  | (the log is empty)"
        super().__init__(
            f"{process} {why}. The end of its log:\n{shown}",
            remedy=f"Read the whole log: {log}",
        )


def tail(path: Path, lines: int) -> list[str]:
    """The last `lines` lines of a log, or nothing if there is no log yet."""
    if not path.is_file():
        return []
    with path.open("rb") as log:
        log.seek(0, 2)
        log.seek(max(0, log.tell() - 16_384))
        text = log.read().decode("utf-8", "replace")
    return text.splitlines()[-lines:]
