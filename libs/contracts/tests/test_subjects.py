"""Subjects are made of single tokens, and tenant and source are found again where they were put."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import streams, subjects
from contracts.events import EVENTS, Request
from contracts.names import JobKind

TOKENS = st.text("abcXYZ019-_", min_size=1, max_size=128)


@pytest.mark.parametrize("bad", ["", "a.b", "a b", "ä", "a\n", "x" * 129, "a/b", "**", ">x", "$SYS"])
def test_what_is_no_single_token_is_refused(bad: str) -> None:
    for make in (
        lambda token: subjects.event(token, "job", "failed"),
        lambda token: subjects.requested(token, "contoso", "backup"),
        lambda token: subjects.requested("crm", token, "backup"),
        lambda token: subjects.job("contoso", JobKind.BACKUP, token),
        lambda token: subjects.dead_letter("jobs-backup", token),
        lambda token: subjects.rpc("token-service", token, "tenant.get"),
    ):
        with pytest.raises(subjects.BadSubject, match="cannot be a subject token"):
            make(bad)


@given(tenant=TOKENS, source=TOKENS, job=TOKENS)
def test_the_tenant_is_found_in_every_subject(tenant: str, source: str, job: str) -> None:
    made = (
        subjects.event(tenant, "job", "failed"),
        subjects.requested(source, tenant, "backup"),
        subjects.job(tenant, JobKind.RESTORE, job),
        subjects.dead_letter("jobs-backup", tenant),
        subjects.rpc("backup-service", tenant, "restore-point.list"),
    )
    assert [subjects.tenant_of(subject) for subject in made] == [tenant] * 5
    assert [subjects.source_of(subject) for subject in made] == [None, source, None, None, None]
    assert [subjects.is_job(subject) for subject in made] == [False, False, True, False, False]


@pytest.mark.parametrize(
    "foreign", ["", "m365", "m365.evt.v1.contoso", "m365.evt.v2.a.b.c", "x.evt.v1.a.b.c", "$JS.API.a.b.c"]
)
def test_in_foreign_subjects_nothing_is_found(foreign: str) -> None:
    assert subjects.tenant_of(foreign) is None
    assert subjects.source_of(foreign) is None


def test_the_placeholder_for_no_tenant_is_no_slug() -> None:
    assert subjects.ANY_TENANT == "_"
    assert subjects.tenant_of(subjects.rpc("token-service", subjects.ANY_TENANT, "tenant.list")) == "_"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type_name())
def test_every_event_lands_in_exactly_one_stream(event: type) -> None:
    make = subjects.requested if issubclass(event, Request) else subjects.event
    subject = (
        make("crm", "contoso", event.DOMAIN)
        if issubclass(event, Request)
        else make("contoso", event.DOMAIN, event.NAME)
    )
    holding = [s.name for s in streams.STREAMS if any(subject.startswith(own.rstrip(">")) for own in s.subjects)]
    assert len(holding) == 1


def test_names_of_streams_and_durables_are_unique_and_fit_into_a_subject() -> None:
    durables = [durable.name for durable in streams.DURABLES]
    assert len(set(durables)) == len(durables)
    assert len({stream.name for stream in streams.STREAMS}) == len(streams.STREAMS)
    assert all(subjects.dead_letter(name, "contoso") for name in durables)


def test_there_is_a_durable_of_its_own_for_every_kind_of_job() -> None:
    filters = [durable.filter for durable in streams.DURABLES if durable.stream is streams.JOBS]
    assert sorted(filters) == sorted(subjects.job("*", kind, "*") for kind in JobKind if kind is not JobKind.SYNC)
