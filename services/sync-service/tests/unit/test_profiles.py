"""What Microsoft 365 does with a profile that is read and changed: one suite for the fake and for Graph, simulated."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sync_fakes.profiles import MAY_READ, MemoryProfiles, SimulatedProfiles

from contracts.employee_changes import Refusal
from sync_service.domain.refusals import ChangeRefused


@pytest.fixture(params=["memory", "graph"])
def profiles(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "memory":
        yield MemoryProfiles()
        return
    simulated = SimulatedProfiles(tmp_path)
    yield simulated
    simulated.close()


async def refusal_of(call: Any) -> Refusal:
    with pytest.raises(ChangeRefused) as refused:
        await call
    return refused.value.refusal


async def test_a_change_is_seen_and_what_it_does_not_name_stays(profiles: Any) -> None:
    anna = profiles.add("anna", jobTitle="Buchhaltung", city="Bonn")
    await profiles.write(anna, {"city": None, "business_phones": ("+49 228 1",), "account_enabled": False})
    seen = (await profiles.read(anna)).whole()
    assert (seen.city, seen.business_phones, seen.account_enabled) == (None, ("+49 228 1",), False)
    assert seen.job_title == "Buchhaltung"


async def test_a_read_may_show_the_profile_as_before_for_a_while(profiles: Any) -> None:
    anna = profiles.add("anna", city="Bonn")
    await profiles.write(anna, {"city": "Köln"})
    profiles.stale_reads = 2
    assert [(await profiles.read(anna)).whole().city for _ in range(3)] == ["Bonn", "Bonn", "Köln"]


async def test_a_directory_synchronised_user_is_changed_on_premises_only(profiles: Any) -> None:
    user = profiles.add("lokal", onPremisesSyncEnabled=True)
    assert await refusal_of(profiles.write(user, {"city": "Köln"})) is Refusal.DIRECTORY_SYNCHRONISED


async def test_sensitive_fields_of_an_administrator_are_refused_and_others_are_not(profiles: Any) -> None:
    admin = profiles.add("admin", admin=True)
    for values in ({"account_enabled": False}, {"mobile_number": "+49 1"}, {"business_phones": ("1",)}):
        assert await refusal_of(profiles.write(admin, values)) is Refusal.ADMINISTRATOR
    await profiles.write(admin, {"city": "Köln"})


async def test_a_missing_permission_is_told_from_an_administrator(profiles: Any) -> None:
    anna = profiles.add("anna")
    profiles.roles = MAY_READ
    assert await refusal_of(profiles.write(anna, {"city": "Köln"})) is Refusal.ACCESS_DENIED
    assert await refusal_of(profiles.write(anna, {"mobile_number": "1"})) is Refusal.ACCESS_DENIED


async def test_an_app_that_may_not_even_read_needs_consent(profiles: Any) -> None:
    anna = profiles.add("anna")
    profiles.roles = ()
    assert await refusal_of(profiles.read(anna)) is Refusal.CONSENT_REQUIRED


async def test_a_user_who_is_gone_is_not_found(profiles: Any) -> None:
    anna = profiles.add("anna")
    profiles.delete(anna)
    assert await refusal_of(profiles.read(anna)) is Refusal.NOT_FOUND
    assert await refusal_of(profiles.write(anna, {"city": "Köln"})) is Refusal.NOT_FOUND


@pytest.mark.parametrize(
    "outage",
    [Refusal.NO_VALID_TOKEN, Refusal.TOKEN_EXPIRED, Refusal.RATE_LIMITED, Refusal.CONNECTION_TIMEOUT],
)
async def test_an_outage_is_named(profiles: Any, outage: Refusal) -> None:
    anna = profiles.add("anna")
    profiles.outage = outage
    assert await refusal_of(profiles.read(anna)) is outage
    assert await refusal_of(profiles.write(anna, {"city": "Köln"})) is outage


async def test_a_guest_is_known_as_one(profiles: Any) -> None:
    assert (await profiles.read(profiles.add("gast", userType="Guest"))).guest


async def test_groups_are_told_by_their_ids(profiles: Any) -> None:
    anna, bert = profiles.add("anna"), profiles.add("bert")
    profiles.enrol(anna, "HR")
    own = getattr(profiles, "groups", {}).get("HR", "HR")
    assert await profiles.groups_of(anna) == {own}
    assert await profiles.groups_of(bert) == frozenset()


async def test_users_are_listed_page_by_page_by_the_begin_of_a_name_or_address(profiles: Any) -> None:
    for name in ("mara", "maria", "Bert", "o'neil"):
        profiles.add(name)
    profiles.add("zoe", givenName="Marlene")
    seen, link = [], None
    for _ in range(5):
        page = await profiles.listed("MAR", link, 1)
        seen += [one.user.given["display_name"] for one in page.users]
        link = page.link
        if link is None:
            break
    assert sorted(seen) == ["mara", "maria", "zoe"]
    assert [one.user.given["display_name"] for one in (await profiles.listed("o'n", None, 10)).users] == ["o'neil"]
    assert page.users[0].sign_in_name.endswith("@contoso.onmicrosoft.com")
    assert len((await profiles.listed("", None, 200)).users) >= 5


async def test_a_link_that_leads_elsewhere_is_refused(profiles: Any) -> None:
    with pytest.raises(ValueError, match="elsewhere"):
        await profiles.listed("", "https://graph.test/v1.0/users/anna/messages", 10)
