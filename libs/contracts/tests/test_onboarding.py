"""Onboarding in words: every code has a remedy and a text in both languages."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest

from contracts.contacts import Contact
from contracts.onboarding import NEXT_STEPS, NextStep, OnboardingCause, OnboardingStep
from contracts.onboarding_texts import CAUSES, NEXT, STEPS
from contracts.texts import Text


def test_every_cause_has_one_next_step_and_every_next_step_a_cause() -> None:
    assert set(NEXT_STEPS) == set(OnboardingCause)
    assert set(NEXT_STEPS.values()) == set(NextStep)


@pytest.mark.parametrize(
    ("table", "codes"),
    [(STEPS, OnboardingStep), (CAUSES, OnboardingCause), (NEXT, NextStep)],
    ids=("steps", "causes", "next"),
)
def test_every_code_has_a_text_in_both_languages(table: Mapping[Any, Text], codes: type[StrEnum]) -> None:
    assert set(table) == set(codes)
    for text in table.values():
        assert text.en != text.de
        for language in text:
            assert language.format(tenant="contoso", profile="exchange-backup").strip()


def test_R_B14_the_steps_have_their_order() -> None:  # noqa: N802 - named after the row
    assert [STEPS[step].de for step in OnboardingStep] == [
        "Mandant angelegt",
        "Microsoft-Integration konfiguriert",
        "Admin-Consent wirksam",
        "Token und Berechtigungen geprüft",
        "Test-Backup erfolgreich",
        "Produktiv: regelmäßige Backups",
    ]


@pytest.mark.parametrize("mail", ["", "desk", "desk@", "@contoso.test", "a b@contoso.test", "a@b>,c@d", "a@b\n@c"])
def test_what_is_no_mail_address_is_refused(mail: str) -> None:
    with pytest.raises(ValueError, match="mail"):
        Contact(name="Desk", mail=mail)
