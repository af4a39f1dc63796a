"""Two tenants on the real stack: trying a thing of the other one looks like trying a thing that is not there."""

import asyncio
import json
import re
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from main_job import settings_of
from minio import Minio
from minio.error import S3Error
from pydantic import BaseModel
from stack_fixture import wait_until
from two_tenants import MINE, THEIRS, Customer, Pair, target_body
from urllib3 import PoolManager

from backup_service.settings import BackupSettings
from chassis import bus
from chassis.bus import Bus
from chassis.clock import SystemClock
from chassis.openbao import open_vault
from chassis.vault import VaultError
from contracts import rpc, streams, subjects
from contracts.authorization import ROUTES
from contracts.caller import Caller
from contracts.events import BackupRequested, RestoreRequested
from contracts.problem import ProblemError
from tenantkeep.stack import objects, trust

pytestmark = [pytest.mark.integration, pytest.mark.soak]

ABSENT = "01JZZZZZZZZZZZZZZZZZZZZZZZ"
PUBLIC_KEY = "x25519:hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="


def _told(answer: httpx.Response, *ids: str) -> tuple[int, str, dict[str, str]]:
    """What a caller can tell two answers apart by, without the ids it sent itself and the id of its request."""
    headers = {n: v for n, v in answer.headers.items() if n not in {"x-request-id", "date", "content-length"}}
    text = answer.text
    for known in ids:
        text = text.replace(known, "ID")
    return answer.status_code, text, headers


def _bodies(customer: Customer) -> dict[str, Any]:
    return {
        "set_credential": customer.apps["apps"]["directory"],
        "create_storage_target": {
            "name": "x",
            "endpoint": "https://127.0.0.1:1",
            "bucket": "bucket",
            "credentials": {"access_key": "a", "secret_key": "s"},
        },
        "create_backup_configuration": {"name": "x", "target": customer.target},
        "change_backup_configuration": {"paused": False},
        "open_export": {"format": "eml"},
        "open_item_download": {},
        "start_upkeep": {"kind": "verify"},
        "set_recovery_key": {"public_key": PUBLIC_KEY},
        "set_retention_floor": {"period": "30d"},
        "place_legal_hold": {"restore_point": customer.restore_point, "reason": "a lawsuit"},
        "release_legal_hold": {"reason": "it is over"},
        "complete_review": {"note": "seen"},
        "change_employee_profile": {"city": "Bonn"},
        "change_employee_local_fields": {"remote_worker": True},
        "erase_employee": {"reason": "asked for"},
        "note_incident": {"text": "x"},
        "close_incident": {"cause": "x"},
        "renew_storage_credentials": {"credentials": {"access_key": "a", "secret_key": "s"}},
        "set_sync_settings": {"guests": False},
        "start_sync": {"kind": "full"},
        "start_restore": {"restore_point": customer.restore_point, "target_user": "a@foreign.onmicrosoft.com"},
    }


def _filled(path: str, tenant: str, ids: dict[str, str]) -> str:
    filled = path.format(**{"tenant": tenant, "profile": "directory", **{n: quote(i, safe="") for n, i in ids.items()}})
    return f"{filled}?with={ids['restore_point']}" if filled.endswith("/compare") else filled


def _ids(customer: Customer, ticket: str) -> dict[str, str]:
    return {
        "configuration": customer.configuration,
        "target": customer.target,
        "run": customer.run,
        "job": customer.job,
        "restore_point": customer.restore_point,
        "hold": customer.hold,
        "review": customer.run,
        "employee": customer.resource,
        "incident": customer.run,
        "folder": customer.folder,
        "item": customer.item,
        "ticket": ticket,
    }


def _ticket(pair: Pair) -> str:
    path = f"/tenants/{THEIRS}/restore-points/{pair.theirs.restore_point}/exports"
    url: str = pair.api.done("POST", path, {"format": "eml"})["url"]
    return url.rpartition("/")[2]


OF_A_TENANT = sorted(name for name, route in ROUTES.items() if "{tenant}" in route.path)
BY_ID = sorted(name for name in OF_A_TENANT if re.search(r"\{(?!tenant|profile)", ROUTES[name].path))


WITHOUT_ONE_OF_MINE = {
    "download", "start_backup", "start_upkeep", "get_review", "complete_review", "get_incident", "note_incident",
    "close_incident", "get_sync", "erase_employee", "renew_storage_credentials",
}  # fmt: skip
"""Routes whose thing this tenant has none of, or whose success would cost the tests after it."""


@pytest.mark.parametrize("name", OF_A_TENANT)
def test_a_route_of_another_tenant_answers_as_if_there_were_no_such_tenant(pair: Pair, name: str) -> None:
    route, body = ROUTES[name], _bodies(pair.theirs).get(name)
    ticket = _ticket(pair) if name == "download" else ABSENT
    there, nowhere = (_filled(route.path, tenant, _ids(pair.theirs, ticket)) for tenant in (THEIRS, "nobody"))
    told = [_told(pair.api.call(route.method, path, body, tenants=[MINE])) for path in (there, nowhere)]
    assert told[0] == told[1]
    assert told[0][0] == 404
    if name == "download":
        assert pair.api.call("GET", there, tenants=[THEIRS]).status_code == 200, "the refusal used the ticket up"


@pytest.mark.parametrize("name", BY_ID)
def test_an_id_of_another_tenant_is_as_unknown_as_an_invented_one(pair: Pair, name: str) -> None:
    route, body = ROUTES[name], _bodies(pair.mine).get(name)
    ticket = _ticket(pair) if name == "download" else ABSENT
    foreign = _ids(pair.theirs, ticket)
    told = [
        _told(pair.api.call(route.method, _filled(route.path, MINE, ids), body, tenants=[MINE]), *ids.values())
        for ids in (foreign, dict.fromkeys(foreign, ABSENT))
    ]
    assert told[0] == told[1]
    assert told[0][0] == 404 or json.loads(told[0][1]) == {"items": [], "cursor": None}
    own = _filled(route.path, MINE, _ids(pair.mine, ABSENT))
    if name not in WITHOUT_ONE_OF_MINE:
        assert pair.api.call(route.method, own, body, tenants=[MINE]).is_success, "the attempt itself is wrong"


@pytest.mark.parametrize("name", ["create_backup_configuration", "start_restore"])
def test_an_id_of_another_tenant_in_a_body_is_as_unknown_as_an_invented_one(pair: Pair, name: str) -> None:
    path = ROUTES[name].path.format(tenant=MINE)
    foreign, invented = _bodies(pair.theirs)[name], _bodies(pair.theirs)[name]
    field = {"create_backup_configuration": "target", "start_restore": "restore_point"}[name]
    invented = {**invented, field: ABSENT}
    told = [_told(pair.api.call("POST", path, body, tenants=[MINE]), body[field]) for body in (foreign, invented)]
    assert told[0] == told[1]
    assert told[0][0] in {404, 422}


@pytest.mark.parametrize(
    "query",
    [
        "runs?configuration={configuration}",
        "runs?cursor={run}",
        "runs?cursor=../foreign/{run}",
        "restore-points?configuration={configuration}",
        "restore-points?resource={resource}",
        "restore-points?cursor={restore_point}",
        "storage-targets?cursor={target}",
        "backup-configurations?cursor={configuration}",
        "runs/{mine}/jobs?cursor={job}",
    ],
)
def test_a_filter_or_cursor_of_another_tenant_shows_nothing_of_it(pair: Pair, query: str) -> None:
    filled = query.format(**vars(pair.theirs), mine=pair.mine.run)
    answer = pair.api.call("GET", f"/tenants/{MINE}/{filled}", tenants=[MINE])
    assert answer.status_code == 200
    assert {item["tenant"] for item in answer.json()["items"]} <= {MINE}


def test_the_list_of_tenants_and_a_second_registration_reveal_nothing(pair: Pair) -> None:
    listed = pair.api.call("GET", "/tenants", tenants=[MINE]).json()["items"]
    assert [item["tenant"] for item in listed] == [MINE]
    entra = "6d3f6a4e-0f8c-4a6f-9d5e-2b1c7a9e4f10"
    told = []
    for tenant in (THEIRS, "nobody"):
        body = {"tenant": tenant, "entra_tenant_id": entra, "display_name": "x"}
        told.append(_told(pair.api.call("POST", "/tenants", body, tenants=[MINE]), tenant))
    assert told[0] == told[1]
    assert told[0][0] == 403


def test_the_worker_gives_a_download_to_nobody_but_the_tickets_tenant(pair: Pair) -> None:
    ticket, port = _ticket(pair), pair.api.stack.ports["backup_worker_download"]
    with httpx.Client(verify=trust.context(pair.api.stack.home.ca), trust_env=False) as client:
        base = f"https://127.0.0.1:{port}/v1/downloads"
        told = [_told(client.get(f"{base}/{MINE}/{t}")) for t in (ticket, ABSENT)]
        assert told[0] == told[1]
        assert told[0][0] == 404
        assert client.get(f"{base}/{THEIRS}/{ticket}").status_code == 200
        assert client.get(f"{base}/{THEIRS}/{ticket}").status_code == 404


# Every operation with what names a thing of another tenant: its answer must equal that to an invented name.
QUESTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "tenant.register": ({"tenant": THEIRS}, {"tenant": "nobody"}),
    "tenant.list": ({"cursor": THEIRS}, {"cursor": THEIRS}),
    "tenant.get": ({}, {}),
    "recovery-key.set": ({}, {}),
    "credential.set": ({"intake": "{job}"}, {"intake": ABSENT}),
    "consent.start": ({}, {}),
    "consent.finish": ({"state": "{job}"}, {"state": ABSENT}),
    "contacts.set": ({}, {}),
    "onboarding.get": ({}, {}),
    "token.list": ({}, {}),
    # Nothing is opened: the profile has no connection, in neither case.
    "incident.open": ({"profile": "files-backup"}, {"profile": "files-backup"}),
    "incident.list": ({"cursor": "{job}"}, {"cursor": ABSENT}),
    **dict.fromkeys(("incident.get", "incident.note", "incident.close"), ({"id": "{job}"}, {"id": ABSENT})),
    **dict.fromkeys(
        ("token.get", "token.renew", "token.verify", "token.note"), ({"profile": "directory"}, {"profile": "directory"})
    ),
    **dict.fromkeys(
        ("token.deactivate", "token.delete"),
        ({"profile": "files-backup"}, {"profile": "files-backup"}),
    ),
    **dict.fromkeys(
        ("vault-key.offer", "vault-key.set"), ({"profile": "security-monitor"}, {"profile": "security-monitor"})
    ),
    "profile.list": ({}, {}),
    **dict.fromkeys(("permissions.check", "consent-giver.set"), ({"profile": "directory"}, {"profile": "directory"})),
    "sign-in.start": ({}, {}),
    "sign-in.finish": ({"state": "{job}"}, {"state": ABSENT}),
    "documents.export": ({}, {}),
    "target.create": ({"id": "{target}"}, {"id": ABSENT}),
    "target.recover": ({"id": "{target}"}, {"id": ABSENT}),
    "target.list": ({"cursor": "{target}"}, {"cursor": "{target}"}),
    "target.get": ({"id": "{target}"}, {"id": ABSENT}),
    "target.renew": ({"id": "{target}", "credentials": ABSENT}, {"id": ABSENT, "credentials": ABSENT}),
    "target.test": ({"id": "{target}"}, {"id": ABSENT}),
    "retention-floor.get": ({}, {}),
    "retention-floor.set": ({}, {}),
    "legal-hold.place": ({"restore_point": "{restore_point}"}, {"restore_point": ABSENT}),
    "legal-hold.release": ({"id": "{hold}"}, {"id": ABSENT}),
    "legal-hold.list": ({"cursor": "{hold}"}, {"cursor": "{hold}"}),
    "configuration.create": ({"target": "{target}"}, {"target": ABSENT}),
    "configuration.list": ({"cursor": "{configuration}"}, {"cursor": "{configuration}"}),
    "configuration.get": ({"id": "{configuration}"}, {"id": ABSENT}),
    "configuration.change": ({"id": "{configuration}"}, {"id": ABSENT}),
    "protection.get": ({}, {}),
    "protection.stop": ({}, {}),
    "holdings.get": ({}, {}),
    "offboarding.get": ({}, {}),
    "offboarding.begin": ({}, {}),
    "offboarding.cancel": ({}, {}),
    "offboarding.decide-export": ({}, {}),
    "offboarding.order-shredding": ({"confirm": THEIRS}, {"confirm": "nobody"}),
    "offboarding.attest-key": ({}, {}),
    "run.list": ({"configuration": "{configuration}"}, {"configuration": ABSENT}),
    "run.get": ({"id": "{run}"}, {"id": ABSENT}),
    "job.list": ({"run": "{run}"}, {"run": ABSENT}),
    "job.get": ({"id": "{job}"}, {"id": ABSENT}),
    "restore.problems": ({"job": "{job}"}, {"job": ABSENT}),
    "restore-point.list": ({"resource": "{resource}"}, {"resource": ABSENT}),
    "restore-point.get": ({"id": "{restore_point}"}, {"id": ABSENT}),
    "export.open": ({"restore_point": "{restore_point}"}, {"restore_point": ABSENT}),
    **dict.fromkeys(
        ("browse.folders", "browse.items", "browse.item", "browse.message", "browse.search"),
        ({"restore_point": "{restore_point}"}, {"restore_point": ABSENT}),
    ),
    "browse.compare": ({"other": "{restore_point}"}, {"other": ABSENT}),
    "health.get": ({}, {}),
    **dict.fromkeys(
        ("employee.list", "employee.candidates", "erasure.list", "sync.list", "sync.overview", "sync-settings.set"),
        ({}, {}),
    ),
    **dict.fromkeys(
        (
            "employee.get",
            "employee.change-profile",
            "employee.change-local",
            "employee.import",
            "employee.export",
            "employee.erase",
        ),
        ({"id": "{resource}"}, {"id": ABSENT}),
    ),
    # It names who was asked about, and so the same one in both cases: theirs, who is nobody here.
    "employee.roles": ({"id": "{resource}"}, {"id": "{resource}"}),
    "activity.list": ({"employee": "{resource}"}, {"employee": ABSENT}),
    # Nothing is started: a sync of kind users names some.
    "sync.start": ({"kind": "users"}, {"kind": "users"}),
    "sync.get": ({"id": "{run}"}, {"id": ABSENT}),
    "audit.list": ({"oldest_first": "true", "limit": "1"}, {"oldest_first": "true", "limit": "1"}),
    "directory.export": ({}, {}),
    # A life that nobody had: nothing is brought back, in neither case.
    "directory.bring-back": ({"life": "{run}"}, {"life": ABSENT}),
    "audit.head": ({}, {}),
    "audit.seals": ({}, {}),
    "review.list": ({"cursor": "{run}"}, {"cursor": ABSENT}),
    **dict.fromkeys(("review.get", "review.complete"), ({"id": "{run}"}, {"id": ABSENT})),
    "dead-letter.list": ({}, {}),
    "dead-letter.get": ({"id": "1-{run}"}, {"id": ABSENT}),
    "dead-letter.replay": ({"id": "1-{run}"}, {"id": ABSENT}),
}
REST: dict[str, dict[str, Any]] = {
    "tenant.register": {"entra_tenant_id": "6d3f6a4e-0f8c-4a6f-9d5e-2b1c7a9e4f10", "display_name": "x"},
    "recovery-key.set": {"public_key": PUBLIC_KEY},
    "credential.set": {"profile": "directory", "client_id": "x"},
    "token.note": {"text": "x"},
    "vault-key.set": {"client_id": "6d3f6a4e-0f8c-4a6f-9d5e-2b1c7a9e4f10"},
    "incident.open": {"report": "x"},
    "consent-giver.set": {"name": "x"},
    "sign-in.start": {"redirect_uri": "https://127.0.0.1:1/back"},
    "protection.stop": {"stopped": False},
    "offboarding.decide-export": {"exported": True, "note": "x"},
    "offboarding.attest-key": {"fingerprint": "0" * 64, "by": "x"},
    "incident.note": {"text": "x"},
    "incident.close": {"cause": "x"},
    "consent.start": {"profile": "directory", "redirect_uri": "https://127.0.0.1:1/back"},
    "target.create": {"name": "x", "endpoint": "https://127.0.0.1:1", "bucket": "bucket"},
    "configuration.create": {"name": "x"},
    "retention-floor.set": {"period": "30d"},
    "legal-hold.place": {"reason": "a lawsuit"},
    "legal-hold.release": {"reason": "it is over"},
    "employee.change-profile": {"request": "r1", "change": {"city": "Bonn"}},
    "employee.change-local": {"change": {"remote_worker": True}},
    "employee.erase": {"reason": "asked for"},
    "sync.start": {"request": "r1"},
    "browse.items": {"folder": "f"},
    "browse.item": {"item": "i"},
    "browse.message": {"item": "i"},
    "browse.compare": {"restore_point": ABSENT},
    # What the gateway says of a caller; a letter that exists is tried through the API below.
    "dead-letter.list": {"tenants": [MINE]},
    "dead-letter.get": {"tenants": [MINE]},
    "dead-letter.replay": {"tenants": [MINE]},
}
FRESH = re.compile(
    r'(state|nonce|code_challenge)=[^"&]+|"[a-z_]*_?(at|since|until)":"[^"]+"|"(generation|length|version)":[0-9]+|"hash":"[0-9a-f]+"'
    r'|"fingerprint":"[0-9a-f]+"'
)
"""What a link draws anew each time, when something happened, and what every change moves."""
SHOWS_ALL = {"tenant.list"}
"""Asked for callers of every tenant only (services/gateway/tests)."""


async def _ask(pair: Pair, operation: rpc.Operation[BaseModel, BaseModel], tenant: str | None, words: Any) -> str:
    settings = BackupSettings(**settings_of(pair.api.stack, "gateway") | _no_database())
    broker = bus.connect(settings, "gateway")
    await broker.start()
    try:
        question = operation.request.model_validate(words)
        answer = await Bus(broker, "gateway").ask(operation, tenant, question, Caller("anna", ("admin",), "r1"))
        return answer.model_dump_json()
    except ProblemError as error:
        return f"{error.problem.code} {error.problem.detail}"
    finally:
        await broker.stop()


def _no_database() -> dict[str, Any]:
    return {"mongo_user": None, "mongo_password": None}


def test_every_operation_is_tried() -> None:
    assert {operation.name for operation in rpc.OPERATIONS} == QUESTIONS.keys()


@pytest.mark.parametrize("operation", rpc.OPERATIONS, ids=lambda operation: str(operation.name))
async def test_a_question_about_one_tenant_finds_nothing_of_another(
    pair: Pair, operation: rpc.Operation[BaseModel, BaseModel]
) -> None:
    told = []
    for words in QUESTIONS[operation.name]:
        filled = {name: value.format(**vars(pair.theirs)) for name, value in words.items()}
        answer = await _ask(pair, operation, MINE, {**REST.get(operation.name, {}), **filled})
        answer = FRESH.sub("", answer)
        told.append(answer if answer.startswith("{") else answer.replace(filled.get("id", ABSENT), "ID"))
    assert told[0] == told[1]
    if operation.name not in SHOWS_ALL:
        assert THEIRS not in told[0]
        assert pair.theirs.configuration not in told[0]


async def test_a_request_on_the_bus_that_names_things_of_another_tenant_starts_nothing_there(pair: Pair) -> None:
    """A defect or a thief at the gateway: the run belongs to the subject's tenant and finds nothing."""
    before = pair.api.done("GET", f"/tenants/{THEIRS}/runs")["items"]
    now = SystemClock().now()
    settings = BackupSettings(**settings_of(pair.api.stack, "gateway") | _no_database())
    broker = bus.connect(settings, "gateway")
    await broker.start()
    try:
        talking = Bus(broker, "gateway")
        backup = BackupRequested(tenant=MINE, at=now, request="theft-1", configuration=pair.theirs.configuration)
        restore = RestoreRequested(
            tenant=MINE,
            at=now,
            request="theft-2",
            restore_point=pair.theirs.restore_point,
            target_user=f"restore-target@{MINE}.onmicrosoft.com",
        )
        runs = [await talking.request(backup), await talking.request(restore)]
    finally:
        await broker.stop()
    for run in runs:
        ended = await asyncio.to_thread(pair.api.finished, MINE, run)
        assert ended["state"] == "failed"
        assert THEIRS not in json.dumps(ended)
    assert len(pair.api.done("GET", f"/tenants/{THEIRS}/runs")["items"]) == len(before)


async def test_a_dead_letter_of_another_tenant_is_as_unknown_as_an_invented_one(pair: Pair) -> None:
    settings = BackupSettings(**settings_of(pair.api.stack, "gateway") | _no_database())
    broker = bus.connect(settings, "gateway")
    await broker.start()
    try:
        subject = subjects.requested("gateway", THEIRS, "backup")
        await broker.publish(b"no event", subject, stream=streams.EXT.name)
    finally:
        await broker.stop()

    def buried() -> list[str]:
        listed = pair.api.call("GET", "/dead-letters?limit=500", tenants=[THEIRS]).json()["items"]
        return [letter["id"] for letter in listed if letter["tenant"] == THEIRS]

    letters = await asyncio.to_thread(wait_until, buried, seconds=30, what="the message is buried")
    listed = pair.api.call("GET", "/dead-letters?limit=500", tenants=[MINE]).json()["items"]
    assert {letter["tenant"] for letter in listed} <= {MINE}
    for method, path in (("GET", "/dead-letters/{}"), ("POST", "/dead-letters/{}/replay")):
        told = [_told(pair.api.call(method, path.format(i), tenants=[MINE]), i) for i in (letters[0], letters[0] + "0")]
        assert told[0] == told[1]
        assert told[0][0] == 404
    assert pair.api.call("GET", f"/dead-letters/{letters[0]}", tenants=[THEIRS]).is_success


def test_stored_objects_of_another_tenant_look_like_none(pair: Pair) -> None:
    stack = pair.api.stack
    pool = PoolManager(ssl_context=trust.context(stack.home.ca))

    def client(tenant: str) -> Minio:
        keys = target_body(stack, tenant)["credentials"]
        return Minio(f"127.0.0.1:{stack.ports['objects']}", **keys, region="us-east-1", http_client=pool)

    theirs = next(iter(client(THEIRS).list_objects(objects.BUCKET, prefix=f"{THEIRS}/", recursive=True)))
    refusals = []
    for key in (theirs.object_name, f"{THEIRS}/{ABSENT}"):
        for attempt in (Minio.stat_object, Minio.get_object, Minio.remove_object):
            with pytest.raises(S3Error) as denied:
                attempt(client(MINE), objects.BUCKET, key)
            refusals.append((attempt.__name__, denied.value.code))
    assert refusals[:3] == refusals[3:]
    assert {code for _, code in refusals} == {"AccessDenied"}
    pool.clear()


def test_a_target_that_points_into_another_tenants_place_is_not_saved(pair: Pair) -> None:
    body = {**target_body(pair.api.stack, MINE), "prefix": f"{THEIRS}/"}
    answer = pair.api.call("POST", f"/tenants/{MINE}/storage-targets", body, tenants=[MINE])
    assert (answer.status_code, answer.json()["code"]) == (422, "connection-test-failed")


async def test_a_data_key_of_one_tenant_cannot_be_unwrapped_with_the_key_of_another(pair: Pair) -> None:
    settings = BackupSettings(**settings_of(pair.api.stack, "backup-service"))
    async with open_vault(settings, SystemClock()) as vault:
        plain, wrapped = await vault.transit_data_key(f"tenant-{THEIRS}")
        assert await vault.transit_decrypt(f"tenant-{THEIRS}", wrapped) == plain
        with pytest.raises(VaultError):
            await vault.transit_decrypt(f"tenant-{MINE}", wrapped)
        with pytest.raises(VaultError):
            await vault.transit_decrypt("tenant-nobody", wrapped)
