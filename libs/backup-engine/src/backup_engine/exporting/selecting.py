"""A part of a restore point: some items, some folders with all that lies below them."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from backup_engine.exporting.pieces import Wanted
from backup_engine.model import ItemRow
from backup_engine.repository import Repository


def selected(
    repository: Repository,
    shard: str,
    snapshot: str,
    items: Collection[str],
    folders: Collection[str],
    *,
    kinds: Collection[str] = (),
) -> Wanted | None:
    """What an export takes, by keys, narrowed to `kinds` if given; None, which is everything, without any. Blocking."""
    if not items and not folders and not kinds:
        return None
    keys = frozenset(items)
    places = _with_all_below(folders, repository.items(shard, snapshot)) if folders else frozenset()
    everything = not items and not folders

    def wanted(row: ItemRow, _: tuple[str, ...]) -> bool:
        chosen = everything or row.key in keys or row.parent in places
        return chosen and (not kinds or row.kind in kinds)

    return wanted


def _with_all_below(folders: Iterable[str], rows: Iterable[ItemRow]) -> frozenset[str]:
    """The folders and every folder in them; whatever has no body may be one."""
    inside: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if not row.has_body:
            inside[row.parent].append(row.key)
    found: set[str] = set()
    left = list(folders)
    while left:
        folder = left.pop()
        if folder not in found:
            found.add(folder)
            left += inside[folder]
    return frozenset(found)
