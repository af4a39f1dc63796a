"""Who may do what on the bus: least privilege, and no two services in each other's way."""

import itertools

import pytest

from contracts import rpc, streams, subjects
from contracts.bus_users import (
    BACKUP_SERVICE,
    BOOTSTRAP,
    BUS_USERS,
    GATEWAY,
    MONITOR_SERVICE,
    TOKEN_SERVICE,
    BusUser,
)
from contracts.events import EVENTS, Request
from contracts.operations import kept_directory, offboarding, onboarding
from contracts.operations.audit import AUDIT_HEAD
from contracts.operations.directory import ACTIVITY_LIST
from contracts.operations.employees import ERASURE_LIST

SERVICES = [user for user in BUS_USERS if user is not BOOTSTRAP]


def overlap(one: str, other: str) -> bool:
    """True when a subject exists that both NATS patterns match."""
    for left, right in itertools.zip_longest(one.split("."), other.split(".")):
        if left is None or right is None:
            return False
        if ">" in (left, right):
            return True
        if left != right and "*" not in (left, right):
            return False
    return True


def replays(subject: str) -> set[str]:
    """monitor-service may publish again what a durable reads, because that can become a dead letter."""
    return {"monitor-service"} if any(overlap(durable.filter, subject) for durable in streams.DURABLES) else set()


def may_publish(user: BusUser, subject: str) -> bool:
    return any(overlap(grant, subject) for grant in user.publish)


def may_subscribe(user: BusUser, subject: str) -> bool:
    return any(overlap(grant, subject) for grant in user.subscribe)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a.b", "a.b", True),
        ("a.*", "a.b", True),
        ("a.>", "a.b.c", True),
        ("a.*", "a.b.c", False),
        ("a.b.>", "a.b", False),
        ("*.b", "a.*", True),
        ("a.c.*", "a.b.>", False),
    ],
)
def test_the_meaning_of_overlap(one: str, other: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert overlap(one, other) is expected


def test_names_are_unique() -> None:
    assert len({user.name for user in BUS_USERS}) == len(BUS_USERS)


@pytest.mark.parametrize("user", SERVICES, ids=lambda user: user.name)
def test_only_the_bootstrap_may_change_streams_and_consumers(user: BusUser) -> None:
    for verb in ("STREAM.CREATE.X", "STREAM.UPDATE.X", "STREAM.DELETE.X", "STREAM.PURGE.X", "STREAM.MSG.DELETE.X"):
        assert not may_publish(user, f"$JS.API.{verb}")
        assert may_publish(BOOTSTRAP, f"$JS.API.{verb}")
    for verb in ("DURABLE.CREATE.X.y", "DELETE.X.y", "CREATE.X"):
        assert not may_publish(user, f"$JS.API.CONSUMER.{verb}")


def test_the_bootstrap_neither_reads_nor_writes_messages() -> None:
    assert not may_publish(BOOTSTRAP, "m365.>")
    assert not may_subscribe(BOOTSTRAP, "m365.>")


def test_nobody_may_use_the_system_account_or_everything() -> None:
    for user in BUS_USERS:
        for grant in (*user.publish, *user.subscribe):
            assert grant.split(".")[0] not in {">", "*", "$SYS"}, f"{user.name}: {grant}"


def test_only_the_owner_listens_to_an_inbox() -> None:
    for owner, other in itertools.permutations(BUS_USERS, 2):
        assert may_subscribe(owner, f"{owner.inbox}.x")
        assert not may_subscribe(other, f"{owner.inbox}.x"), f"{other.name} hears the answers to {owner.name}"


def test_only_the_gateway_asks_and_only_the_asked_service_hears_it() -> None:
    for service in ("token-service", "backup-service", "sync-service", "monitor-service"):
        question = subjects.rpc(service, "contoso", "anything.get")
        assert [user.name for user in BUS_USERS if may_publish(user, question)] == ["gateway"]
        assert [user.name for user in BUS_USERS if may_subscribe(user, question)] == [service]


def test_backup_service_may_ask_for_the_documents_it_carries_and_nothing_else() -> None:
    carried = (rpc.DOCUMENTS_EXPORT, AUDIT_HEAD, *kept_directory.OPERATIONS, ACTIVITY_LIST, ERASURE_LIST)
    for operation in carried:
        subject = subjects.rpc(operation.service, "contoso", operation.name)
        assert [user.name for user in BUS_USERS if may_publish(user, subject)] == ["backup-service", "gateway"]
    ours = [operation for operation in rpc.OPERATIONS if operation not in carried]
    asked = [subjects.rpc(operation.service, "contoso", operation.name) for operation in ours]
    assert not [subject for subject in asked if may_publish(BACKUP_SERVICE, subject)]


def test_token_service_may_ask_how_far_the_protection_is_and_what_is_held_and_nothing_else() -> None:
    own = (onboarding.PROTECTION_GET, offboarding.HOLDINGS_GET)
    for asked in (subjects.rpc("backup-service", "contoso", operation.name) for operation in own):
        assert [user.name for user in BUS_USERS if may_publish(user, asked)] == ["token-service", "gateway"]
    others = [operation for operation in rpc.OPERATIONS if operation not in own]
    subjects_of_others = [subjects.rpc(operation.service, "contoso", operation.name) for operation in others]
    assert not [subject for subject in subjects_of_others if may_publish(TOKEN_SERVICE, subject)]


def test_only_services_that_are_asked_may_answer() -> None:
    asked = {"token-service", "backup-service", "sync-service", "monitor-service"}
    assert {user.name for user in BUS_USERS if user.responds} == asked


def test_requests_come_from_the_gateway_under_its_own_name() -> None:
    request = subjects.requested("gateway", "contoso", "backup")
    assert {user.name for user in BUS_USERS if may_publish(user, request)} == {"gateway"} | replays(request)
    assert not may_publish(GATEWAY, subjects.requested("crm", "contoso", "backup"))


@pytest.mark.parametrize(
    ("domain", "name", "writers"),
    [
        ("token", "refreshed", {"token-service"}),
        ("token", "consent-changed", {"token-service"}),
        ("token", "credential-expiring", {"token-service"}),
        ("security", "incident-opened", {"token-service"}),
        ("tenant", "onboarding-changed", {"token-service"}),
        ("token", "rejected", {"backup-service", "sync-service"}),
        ("token", "permission-drift", {"token-service"}),
        ("backup", "chunk-stored", {"backup-service"}),
        ("job", "failed", {"backup-service", "sync-service"}),
        ("review", "due", {"monitor-service"}),
        ("audit", "recorded", {"token-service", "sync-service", "backup-service", "monitor-service"}),
        ("employee", "deactivated", {"sync-service"}),
    ],
)
def test_facts_are_told_by_those_they_belong_to(domain: str, name: str, writers: set[str]) -> None:
    subject = subjects.event("contoso", domain, name)
    assert {user.name for user in BUS_USERS if may_publish(user, subject)} == writers | replays(subject)


def test_what_no_durable_reads_cannot_be_replayed() -> None:
    for subject in (
        subjects.event("contoso", "backup", "chunk-stored"),
        subjects.event("contoso", "employee", "updated"),
    ):
        assert not may_publish(MONITOR_SERVICE, subject)
    assert not may_publish(MONITOR_SERVICE, subjects.dead_letter("jobs-backup", "contoso"))


def test_every_event_has_somebody_who_may_publish_it() -> None:
    for event in EVENTS:
        if not issubclass(event, Request):
            subject = subjects.event("contoso", event.DOMAIN, event.NAME)
            assert any(may_publish(user, subject) for user in SERVICES), event.type_name()


def test_every_durable_has_one_reader_who_can_bury_what_it_cannot_read() -> None:
    for durable in streams.DURABLES:
        pull = f"$JS.API.CONSUMER.MSG.NEXT.{durable.stream.name}.{durable.name}"
        readers = [user for user in SERVICES if may_publish(user, pull)]
        assert len(readers) == 1, durable.name
        assert may_publish(readers[0], f"$JS.ACK.{durable.stream.name}.{durable.name}.1.2.3.4.5")
        letter = subjects.dead_letter(durable.name, "contoso")
        assert [user.name for user in SERVICES if may_publish(user, letter)] == [readers[0].name]


def test_no_service_reads_the_bus_except_through_its_durables() -> None:
    for user in SERVICES:
        for kind in ("evt", "ext", "job", "dlq"):
            shows_progress = user is GATEWAY and kind == "evt"
            assert may_subscribe(user, f"m365.{kind}.v1.>") == shows_progress


def test_only_the_gateway_hears_facts_as_they_are_published_jobs_and_employees_alone() -> None:
    for event in EVENTS:
        if not issubclass(event, Request):
            hearers = [user.name for user in SERVICES if may_subscribe(user, subjects.event("*", event.DOMAIN, "*"))]
            assert hearers == (["gateway"] if event.DOMAIN in {"job", "employee"} else []), event.type_name()
