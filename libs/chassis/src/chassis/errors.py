"""Two exceptions named after the remedy; `chassis.delivery` turns them into what the bus does next."""


class RetryLater(Exception):
    """The work failed for a passing reason: try again `after` seconds."""

    def __init__(self, after: float, reason: str) -> None:
        super().__init__(f"retry after {after:g} s: {reason}")
        self.after = after
        self.reason = reason


class GiveUp(Exception):
    """No retry will help: keep the message as a dead letter with `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
