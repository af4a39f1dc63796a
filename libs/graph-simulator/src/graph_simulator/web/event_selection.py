"""$filter and $orderby of event lists as SQL over the event table."""

from graph_simulator.messages import normalized_property
from graph_simulator.occurrences import instant
from graph_simulator.web.problems import bad_request
from graph_simulator.web.selection import Condition, ExtendedCondition, parse_filter

_COLUMNS = {
    "start/dateTime": "starts_utc",
    "end/dateTime": "ends_utc",
    "lastModifiedDateTime": "modified",
    "createdDateTime": "created",
}
_OPERATORS = {"eq": "=", "ne": "<>", "ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_TEXT = {"subject": "properties ->> 'subject'", "transactionId": "transaction_id"}
_DEFAULT_ORDER = "starts_utc, pk"


def where(text: str) -> tuple[list[str], list[object]]:
    """Return clauses and values of a $filter; what is not supported is a 400."""
    clauses: list[str] = []
    values: list[object] = []
    for condition in parse_filter(text):
        clause, found = _sql(condition)
        clauses.append(clause)
        values += found
    return clauses, values


def order(text: str) -> str:
    """Return the ORDER BY of a $orderby, which names one property."""
    name, _, direction = text.strip().partition(" ")
    if not name:
        return _DEFAULT_ORDER
    column = {**_COLUMNS, **_TEXT}.get(name)
    if column is None or direction.lower() not in ("", "asc", "desc"):
        raise bad_request(f"Ordering by {text} is not supported.", "ErrorInvalidUrlQuery")
    return f"{column} {direction or 'asc'}, pk"


def _sql(condition: Condition | ExtendedCondition) -> tuple[str, list[object]]:
    if isinstance(condition, ExtendedCondition):
        clause = "pk IN (SELECT event_pk FROM event_property WHERE match = ? AND value = ?)"
        return clause, [normalized_property(condition.property_id), condition.value]
    operator = _OPERATORS[condition.operator]
    if condition.name in _TEXT:
        return f"{_TEXT[condition.name]} {operator} ?", [condition.value]
    if condition.name not in _COLUMNS:
        raise bad_request(f"Filtering by {condition.name} is not supported.", "ErrorInvalidUrlQueryFilter")
    try:
        moment = instant(str(condition.value))
    except ValueError as error:
        raise bad_request(f"'{condition.value}' is not an instant.", "ErrorInvalidUrlQueryFilter") from error
    stored = moment if condition.name in ("start/dateTime", "end/dateTime") else f"{moment}Z"
    return f"{_COLUMNS[condition.name]} {operator} ?", [stored]
