"""`tenantkeep dead-letters`: what people and programs see."""

from typing import Any

import pytest

from contracts.dead_letters import DeadLetter


@pytest.fixture
def letter() -> DeadLetter:
    return DeadLetter(
        id="17-1772438650123456",
        durable="backup-requested",
        tenant="contoso",
        subject="m365.ext.v1.crm.contoso.backup.requested",
        reason="unreadable: configuration: Field required",
        deliveries=1,
        size=2,
        buried_at="2026-03-02T08:04:10Z",
    )


def test_letters_are_listed_shown_and_replayed(signed_in: Any, tenantkeep: Any, letter: DeadLetter) -> None:
    signed_in.letters = [letter]
    listed = tenantkeep("dead-letters", "list", "--waiting")
    assert letter.id in listed.output
    assert "configuration: Field required" in listed.output
    shown = tenantkeep("dead-letters", "show", letter.id)
    assert letter.subject in shown.output
    assert "{}" in shown.output
    replayed = tenantkeep("dead-letters", "replay", letter.id)
    assert f"{letter.id} was sent to {letter.subject} again." in replayed.output


def test_those_that_were_replayed_wait_no_more(signed_in: Any, tenantkeep: Any, letter: DeadLetter) -> None:
    signed_in.letters = [letter.model_copy(update={"replayed_at": letter.buried_at, "replayed_by": "anna"})]
    assert letter.id not in tenantkeep("dead-letters", "list", "--waiting").output
    assert "anna" in tenantkeep("dead-letters", "list").output
