"""What is refused before Microsoft 365 is asked."""

import pytest

from contracts.employee_changes import ProfileChange, Refusal
from sync_service.domain.profile_change import wanted
from sync_service.domain.refusals import ChangeRefused


def test_what_is_not_given_stays_and_an_empty_text_clears() -> None:
    change = ProfileChange(job_title="  Leitung ", city="", business_phones=(), account_enabled=False)
    assert wanted(change) == {"job_title": "Leitung", "city": None, "business_phones": (), "account_enabled": False}


@pytest.mark.parametrize(
    ("change", "refusal", "field"),
    [
        (ProfileChange(primary_mail="new@contoso.com"), Refusal.PRIMARY_MAIL, "primary_mail"),
        (ProfileChange(primary_mail="", city="Bonn"), Refusal.PRIMARY_MAIL, "primary_mail"),
        (ProfileChange(business_phones=("1", "2")), Refusal.BUSINESS_PHONES, "business_phones"),
        (ProfileChange(display_name="   "), Refusal.VALUE, "display_name"),
        (ProfileChange(preferred_language="german!"), Refusal.VALUE, "preferred_language"),
        (ProfileChange(version=3), Refusal.VALUE, ""),
    ],
)
def test_what_microsoft_365_would_refuse_is_refused_with_its_cause(
    change: ProfileChange, refusal: Refusal, field: str
) -> None:
    with pytest.raises(ChangeRefused) as refused:
        wanted(change)
    assert refused.value.refusal is refusal
    assert [fault.field for fault in refused.value.faults] == [field]


def test_one_business_phone_is_enough_of_a_list() -> None:
    assert wanted(ProfileChange(business_phones=("+49 1", ""))) == {"business_phones": ("+49 1",)}
