"""A change that is not possible, and why."""

from contracts.employee_changes import Fault, Refusal


class ChangeRefused(Exception):
    """The change is not possible; the local record stays what it is."""

    def __init__(self, refusal: Refusal, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal
        self.faults = faults
