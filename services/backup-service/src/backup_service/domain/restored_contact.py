"""From a stored contact to the JSON that creates it again, and what makes two contacts the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from backup_service.domain.graph_message import Tags

_GRAPH_OWN = frozenset(
    {
        "id",
        "changeKey",
        "createdDateTime",
        "lastModifiedDateTime",
        "parentFolderId",
        "primaryEmailAddress",
        "secondaryEmailAddress",
        "tertiaryEmailAddress",
    }
)
"""Properties that Exchange gives and nobody can set; the three addresses repeat the list of them."""


@dataclass(frozen=True)
class CreatedContact:
    """A contact that an attempt of this restore has created: which item it is, and which contact is to go for it."""

    id: str
    item: str
    replaces: str


def new_contact(document: Mapping[str, Any], tags: Tags) -> dict[str, Any]:
    """The body of the create call."""
    return {**_said(document), "singleValueExtendedProperties": list(tags.properties())}


def facts(document: Mapping[str, Any]) -> dict[str, Any]:
    """What was written about somebody, comparable: nothing empty, line ends alike."""
    return {name: _plain(value) for name, value in _said(document).items()}


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Names of the properties that differ; never their values."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def same_person(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two contacts are meant to be one: the same name and the same mail addresses."""
    return _person(one) == _person(other)


def by_item(found: Iterable[CreatedContact]) -> dict[str, list[CreatedContact]]:
    items: dict[str, list[CreatedContact]] = {}
    for created in found:
        items.setdefault(created.item, []).append(created)
    return items


def _person(document: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    addresses = (str(each.get("address") or "").casefold() for each in document.get("emailAddresses") or ())
    return str(document.get("displayName") or "").casefold(), tuple(sorted(addresses))


def _said(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in _GRAPH_OWN and not _is_empty(value)}


def _is_empty(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_empty(inner) for inner in value.values())
    return value is None or value in ("", [])


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\r\n", "\n").rstrip()
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items() if not _is_empty(inner)}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
