"""Garbage collection and upkeep of a repository (format, sections 17 and 18)."""

from backup_engine.maintenance.call import Policy
from backup_engine.maintenance.maintain import maintain
from backup_engine.maintenance.report import MaintenanceReport, Waste

__all__ = ["MaintenanceReport", "Policy", "Waste", "maintain"]
