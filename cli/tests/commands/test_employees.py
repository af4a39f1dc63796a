"""`tenantkeep employees` and `tenantkeep sync`: what is asked, what is shown, and the exit codes."""

import json
from typing import Any

import pytest
from fake_people import ANNA, NOW, employee, sync_run

from contracts.employee_changes import REFUSALS, Refusal, refused
from contracts.employees import Activity, LocalFields
from contracts.errors import ErrorClass
from contracts.names import DirectoryState, JobState
from tenantkeep.commands.errors import refused as error_of

PROFILE = f"/api/v1/tenants/contoso/employees/{ANNA}/profile"


def test_employees_are_listed_with_roles_and_last_sync(signed_in: Any, tenantkeep: Any) -> None:
    gone = {"directory_state": DirectoryState.DELETED, "roles": ()}
    signed_in.people.employees = [employee(stale=True), employee("bert", ANNA.replace("0", "1"), **gone)]
    done = tenantkeep("employees", "list")
    assert done.exit_code == 0, done.output
    assert "User, HR" in done.stdout
    assert "(stale)" in done.stdout
    assert "deleted in Microsoft 365" in done.stdout


def test_a_profile_is_changed_from_the_version_that_was_seen_and_waited_for(signed_in: Any, tenantkeep: Any) -> None:
    signed_in.people.unfinished = 1
    done = tenantkeep("employees", "update", "anna@contoso.com", "city=Bonn", "business_phones=", "account_enabled=no")
    assert done.exit_code == 0, done.output
    sent = [body for path, body in signed_in.bodies if path == PROFILE]
    assert sent == [{"version": 4, "city": "Bonn", "business_phones": [], "account_enabled": False}] * 2
    assert len(set(signed_in.keys)) == 1, "one update, whatever it takes"
    assert "Anna" in done.stdout


def test_an_update_that_takes_longer_ends_with_exit_code_4(signed_in: Any, tenantkeep: Any) -> None:
    signed_in.people.unfinished = 1000
    done = tenantkeep("employees", "update", ANNA, "city=Bonn", "--timeout", "0")
    assert done.exit_code == 4
    assert "has not shown the change yet" in done.stderr


@pytest.mark.parametrize("argument", ["shoe_size=44", "city", "account_enabled=maybe", f"postal_code={'1' * 41}"])
def test_what_is_no_field_or_value_is_told_before_anything_is_sent(
    signed_in: Any, tenantkeep: Any, argument: str
) -> None:
    assert tenantkeep("employees", "update", ANNA, argument).exit_code == 2
    assert signed_in.bodies == []


@pytest.mark.parametrize("refusal", list(Refusal))
@pytest.mark.parametrize("language", ["en", "de"])
def test_every_refusal_is_shown_with_cause_and_remedy(refusal: Refusal, language: str) -> None:
    error = error_of(refused(refusal).problem)
    text = REFUSALS[refusal]
    if refusal is not Refusal.NOT_FOUND:  # which is said in the same words wherever something is missing
        assert getattr(text.cause, language)[1:] in getattr(error.message, language)
        assert getattr(text.remedy, language)[1:] in getattr(error.remedy, language)


def test_a_refusal_ends_the_command(signed_in: Any, tenantkeep: Any) -> None:
    signed_in.problem = refused(Refusal.DIRECTORY_SYNCHRONISED).problem
    done = tenantkeep("employees", "import", ANNA, "--lang", "de")
    assert (done.exit_code, "lokalen Active Directory" in done.stderr) == (1, True)


def test_fields_kept_here_are_sent_as_they_were_given(signed_in: Any, tenantkeep: Any) -> None:
    done = tenantkeep("employees", "edit", "anna@contoso.com", "--remote", "--exit-date", "2026-12-31", "--type", "")
    assert done.exit_code == 0, done.output
    body = signed_in.bodies[-1][1]
    expected = {"version": 4, "remote_worker": True, "exit_date": "2026-12-31", "employee_type": ""}
    assert body == {**expected, "take_offered": False}
    assert tenantkeep("employees", "edit", ANNA, "--exit-date", "31.12.2026").exit_code == 2


def test_what_is_offered_is_pointed_out(signed_in: Any, tenantkeep: Any) -> None:
    signed_in.people.employees = [employee(offered=LocalFields(remote_worker=True))]
    assert "--take-offered" in tenantkeep("employees", "show", ANNA).stdout


def test_candidates_stop_at_the_limit_and_say_that_there_are_more(signed_in: Any, tenantkeep: Any) -> None:
    done = tenantkeep("employees", "candidates", "ca", "--limit", "2")
    assert (done.exit_code, done.stdout.count("carl@contoso.com")) == (0, 2)
    assert "There may be more" in done.stdout
    assert len(json.loads(tenantkeep("employees", "candidates", "--json").stdout)["items"]) == 3


def test_of_two_with_one_address_the_present_one_is_meant_and_nobody_is_guessed(
    signed_in: Any, tenantkeep: Any
) -> None:
    other = ANNA.replace("0", "1")
    signed_in.people.employees = [employee(directory_state=DirectoryState.DELETED), employee(identity=other)]
    assert other in tenantkeep("employees", "refresh", "anna@contoso.com").stdout
    signed_in.people.employees = [employee(), employee(identity=other)]
    assert tenantkeep("employees", "refresh", "anna@contoso.com").exit_code == 1


def test_activity_and_export_hold_every_entry(signed_in: Any, tenantkeep: Any, tmp_path: Any) -> None:
    signed_in.people.activity = [
        Activity(
            id=f"a{number}",
            employee=ANNA,
            version=number,
            action="updated",
            field="city",
            old=None,
            new=f"Ort {number}",
            by="admin",
            origin="profile",
            at=NOW,
        )
        for number in range(5)
    ]
    shown = tenantkeep("employees", "activity", ANNA, "--lang", "de").stdout
    assert [f"Ort {number}" in shown for number in range(5)] == [True] * 5
    out = tmp_path / "anna.json"
    assert tenantkeep("employees", "export", ANNA, "--out", str(out)).exit_code == 0
    assert len(json.loads(out.read_text(encoding="utf-8"))["activity"]) == 5
    assert out.stat().st_mode & 0o777 == 0o600
    assert tenantkeep("employees", "export", ANNA, "--out", str(out)).exit_code == 2, "nothing is overwritten"


def test_an_erasure_says_what_is_gone_and_is_listed(signed_in: Any, tenantkeep: Any) -> None:
    done = tenantkeep("employees", "erase", ANNA, "--reason", "asked for")
    assert (done.exit_code, "7 entries" in done.stdout) == (0, True)
    assert "asked for" in tenantkeep("employees", "erasures").stdout


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ((), {"kind": "incremental", "users": []}),
        (("--full",), {"kind": "full", "users": []}),
        (("anna@contoso.com",), {"kind": "users", "users": [ANNA]}),
    ],
)
def test_a_sync_is_started_as_wanted(signed_in: Any, tenantkeep: Any, arguments: tuple[str, ...], body: Any) -> None:
    done = tenantkeep("sync", "start", *arguments)
    assert done.exit_code == 0, done.output
    assert signed_in.bodies[-1] == ("/api/v1/tenants/contoso/sync/runs", body)
    assert "tenantkeep sync status sync-1" in done.stdout


@pytest.mark.parametrize(
    ("ended", "code"), [(JobState.SUCCEEDED, 0), (JobState.FAILED, 1), (JobState.PARTIAL, 3), (JobState.RUNNING, 4)]
)
def test_a_sync_is_waited_for(signed_in: Any, tenantkeep: Any, ended: JobState, code: int) -> None:
    error = ErrorClass.CONNECTION_TIMEOUT if ended is JobState.FAILED else None
    signed_in.people.runs = [sync_run(ended, error=error)]
    done = tenantkeep("sync", "start", "--wait", "--timeout", "0.1" if code == 4 else "30")
    assert done.exit_code == code, done.output
    if error is not None:
        assert "check the network, try later" in done.stdout


def test_status_tells_how_many_are_stale_of_how_many(signed_in: Any, tenantkeep: Any) -> None:
    signed_in.people.runs = [sync_run(JobState.SUCCEEDED)]
    done = tenantkeep("sync", "status")
    assert (done.exit_code, "3/12" in done.stdout, "sync-1" in done.stdout) == (0, True, True)
    assert json.loads(tenantkeep("sync", "status", "--json").stdout)["overview"]["stale"] == 3


def test_settings_are_shown_or_changed(signed_in: Any, tenantkeep: Any) -> None:
    assert "KlarKonform" in tenantkeep("sync", "settings").stdout
    assert signed_in.bodies == []
    done = tenantkeep("sync", "settings", "--every-hours", "off", "--employee-type", "a", "--employee-type", "b")
    assert done.exit_code == 0, done.output
    assert signed_in.bodies[-1][1] == {"every_hours": 0, "employee_types": ["a", "b"]}
    assert tenantkeep("sync", "settings", "--every-hours", "soon").exit_code == 2
