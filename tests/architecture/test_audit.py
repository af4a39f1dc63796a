"""No change without a record: every route that changes something names it, and a service records what is named."""

import ast
from functools import cache
from pathlib import Path

import pytest

from contracts.auditing import AuditAction
from contracts.authorization import ROUTES

ROOT = Path(__file__).parents[2]
SERVICES = sorted((ROOT / "services").glob("*/src"))

CHANGES_NOTHING = {
    "start_sign_in": "it gives a link; what the person then does is in Microsoft's own log",
    "check_permissions": "it asks the directory and Graph, and tells what they say",
    "verify_token": "it asks sign-in and Graph, and tells what they say",
    "test_storage_target": "a probe: it writes and removes objects of its own and leaves everything as it was",
}
"""Routes other than GET that need no record, each with its reason."""


@cache
def recorded_by_services() -> set[str]:
    """Names of the actions in those files of services that hand one to `recorded`."""
    files = (path.read_text(encoding="utf-8") for source in SERVICES for path in source.rglob("*.py"))
    return {
        node.attr
        for text in files
        if "recorded(" in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "AuditAction"
    }


@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if route.method != "GET"])
def test_a_route_that_changes_something_says_what_it_records(name: str) -> None:
    assert (ROUTES[name].audits is None) == (name in CHANGES_NOTHING), (
        "name the AuditAction in the table, or the reason"
    )


def test_reading_changes_nothing() -> None:
    assert [name for name, route in ROUTES.items() if route.method == "GET" and route.audits is not None] == []


@pytest.mark.parametrize("action", AuditAction)
def test_every_action_is_recorded_by_a_service(action: AuditAction) -> None:
    assert action.name in recorded_by_services(), "call contracts.auditing.recorded with it where the change is saved"
