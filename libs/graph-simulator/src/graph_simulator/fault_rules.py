"""Faults that an operator or a test asks for, kept in the database so that they survive a restart.

A rule fires while `remaining` lasts (none means for ever), after letting `skip` matching requests pass.
"""

import json
import re
import sqlite3
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from graph_simulator.database import transaction


class FaultKind(StrEnum):
    """What a rule does to the requests it matches."""

    THROTTLE = "throttle"
    GONE_DELTA = "gone-delta"
    DELTA_EMPTY = "delta-empty"
    DELTA_LOOP = "delta-loop"
    DELTA_OVERFULL = "delta-overfull"
    DELTA_REPLAY = "delta-replay"
    UNREADABLE_ITEM = "unreadable-item"
    UNLISTABLE_ITEM = "unlistable-item"
    RESET_MID_BODY = "reset-mid-body"
    RESET = "reset"
    SHORT_BODY = "short-body"
    GZIP = "gzip"
    CHUNKED = "chunked"
    STATUS = "status"
    STALE_READ = "stale-read"
    DELAY = "delay"
    UNAVAILABLE = "unavailable"


_TABLES = ("message", "event", "contact")
"""Where the items lie that a rule may name."""
_OF_ONE_ITEM = (FaultKind.UNREADABLE_ITEM, FaultKind.UNLISTABLE_ITEM)


class FaultInvalidError(ValueError):
    """The rule cannot be understood; the text says which part of it."""


@dataclass(slots=True)
class FaultRule:
    """One rule with its counters; `match` is searched in the decoded path."""

    pk: int
    kind: FaultKind
    spec: dict[str, Any]
    pattern: re.Pattern[str]
    remaining: int | None
    skip: int
    fired: int

    def as_json(self) -> dict[str, object]:
        return {"id": self.pk, **self.spec, "remaining": self.remaining, "fired": self.fired}


@dataclass(slots=True)
class FaultRules:
    """The current rules, read again whenever another process has written to the database."""

    connection: sqlite3.Connection
    _rules: list[FaultRule] = field(default_factory=list)
    _data_version: int = -1

    def rules(self) -> list[FaultRule]:
        version: int = self.connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._data_version:
            self._rules = [_load(row) for row in self.connection.execute("SELECT * FROM fault ORDER BY pk")]
            self._data_version = version
        return self._rules

    def take(self, kind: FaultKind, method: str, path: str, *, item: str | None = None) -> FaultRule | None:
        """Return the first live rule of this kind that matches, and count that it fired.

        `item` names an item by table and key, such as `message/12`.
        """
        for rule in self.rules():
            if rule.kind is not kind or rule.remaining == 0 or not _applies(rule, method, path, item):
                continue
            if rule.skip > 0:
                self._count(rule, "skip = skip - 1")
                rule.skip -= 1
                continue
            self._count(rule, "fired = fired + 1, remaining = remaining - 1")
            rule.fired += 1
            rule.remaining = None if rule.remaining is None else rule.remaining - 1
            return rule
        return None

    def add(self, spec: dict[str, Any]) -> FaultRule:
        """Add a rule. Raises FaultInvalidError."""
        pk = add_fault(self.connection, spec)
        self._data_version = -1
        return next(rule for rule in self.rules() if rule.pk == pk)

    def clear(self, pk: int | None = None) -> int:
        """Remove one rule or all of them; return how many."""
        cursor = self.connection.execute("DELETE FROM fault WHERE ? IS NULL OR pk = ?", (pk, pk))
        self._data_version = -1
        return cursor.rowcount

    def _count(self, rule: FaultRule, assignment: str) -> None:
        with transaction(self.connection):
            self.connection.execute(
                f"UPDATE fault SET {assignment} WHERE pk = ?",  # noqa: S608 - constants of this class
                (rule.pk,),
            )


def add_fault(connection: sqlite3.Connection, spec: dict[str, Any]) -> int:
    """Store a rule and return its key; a serving simulator sees it at once. Raises FaultInvalidError."""
    try:
        kind = FaultKind(spec["kind"])
        re.compile(str(spec.get("match", "")))
        skip = int(spec.get("skip", 0))
        forever = kind in (*_OF_ONE_ITEM, FaultKind.UNAVAILABLE)
        count = spec.get("count", None if forever else 1)
        remaining = None if count is None else int(count)
        if kind in _OF_ONE_ITEM:
            spec = {**spec, "item": _item_of(connection, spec)}
    except (KeyError, ValueError, TypeError, re.error) as error:
        raise FaultInvalidError(f"{type(error).__name__}: {error}") from error
    with transaction(connection):
        cursor = connection.execute(
            "INSERT INTO fault (spec, remaining, skip) VALUES (?, ?, ?)", (json.dumps(spec), remaining, skip)
        )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _item_of(connection: sqlite3.Connection, spec: dict[str, Any]) -> str:
    """Find an item by `item_id`, or the `nth` message (from 1) of `user`, by default of the fullest mailbox."""
    if "item_id" in spec:
        for table in _TABLES:
            found = connection.execute(
                f"SELECT pk FROM {table} WHERE ? IN (id, immutable_id)",  # noqa: S608 - constants of this module
                (spec["item_id"],),
            ).fetchone()
            if found is not None:
                return f"{table}/{found['pk']}"
    else:
        found = connection.execute(
            "SELECT pk FROM message WHERE user_pk = (SELECT user.pk FROM user WHERE upn = coalesce(?,"
            " (SELECT upn FROM user u JOIN message m ON m.user_pk = u.pk GROUP BY u.pk"
            " ORDER BY count(*) DESC, u.pk LIMIT 1))) ORDER BY pk LIMIT 1 OFFSET ?",
            (spec.get("user"), int(spec["nth"]) - 1),
        ).fetchone()
        if found is not None:
            return f"message/{found['pk']}"
    raise FaultInvalidError("no such item")


def _applies(rule: FaultRule, method: str, path: str, item: str | None) -> bool:
    if rule.kind in _OF_ONE_ITEM:
        return bool(rule.spec["item"] == item)
    if str(rule.spec.get("method", method)).upper() != method:
        return False
    # Without a pattern a rule concerns Graph only, never the sign-in.
    return rule.pattern.search(path) is not None and ("match" in rule.spec or path.startswith("/v1.0"))


def _load(row: sqlite3.Row) -> FaultRule:
    spec = json.loads(row["spec"])
    if "message" in spec:  # as schema 2 wrote it
        spec["item"] = f"message/{spec.pop('message')}"
    pattern = re.compile(str(spec.get("match", "")))
    return FaultRule(row["pk"], FaultKind(spec["kind"]), spec, pattern, row["remaining"], row["skip"], row["fired"])
