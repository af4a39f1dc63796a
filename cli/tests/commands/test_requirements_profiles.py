"""The list of profiles, one in full, and a check from the command line."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.names import Answer, PermissionFinding, Profile, TokenStatus
from contracts.permissions import PermissionCheck, PermissionState, ProfileView
from contracts.profiles import PROFILES, withdraw_url

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def view(profile: Profile, in_order: Answer = Answer.YES, **more: Any) -> ProfileView:
    wanted = PROFILES[profile]
    states = tuple(
        PermissionState(
            name=one.name,
            kind=one.kind,
            optional=one.optional,
            feature=one.feature,
            granted=in_order,
            effective=in_order,
            finding=PermissionFinding.MISSING if in_order is Answer.NO and not one.optional else None,
        )
        for one in wanted.permissions
    )
    check = PermissionCheck(tenant="contoso", profile=profile, checked_at=AT, in_order=in_order, permissions=states)
    return ProfileView(
        tenant="contoso",
        profile=profile,
        status=TokenStatus.ACTIVE,
        in_use=wanted.in_use,
        client_id="app-1",
        consent_role=wanted.consent_role,
        registration_role=wanted.registration_role,
        check=check,
        withdraw_url=withdraw_url("e", "app-1", "p"),
        **more,
    )


@pytest.fixture
def known(signed_in: Any) -> Any:
    signed_in.profiles = [view(profile, Answer.NO if "restore" in profile else Answer.YES) for profile in Profile]
    return signed_in


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ("Active", "missing", "Privileged Role Administrator", "nothing of the person's own rights")),
        ("de", ("Aktiv", "fehlt", "privilegierte Rollen", "nichts von den eigenen Rechten")),
    ],
)
def test_R_C4_one_list_shows_every_profile_with_status_and_how_to_authorise(
    known: Any, tenantkeep: Any, lang: str, words: tuple[str, ...]
) -> None:
    done = tenantkeep("profiles", "list", "--tenant", "contoso", "--lang", lang, COLUMNS="400")
    assert done.exit_code == 0, done.output
    for profile in Profile:
        assert f"tenantkeep tenant consent {profile}" in done.output
    for word in (*words, "Mail.ReadWrite"):
        assert word in " ".join(done.output.split())


def test_R_C2_R_C5_one_profile_explains_each_permission_the_role_and_the_way_back(known: Any, tenantkeep: Any) -> None:
    done = tenantkeep("profiles", "show", "directory", "--tenant", "contoso", "--lang", "de", COLUMNS="400")
    said = " ".join(done.output.split())
    for permission in PROFILES[Profile.DIRECTORY].permissions:
        assert permission.description.de in said
        assert permission.why.de in said
    for words in ("delegiert", "Anwendungsadministrator", "Unternehmensanwendung", "entra.microsoft.com", "Popup"):
        assert words in said


def test_a_profile_that_no_service_uses_says_so(known: Any, tenantkeep: Any) -> None:
    done = tenantkeep("profiles", "show", "files-backup", "--tenant", "contoso", "--lang", "en", COLUMNS="400")
    assert "No service of this release uses its tokens" in done.output


@pytest.mark.parametrize(("answer", "code"), [(Answer.YES, 0), (Answer.NO, 1), (Answer.UNKNOWN, 4)])
def test_R_B4_the_exit_code_of_a_check_tells_good_bad_and_unknown(
    signed_in: Any, tenantkeep: Any, answer: Answer, code: int
) -> None:
    signed_in.profiles = [view(Profile.DIRECTORY, answer)]
    done = tenantkeep("permissions", "check", "directory", "--tenant", "contoso", "--json")
    assert done.exit_code == code, done.output
    assert json.loads(done.stdout)["in_order"] == answer


def test_who_consented_is_typed_in_and_shown_as_such(known: Any, tenantkeep: Any) -> None:
    done = tenantkeep("profiles", "consent-giver", "directory", "--name", "Erika Muster", "--tenant", "contoso")
    assert done.exit_code == 0, done.output
    assert "Erika Muster" in done.output
    assert "typed in" in done.output
