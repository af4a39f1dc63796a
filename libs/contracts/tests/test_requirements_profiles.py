"""The app profiles as data: what requirements R-C ask of the list itself."""

import re
from itertools import chain

import pytest

from contracts import profile_texts, profiles
from contracts.names import AdminRole, Feature, PermissionKind, Profile
from contracts.profiles import PROFILES

EVERY = [(profile, permission) for profile in PROFILES.values() for permission in profile.permissions]
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_R_C2_every_profile_names_its_least_role_and_says_why_global_administrator_gives_no_more() -> None:
    for profile in PROFILES.values():
        assert profile.consent_role is AdminRole.PRIVILEGED_ROLE_ADMINISTRATOR
        assert profile.registration_role is AdminRole.APPLICATION_ADMINISTRATOR
    assert AdminRole.APPLICATION_ADMINISTRATOR not in profiles.CONSENTING_ROLES
    for text, words in (
        (profile_texts.LEAST_ROLE.en, ("Application Administrator", "Privileged Role Administrator", "nothing of the")),
        (profile_texts.LEAST_ROLE.de, ("Anwendungsadministrator", "privilegierte Rollen", "nichts von den eigenen")),
    ):
        assert all(word in text for word in words)


def test_a_profile_of_delegated_permissions_alone_needs_no_privileged_role() -> None:
    person = next(each for each in PROFILES[Profile.DIRECTORY].permissions if each.kind is PermissionKind.DELEGATED)
    alone = profiles.AppProfile(Profile.DIRECTORY, person.description, (person,), in_use=False)
    assert alone.consent_role is AdminRole.APPLICATION_ADMINISTRATOR


def test_R_C3_one_registration_per_purpose_with_optional_permissions_that_name_their_feature() -> None:
    assert list(PROFILES) == list(Profile)
    for profile in PROFILES.values():
        ids = [permission.id for permission in profile.permissions]
        assert len(set(ids)) == len(ids)
        assert profile.required, profile.profile
        assert profile.required < profile.allowed or not any(p.optional for p in profile.permissions)
    assert {permission.feature for _, permission in EVERY} - {None} == set(Feature)
    assert profile_texts.FEATURES.keys() == set(Feature)


@pytest.mark.parametrize(
    ("reading", "writing"),
    [(Profile.EXCHANGE_BACKUP, Profile.EXCHANGE_RESTORE), (Profile.FILES_BACKUP, Profile.FILES_RESTORE)],
)
def test_backup_never_asks_to_write(reading: Profile, writing: Profile) -> None:
    assert not [name for name in PROFILES[reading].allowed if "Write" in name or "FullControl" in name]
    assert [name for name in PROFILES[writing].required if name.endswith("ReadWrite") or "ReadWrite.All" in name]


def test_R_C4_every_permission_has_name_plain_description_reason_and_type_in_both_languages() -> None:
    for _, permission in EVERY:
        assert GUID.fullmatch(permission.id), permission.name
        for text in chain(permission.description, permission.why):
            assert len(text) >= 8
            assert permission.name not in text
        assert permission.description.en != permission.description.de
    same_name = {(permission.name, permission.kind, permission.id) for _, permission in EVERY}
    assert len(same_name) == len({(name, kind) for name, kind, _ in same_name})


def test_R_C5_the_way_to_withdraw_leads_to_the_enterprise_application() -> None:
    url = profiles.withdraw_url("tenant-id", "app-1", "principal-1")
    assert url == (
        "https://entra.microsoft.com/tenant-id/#view/Microsoft_AAD_IAM"
        "/ManagedAppMenuBlade/~/Overview/objectId/principal-1/appId/app-1"
    )
    assert "app-1" in profiles.withdraw_url("tenant-id", "app-1", None)


def test_R_B1_the_preflight_list_is_complete_in_both_languages() -> None:
    for language in range(2):
        said = " ".join(text[language] for text in profile_texts.PREFLIGHT).lower()
        assert all(word in said for word in ("administrator", "mandant" if language else "tenant", "pop"))
    assert len(profile_texts.PREFLIGHT) == 4
