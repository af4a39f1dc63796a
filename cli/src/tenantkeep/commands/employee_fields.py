"""Fields of employees as people type them and as people read them."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from contracts.employee_changes import ProfileChange
from contracts.employees import SYNCHRONISED
from tenantkeep.commands import employee_labels as words
from tenantkeep.commands.errors import usage

_TRUTH = {"yes": True, "true": True, "ja": True, "no": False, "false": False, "nein": False}


def profile_change(given: Sequence[str]) -> ProfileChange:
    """The change that FIELD=VALUE arguments stand for; CommandError for what is none."""
    values: dict[str, Any] = {}
    for argument in given:
        name, equals, value = argument.partition("=")
        if not equals or name not in SYNCHRONISED:
            known = ", ".join(SYNCHRONISED)
            raise usage(f"{argument}: give FIELD=VALUE of {known}.", f"{argument}: FELD=WERT angeben, Felder: {known}.")
        values[name] = _value(name, value)
    try:
        return ProfileChange(**values)
    except ValidationError as error:
        names = ", ".join(str(fault["loc"][0]) for fault in error.errors(include_input=False))
        raise usage(f"Too long or of another kind: {names}.", f"Zu lang oder von anderer Art: {names}.") from None


def rows_of(model: BaseModel, names: Sequence[str], language: str) -> list[tuple[str, str]]:
    """Label and value of each field."""
    return [(words.field(name, language), shown(getattr(model, name), language)) for name in names]


def shown(value: Any, language: str) -> str:
    """A value as people read it; nothing for what has none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return words.yes_or_no(value, language)
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _value(name: str, text: str) -> Any:
    if name == "business_phones":
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if name == "account_enabled":
        if text.lower() not in _TRUTH:
            raise usage("account_enabled is yes or no.", "account_enabled ist yes (ja) oder no (nein).")
        return _TRUTH[text.lower()]
    return text
