"""What the use cases need. Each Protocol has a real adapter and a fake, and one suite that both pass."""

from sync_service.ports.directory import CursorExpired, Directories, Directory, GroupsSince, UserPage
from sync_service.ports.judging import Holding, Judge, Retrying, Verdict
from sync_service.ports.stores import EmployeeFilter, Employees, Runs, Standings

__all__ = [
    "CursorExpired",
    "Directories",
    "Directory",
    "EmployeeFilter",
    "Employees",
    "GroupsSince",
    "Holding",
    "Judge",
    "Retrying",
    "Runs",
    "Standings",
    "UserPage",
    "Verdict",
]
