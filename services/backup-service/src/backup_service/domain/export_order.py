"""What a download ticket opens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.names import ExportFormat
from contracts.restoring import RestoreSelection


@dataclass(frozen=True)
class ExportOrder:
    """A restore point, a part of it by its selection, or the one `item` or one `attachment` (from 1) of it."""

    restore_point: str
    format: ExportFormat = ExportFormat.EML
    selection: RestoreSelection = field(default_factory=RestoreSelection)
    item: str | None = None
    attachment: int | None = None

    def document(self) -> dict[str, Any]:
        return {
            "restore_point": self.restore_point,
            "format": self.format.value,
            "selection": self.selection.model_dump(mode="json"),
            "item": self.item,
            "attachment": self.attachment,
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "ExportOrder":
        """A document of this release or of earlier ones, which knew whole restore points, and first EML alone."""
        return cls(
            restore_point=str(document["restore_point"]),
            format=ExportFormat(document.get("format", ExportFormat.EML)),
            selection=RestoreSelection.model_validate(document.get("selection", {})),
            item=document.get("item"),
            attachment=document.get("attachment"),
        )
