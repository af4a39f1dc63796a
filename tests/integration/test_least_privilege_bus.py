"""Every user of the bus tries what belongs to the others: all subjects, all consumers, all of JetStream's commands."""

import functools

import pytest
from bus_user import connect, settled
from stack_fixture import RunningStack

from contracts.bus_users import BUS_USERS, inbox_prefix
from contracts.streams import DURABLES, STREAMS

pytestmark = [pytest.mark.integration, pytest.mark.soak]

SERVICES = ("token-service", "backup-service", "sync-service", "monitor-service", "gateway")
OWN_DURABLES = {
    "token-service": {"token-rejected"},
    "backup-service": {
        "backup-requested",
        "restore-requested",
        "verify-requested",
        "backup-token-refreshed",
        "jobs-backup",
        "jobs-restore",
        "jobs-verify",
        "jobs-restore-drill",
        "jobs-maintain",
    },
    "sync-service": {"sync-requested", "sync-token-refreshed"},
    "monitor-service": {"monitor-ledger", "monitor-audit"},
    "gateway": set(),
}
"""Written by hand, so that a slip in contracts.bus_users is seen here."""

PUBLISH = {
    "m365.evt.v1.acme.token.refreshed": {"token-service", "monitor-service"},
    "m365.evt.v1.acme.token.consent-changed": {"token-service"},
    "m365.evt.v1.acme.token.credential-expiring": {"token-service"},
    "m365.evt.v1.acme.security.incident-opened": {"token-service"},
    "m365.evt.v1.acme.tenant.onboarding-changed": {"token-service"},
    "m365.evt.v1.acme.token.permission-drift": {"token-service"},
    "m365.evt.v1.acme.token.invented": set(),
    "m365.evt.v1.acme.token.rejected": {"backup-service", "sync-service", "monitor-service"},
    "m365.evt.v1.acme.backup.chunk-stored": {"backup-service"},
    "m365.evt.v1.acme.audit.recorded": {"token-service", "sync-service", "backup-service", "monitor-service"},
    "m365.evt.v1.acme.review.overdue": {"monitor-service"},
    "m365.evt.v1.acme.job.succeeded": {"backup-service", "sync-service", "monitor-service"},
    "m365.evt.v1.acme.sync.completed": set(),
    "m365.evt.v1.acme.employee.updated": {"sync-service"},
    "m365.evt.v1.acme.request.rejected": {"backup-service", "sync-service"},
    "m365.job.v1.acme.backup.j1": {"backup-service", "monitor-service"},
    "m365.job.v1.acme.restore.j1": {"backup-service", "monitor-service"},
    "m365.ext.v1.gateway.acme.backup.requested": {"gateway", "monitor-service"},
    "m365.ext.v1.stranger.acme.backup.requested": {"monitor-service"},
    "m365.ext.v1.gateway.acme.other.requested": {"gateway"},
    "m365.rpc.v1.token-service.acme.tenant.get": {"gateway"},
    "m365.rpc.v1.token-service.acme.documents.export": {"gateway", "backup-service"},
    "m365.rpc.v1.backup-service.acme.protection.get": {"gateway", "token-service"},
    "m365.rpc.v1.backup-service.acme.holdings.get": {"gateway", "token-service"},
    "m365.rpc.v1.backup-service.acme.protection.stop": {"gateway"},
    "m365.rpc.v1.backup-service.acme.run.list": {"gateway"},
    "m365.rpc.v1.sync-service.acme.employee.get": {"gateway"},
    "m365.rpc.v1.sync-service.acme.employee.change-local": {"gateway"},
    "m365.rpc.v1.sync-service.acme.directory.export": {"gateway", "backup-service"},
    "m365.rpc.v1.sync-service.acme.directory.bring-back": {"gateway", "backup-service"},
    "m365.rpc.v1.sync-service.acme.activity.list": {"gateway", "backup-service"},
    "m365.rpc.v1.monitor-service.acme.health.get": {"gateway"},
    "m365.rpc.v1.monitor-service.acme.audit.head": {"gateway", "backup-service"},
    "m365.rpc.v1.token-service.acme.token.list": {"gateway", "monitor-service"},
    "m365.rpc.v1.token-service.acme.profile.list": {"gateway", "monitor-service"},
    "m365.rpc.v1.monitor-service.acme.audit.list": {"gateway"},
    "m365.elsewhere": set(),
    "$SYS.REQ.SERVER.PING": set(),
}
"""Subject → who may write there. monitor-service replays dead letters to where they came from (ADR 0010)."""

SUBSCRIBE = {
    "m365.>": set(),
    ">": set(),
    "$JS.>": set(),
    "$SYS.>": set(),
    "_INBOX.>": set(),
    "m365.evt.v1.>": set(),
    "m365.evt.v1.*.token.>": set(),
    "m365.evt.v1.*.job.>": {"gateway"},
    "m365.job.v1.>": set(),
    "m365.ext.v1.>": set(),
    "m365.dlq.v1.>": set(),
    "m365.rpc.v1.>": set(),
    **{
        f"m365.rpc.v1.{name}.*.>": {name}
        for name in ("token-service", "backup-service", "sync-service", "monitor-service")
    },
    **{f"{inbox_prefix(user.name)}.>": {user.name} for user in BUS_USERS},
}


def _commands() -> dict[str, set[str]]:
    """Every command of JetStream that creates, changes, reads or consumes, and who may give it."""
    found: dict[str, set[str]] = {"$JS.API.INFO": set(), "$JS.API.STREAM.NAMES": set(), "$JS.API.STREAM.LIST": set()}
    for stream in STREAMS:
        for verb in ("CREATE", "UPDATE", "DELETE", "PURGE", "INFO", "MSG.GET", "MSG.DELETE", "SNAPSHOT"):
            found[f"$JS.API.STREAM.{verb}.{stream.name}"] = set()
        reader = {"monitor-service"} if stream.name == "M365_DLQ" else set()
        found[f"$JS.API.DIRECT.GET.{stream.name}"] = reader
        for command in (f"CONSUMER.CREATE.{stream.name}", f"CONSUMER.LIST.{stream.name}"):
            found[f"$JS.API.{command}"] = set()
    for durable in DURABLES:
        owner = {name for name, own in OWN_DURABLES.items() if durable.name in own}
        place = f"{durable.stream.name}.{durable.name}"
        for verb in ("DURABLE.CREATE", "DELETE", "PAUSE"):
            found[f"$JS.API.CONSUMER.{verb}.{place}"] = set()
        found[f"$JS.API.CONSUMER.INFO.{place}"] = owner
        found[f"$JS.API.CONSUMER.MSG.NEXT.{place}"] = owner
        found[f"$JS.ACK.{place}.1.1.1.1.0"] = owner
        found[f"m365.dlq.v1.{durable.name}.acme"] = owner
    return found


def test_every_durable_has_an_owner_and_every_user_is_tried() -> None:
    assert set().union(*OWN_DURABLES.values()) == {durable.name for durable in DURABLES}
    assert {user.name for user in BUS_USERS} == {"bootstrap", *SERVICES}


@pytest.mark.parametrize("name", SERVICES)
async def test_a_user_writes_only_where_it_may(servers: RunningStack, name: str) -> None:
    user = await connect(servers, name)
    places = {**PUBLISH, **_commands()}
    try:
        for subject in places:
            await user.connection.publish(subject, b"{}")
            await user.connection.flush()
        foreign = [subject for subject, users in places.items() if name not in users]
        await settled(user, lambda: all(user.was_refused("publish", subject) for subject in foreign))
    finally:
        await user.connection.close()
    allowed = {subject for subject in places if not user.was_refused("publish", subject)}
    assert allowed == {subject for subject, users in places.items() if name in users}


@pytest.mark.parametrize("name", SERVICES)
async def test_a_user_hears_only_what_it_may(servers: RunningStack, name: str) -> None:
    user = await connect(servers, name)
    try:
        for subject in SUBSCRIBE:
            await user.connection.subscribe(subject)
            await user.connection.flush()
        foreign = [subject for subject, users in SUBSCRIBE.items() if name not in users]
        await settled(user, lambda: all(user.was_refused("subscription", subject) for subject in foreign))
    finally:
        await user.connection.close()
    allowed = {subject for subject in SUBSCRIBE if not user.was_refused("subscription", subject)}
    assert allowed == {subject for subject, users in SUBSCRIBE.items() if name in users}


async def test_nobody_answers_questions_put_to_another(servers: RunningStack) -> None:
    """`allow_responses` lets a service answer what it was asked, not write into the inbox of others."""
    for name in ("token-service", "backup-service", "sync-service", "monitor-service"):
        user = await connect(servers, name)
        subject = f"{inbox_prefix('gateway')}.invented.1"
        try:
            await user.connection.publish(subject, b'{"result":{}}')
            await settled(user, functools.partial(user.was_refused, "publish", subject))
        finally:
            await user.connection.close()
        assert user.was_refused("publish", subject)
