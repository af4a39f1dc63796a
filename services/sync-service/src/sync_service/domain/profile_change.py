"""What may be changed of a profile in Microsoft 365: the rules that can be checked before Graph is asked."""

import re
from collections.abc import Mapping
from typing import Any

from contracts.employee_changes import Fault, ProfileChange, Refusal
from contracts.employees import SynchronisedFields
from sync_service.domain.refusals import ChangeRefused

Values = Mapping[str, Any]
"""Synchronised fields by our names: texts, or None for a text that is cleared; truth values; a tuple of numbers."""

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
"""ISO 639-1 with subtags, such as de or de-DE (learn.microsoft.com/graph/api/resources/user)."""


def wanted(change: ProfileChange) -> Values:
    """Give the fields to change. Raises ChangeRefused for what Microsoft 365 would refuse, or would not keep.

    The primary mail address is refused whatever its value: Exchange owns it.
    """
    given = {name: getattr(change, name) for name in SynchronisedFields.model_fields}
    values = {name: value for name, value in given.items() if value is not None}
    if "primary_mail" in values:
        raise ChangeRefused(Refusal.PRIMARY_MAIL, (Fault(field="primary_mail", code="read_only"),))
    if "business_phones" in values:
        values["business_phones"] = tuple(phone for phone in values["business_phones"] if phone)
    if len(values.get("business_phones", ())) > 1:
        raise ChangeRefused(Refusal.BUSINESS_PHONES, (Fault(field="business_phones", code="too_many"),))
    if faults := _faults(values):
        raise ChangeRefused(Refusal.VALUE, faults)
    return {name: None if value == "" else value for name, value in values.items()}


def shows(fields: SynchronisedFields, values: Values) -> bool:
    """Tell whether every value that was written can be read."""
    return all(getattr(fields, name) == value for name, value in values.items())


def _faults(values: Values) -> tuple[Fault, ...]:
    found = [] if values else [Fault(field="", code="nothing_given")]
    if values.get("display_name") == "":
        found.append(Fault(field="display_name", code="empty"))
    language = values.get("preferred_language")
    if language and not _LANGUAGE.fullmatch(language):
        found.append(Fault(field="preferred_language", code="language"))
    return tuple(found)
