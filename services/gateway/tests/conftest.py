"""A gateway on fakes that keep their promises: a real JWT issuer, the bus in memory, the vault in memory."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from prometheus_client import CollectorRegistry

from chassis.rpc import Call, RpcServer
from chassis.testing.bus import MemoryBroker
from chassis.testing.clock import ManualClock
from chassis.testing.vault import MemoryVault
from contracts import rpc, views
from contracts.employees import Activity
from contracts.names import AdminRole, Answer, ConsentOutcome, Role
from contracts.operations import (
    audit,
    directory,
    employees,
    incidents,
    offboarding,
    onboarding,
    permissions,
    reviews,
    sign_in,
    tokens,
)
from contracts.problem import Problem, ProblemError, not_found, unavailable
from contracts.sign_in import SignedInPerson
from gateway.adapters.bus_services import BusServices
from gateway.adapters.httpx_downloads import HttpxDownloads
from gateway.adapters.oidc_callers import OidcCallers
from gateway.adapters.oidc_keys import OidcKeys
from gateway.app import Around, build_with
from gateway.openapi import document

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ISSUER = "https://issuer.example/realms/tenantkeep"
AUDIENCE = "tenantkeep"


@dataclass
class Issuer:
    """An OpenID Connect issuer whose keys the test may rotate and whose server it may switch off."""

    keys: dict[str, Any] = field(default_factory=lambda: {"k1": RSA_KEY})
    reachable: bool = True
    fetches: list[str] = field(default_factory=list)

    def token(self, *, kid: str | None = "k1", algorithm: str = "RS256", key: Any = None, **changes: Any) -> str:
        now = datetime.now(UTC)
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "anna",
            "roles": ["operator"],
            "tenants": ["*"],
            "nbf": now,
            "exp": now + timedelta(minutes=5),
        } | changes
        for name in {"exp", "nbf"} & changes.keys():
            if changes[name] is not None:  # seconds from now
                claims[name] = now + timedelta(seconds=changes[name])
        headers = {} if kid is None else {"kid": kid}
        signing = key or self.keys.get(kid or "k1", RSA_KEY)
        return jwt.encode({k: v for k, v in claims.items() if v is not None}, signing, algorithm, headers)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if not self.reachable:
            raise httpx.ConnectError("refused")
        self.fetches.append(request.url.path)
        if request.url.path.endswith("/.well-known/openid-configuration"):
            return httpx.Response(200, json={"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"})
        return httpx.Response(200, json={"keys": [_jwk(kid, key) for kid, key in self.keys.items()]})


def _jwk(kid: str, key: Any) -> dict[str, Any]:
    kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


@dataclass
class Asked:
    operation: str
    tenant: str | None
    question: Any
    caller: Any


_PERSON = SignedInPerson(
    tenant="contoso",
    name="erika@contoso.example",
    roles=(AdminRole.APPLICATION_ADMINISTRATOR,),
    roles_known=True,
    may_consent=Answer.NO,
)


class World:
    """The other services, as far as the gateway can see them; `contoso` and `fabrikam` are registered."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self.asked: list[Asked] = []
        self.tenants = {"contoso", "fabrikam"}
        self.steps = (rpc.ProbeStep(name="write", ok=True),)
        self.fail_with: dict[str, ProblemError] = {}
        self.targets: dict[tuple[str, str], views.StorageTarget] = {}
        self.answer_lost = False
        server = RpcServer(self.broker.bus("everybody"))
        samples: dict[str, Any] = {name: value["response"] for name, value in _samples().items()}
        simple = {
            rpc.TENANT_LIST: "list_tenants",
            rpc.TOKEN_LIST: "list_tokens",
            rpc.RECOVERY_KEY_SET: "set_recovery_key",
            onboarding.CONTACTS_SET: "set_contacts",
            onboarding.ONBOARDING_GET: "get_onboarding",
            offboarding.OFFBOARDING_GET: "get_offboarding",
            offboarding.OFFBOARDING_BEGIN: "begin_offboarding",
            offboarding.OFFBOARDING_CANCEL: "cancel_offboarding",
            offboarding.EXPORT_DECIDE: "decide_export",
            offboarding.SHREDDING_ORDER: "order_shredding",
            offboarding.KEY_ATTEST: "attest_recovery_key",
            rpc.CREDENTIAL_SET: "set_credential",
            rpc.CONSENT_START: "start_consent",
            incidents.INCIDENT_LIST: "list_incidents",
            incidents.INCIDENT_OPEN: "open_incident",
            incidents.INCIDENT_GET: "get_incident",
            incidents.INCIDENT_NOTE: "note_incident",
            incidents.INCIDENT_CLOSE: "close_incident",
            tokens.TOKEN_GET: "get_token",
            tokens.TOKEN_RENEW: "renew_token",
            tokens.TOKEN_VERIFY: "verify_token",
            tokens.TOKEN_DEACTIVATE: "deactivate_token",
            tokens.TOKEN_DELETE: "delete_token",
            tokens.TOKEN_NOTE: "note_token",
            tokens.VAULT_KEY_OFFER: "offer_vault_key",
            tokens.VAULT_KEY_SET: "set_vault_key",
            sign_in.SIGN_IN_START: "start_sign_in",
            permissions.PROFILE_LIST: "list_profiles",
            permissions.PERMISSIONS_CHECK: "check_permissions",
            permissions.CONSENT_GIVER_SET: "set_consent_giver",
            rpc.TARGET_RECOVER: "recover_storage_target",
            rpc.CONFIGURATION_CREATE: "create_backup_configuration",
            rpc.CONFIGURATION_CHANGE: "change_backup_configuration",
            rpc.TARGET_TEST: "test_storage_target",
            rpc.RETENTION_FLOOR_GET: "get_retention_floor",
            rpc.RETENTION_FLOOR_SET: "set_retention_floor",
            rpc.LEGAL_HOLD_PLACE: "place_legal_hold",
            rpc.LEGAL_HOLD_RELEASE: "release_legal_hold",
            rpc.LEGAL_HOLD_LIST: "list_legal_holds",
            rpc.CONFIGURATION_LIST: "list_backup_configurations",
            rpc.RUN_LIST: "list_runs",
            rpc.JOB_GET: "get_job",
            rpc.RESTORE_PROBLEMS: "list_restore_problems",
            rpc.RESTORE_POINT_LIST: "list_restore_points",
            rpc.BROWSE_FOLDERS: "list_folders",
            rpc.BROWSE_ITEMS: "list_items",
            rpc.BROWSE_ITEM: "get_item",
            rpc.BROWSE_MESSAGE: "get_message",
            rpc.BROWSE_SEARCH: "search_items",
            rpc.BROWSE_COMPARE: "compare_restore_points",
            rpc.HEALTH_GET: "get_health",
            rpc.DEAD_LETTER_LIST: "list_dead_letters",
            rpc.DEAD_LETTER_GET: "get_dead_letter",
            rpc.DEAD_LETTER_REPLAY: "replay_dead_letter",
            audit.AUDIT_LIST: "list_audit_records",
            reviews.REVIEW_LIST: "list_reviews",
            reviews.REVIEW_GET: "get_review",
            reviews.REVIEW_COMPLETE: "complete_review",
            audit.AUDIT_SEALS: "list_audit_seals",
            directory.EMPLOYEE_LIST: "list_employees",
            directory.EMPLOYEE_GET: "get_employee",
            directory.SYNC_OVERVIEW: "get_sync_overview",
            directory.SYNC_SETTINGS_SET: "set_sync_settings",
            directory.SYNC_START: "start_sync",
            directory.SYNC_LIST: "list_syncs",
            directory.SYNC_GET: "get_sync",
            employees.EMPLOYEE_CHANGE_LOCAL: "change_employee_local_fields",
            employees.EMPLOYEE_CANDIDATES: "list_import_candidates",
            employees.EMPLOYEE_IMPORT: "import_employee",
            employees.EMPLOYEE_EXPORT: "get_employee",
            employees.EMPLOYEE_ERASE: "erase_employee",
            employees.ERASURE_LIST: "list_erasures",
        }
        for operation, name in simple.items():
            self._answer(server, operation, _constant(operation.response.model_validate(samples[name])))
        held = offboarding.PROTECTION_STOP.response.model_validate(samples["get_offboarding"]["holdings"])
        self._answer(server, offboarding.PROTECTION_STOP, _constant(held))
        self.run = views.Run.model_validate(samples["get_run"])
        self.jobs = tuple(views.Job.model_validate(job) for job in samples["list_jobs"]["items"])
        self._answer(server, rpc.RUN_GET, self._get_run)
        self._answer(server, rpc.JOB_LIST, self._list_jobs)
        configuration = views.BackupConfiguration.model_validate(samples["create_backup_configuration"])
        point = views.RestorePoint.model_validate(samples["list_restore_points"]["items"][0])
        self._answer(server, rpc.CONFIGURATION_GET, _only(configuration, "c1", "Backup configuration"))
        self.target = views.StorageTarget.model_validate(samples["list_storage_targets"]["items"][0])
        self.renewal = rpc.CreatedTarget(target=self.target, steps=())
        self._answer(server, rpc.TARGET_GET, self._get_target)
        self._answer(server, rpc.TARGET_RENEW, self._renew_target)
        self._answer(server, rpc.RESTORE_POINT_GET, _only(point, "p1", "Restore point"))
        self._answer(server, rpc.TENANT_GET, self._tenant)
        self._answer(server, rpc.CONSENT_FINISH, self._finish_consent)
        self._answer(server, rpc.TENANT_REGISTER, self._register)
        self._answer(server, sign_in.SIGN_IN_FINISH, _constant(_PERSON))
        self._answer(server, rpc.TARGET_CREATE, self._create_target)
        self._answer(server, rpc.TARGET_LIST, self._list_targets)
        self._answer(server, rpc.EXPORT_OPEN, self._open_export)
        self.roles: dict[str, tuple[Role, ...]] = {}
        """What the directory of contoso says, by object id."""
        self.before_roles: Callable[[], Awaitable[None]] | None = None
        self._answer(server, employees.EMPLOYEE_ROLES, self._employee_roles)
        self.employee = employees.ProfileUpdate.model_validate(samples["change_employee_profile"]).employee
        self.updates_finish_after = 0
        """How often an update is still going on when it is asked for."""
        self._answer(server, employees.EMPLOYEE_CHANGE_PROFILE, self._change_profile)
        self.activity = tuple(Activity.model_validate(one) for one in samples["list_activity"]["items"])
        self._answer(server, directory.ACTIVITY_LIST, self._list_activity)

    def of(self, operation: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.operation == operation]

    def _answer(self, server: RpcServer, operation: Any, handler: Callable[[Call[Any]], Awaitable[Any]]) -> None:
        async def remember(call: Call[Any]) -> Any:
            self.asked.append(Asked(operation.name, call.tenant, call.question, call.caller))
            if operation.name in self.fail_with:
                raise self.fail_with[operation.name]
            return await handler(call)

        server.answer(operation, remember)

    async def _change_profile(self, _call: Call[employees.ChangeProfile]) -> employees.ProfileUpdate:
        self.updates_finish_after -= 1
        return employees.ProfileUpdate(finished=self.updates_finish_after < 0, employee=self.employee)

    async def _list_activity(self, call: Call[directory.ActivityOf]) -> views.Listing[Activity]:
        """One entry a page, so that an export has to follow the cursor."""
        first = int(call.question.cursor or 0)
        more = str(first + 1) if first + 1 < len(self.activity) else None
        return views.Listing[Activity](items=self.activity[first : first + 1], cursor=more)

    async def _employee_roles(self, call: Call[rpc.ById]) -> employees.EmployeeRoles:
        if self.before_roles is not None:
            await self.before_roles()
        known = self.roles if call.tenant == "contoso" else {}
        return employees.EmployeeRoles(employee=call.question.id, roles=known.get(call.question.id, ()))

    def saved_target(self, credentials: str, *retired: str) -> views.StorageTarget:
        """The target as it is from now on."""
        self.target = self.target.model_copy(update={"credentials": credentials, "retired": retired})
        return self.target

    def renewed_target(self, credentials: str | None, *retired: str) -> views.StorageTarget:
        """What a renewal ends in: the target with other credentials, or a connection test that failed."""
        renewed = self.target.model_copy(update={"credentials": credentials, "retired": retired})
        self.renewal = rpc.CreatedTarget(target=None if credentials is None else renewed, steps=())
        return renewed

    async def _get_target(self, call: Call[rpc.ById]) -> views.StorageTarget:
        return await _only(self.target, "t1", "Storage target")(call)

    async def _renew_target(self, _call: Call[rpc.RenewTarget]) -> rpc.CreatedTarget:
        return self.renewal

    async def _tenant(self, call: Call[rpc.Nothing]) -> views.Tenant:
        if call.one_tenant() not in self.tenants:
            raise not_found(f"token-service says: tenant {call.tenant}")
        return _tenant_view(call.one_tenant())

    async def _finish_consent(self, call: Call[rpc.FinishConsent]) -> views.ConsentResult:
        if call.question.state != "good":
            raise ProblemError(Problem(code="consent-state", status=422, title="not valid"))
        outcome = ConsentOutcome.DECLINED if call.question.error else ConsentOutcome.EFFECTIVE
        return views.ConsentResult(tenant="contoso", profile="directory", outcome=outcome, detail="<AADSTS65004>")

    async def _register(self, call: Call[rpc.RegisterTenant]) -> views.Tenant:
        self.tenants.add(call.question.tenant)
        return _tenant_view(call.question.tenant)

    async def _get_run(self, _call: Call[rpc.ById]) -> views.Run:
        return self.run

    async def _list_jobs(self, call: Call[rpc.JobsOf]) -> views.Listing[views.Job]:
        first = int(call.question.cursor or 0)
        last = first + call.question.limit
        more = str(last) if last < len(self.jobs) else None
        return views.Listing[views.Job](items=self.jobs[first:last], cursor=more)

    async def _create_target(self, call: Call[rpc.CreateTarget]) -> rpc.CreatedTarget:
        if not all(step.ok for step in self.steps):
            return rpc.CreatedTarget(target=None, steps=self.steps)
        tenant, wanted = call.one_tenant(), call.question
        made = views.StorageTarget(tenant=tenant, created_at=NOW, tested_at=NOW, **wanted.model_dump())
        self.targets[tenant, wanted.id] = made
        if self.answer_lost:
            raise unavailable("backup-service does not answer")
        return rpc.CreatedTarget(target=made, steps=self.steps)

    async def _list_targets(self, call: Call[rpc.Page]) -> views.Listing[views.StorageTarget]:
        """One target a page, so that looking for one has to follow the cursor."""
        mine = [made for (tenant, _), made in sorted(self.targets.items()) if tenant == call.tenant]
        first = int(call.question.cursor or 0)
        more = str(first + 1) if first + 1 < len(mine) else None
        return views.Listing[views.StorageTarget](items=tuple(mine[first : first + 1]), cursor=more)

    async def _open_export(self, _call: Call[rpc.OpenExport]) -> views.DownloadTicket:
        return views.DownloadTicket(ticket="ticket-1", expires_at=NOW, filename="anna.zip")


def _constant(answer: Any) -> Callable[[Call[Any]], Awaitable[Any]]:
    async def handler(_call: Call[Any]) -> Any:
        return answer

    return handler


def _only(answer: Any, known: str, what: str) -> Callable[[Call[rpc.ById]], Awaitable[Any]]:
    async def handler(call: Call[rpc.ById]) -> Any:
        if call.question.id != known:
            raise not_found(what)
        return answer

    return handler


def _tenant_view(slug: str) -> views.Tenant:
    return views.Tenant(
        tenant=slug, entra_tenant_id=ENTRA if slug == "contoso" else "t", display_name=slug.title(), created_at=NOW
    )


@functools.cache
def _samples() -> dict[str, dict[str, Any]]:
    """The examples of the OpenAPI document are good answers."""
    found = {}
    for methods in document()["paths"].values():
        for operation in methods.values():
            success = next(answer for status, answer in operation["responses"].items() if status[0] == "2")
            content = success["content"].get("application/json", {})
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            found[operation["operationId"]] = {"response": content.get("example"), "request": body.get("example")}
    return found


@dataclass
class Gateway:
    """The API under test and everything around it."""

    world: World
    issuer: Issuer
    vault: MemoryVault
    keys: OidcKeys
    clock: ManualClock
    registry: CollectorRegistry
    upstream: dict[str, tuple[int, bytes]]
    around: Around
    app: Any
    client: httpx.AsyncClient

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        roles: list[str] | None = None,
        tenants: list[str] | None = None,
        claims: dict[str, Any] | None = None,
        **headers: str,
    ) -> httpx.Response:
        wanted = {"roles": roles or ["operator"], "tenants": ["*"] if tenants is None else tenants} | (claims or {})
        token = self.issuer.token(**wanted)
        sent = {"authorization": f"Bearer {token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return await self.client.request(method, f"/api/v1{path}", json=json, headers=sent)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    world, issuer, clock, registry = World(), Issuer(), ManualClock(), CollectorRegistry()
    upstream: dict[str, tuple[int, bytes]] = {}

    async def body(content: bytes) -> AsyncIterator[bytes]:
        yield content

    def redeem(request: httpx.Request) -> httpx.Response:
        status, content = upstream.get(request.url.path, (404, b""))
        return httpx.Response(status, content=body(content))

    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(issuer.answer)) as keys_client,
        httpx.AsyncClient(transport=httpx.MockTransport(redeem)) as download_client,
    ):
        keys = OidcKeys(keys_client, issuer=ISSUER, jwks_url=None, clock=clock)
        vault = MemoryVault(clock)
        around = Around(
            callers=OidcCallers(keys, issuer=ISSUER, audience=AUDIENCE),
            services=BusServices(world.broker.bus("gateway", clock)),
            downloads=HttpxDownloads(download_client, "https://backup.example"),
            vault=vault,
            registry=registry,
            clock=clock,
            rng=Random(1),
        )
        roles = around.tenant_roles()
        app = build_with(around, roles)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with (
            roles.listening(),
            httpx.AsyncClient(transport=transport, base_url="https://gateway.example") as client,
        ):
            yield Gateway(world, issuer, vault, keys, clock, registry, upstream, around, app, client)


S3 = {
    "name": "Hetzner",
    "endpoint": "https://s3.example",
    "bucket": "contoso-backup",
    "credentials": {"access_key": "PLANTED-access", "secret_key": "PLANTED-secret"},
}
ENTRA = "6d3f6a4e-0f8c-4a6f-9d5e-2b1c7a9e4f10"


@dataclass(frozen=True)
class Attempt:
    """A request that succeeds for a caller who may make it."""

    path: str
    status: int
    body: dict[str, Any] | None = None


RECOVERY_KEY = "x25519:hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="

ATTEMPTS: dict[str, Attempt] = {
    "list_tenants": Attempt("/tenants", 200),
    "register_tenant": Attempt(
        "/tenants", 201, {"tenant": "contoso", "entra_tenant_id": ENTRA, "display_name": "Contoso"}
    ),
    "get_tenant": Attempt("/tenants/contoso", 200),
    "set_recovery_key": Attempt("/tenants/contoso/recovery-key", 200, {"public_key": RECOVERY_KEY}),
    "set_contacts": Attempt(
        "/tenants/contoso/contacts",
        200,
        {"support": {"name": "Desk", "mail": "desk@contoso.example"}, "security": None},
    ),
    "get_onboarding": Attempt("/tenants/contoso/onboarding", 200),
    "get_offboarding": Attempt("/tenants/contoso/offboarding", 200),
    "begin_offboarding": Attempt("/tenants/contoso/offboarding", 200),
    "cancel_offboarding": Attempt("/tenants/contoso/offboarding", 200),
    "decide_export": Attempt("/tenants/contoso/offboarding/export", 200, {"exported": True}),
    "order_shredding": Attempt("/tenants/contoso/offboarding/shredding", 200, {"confirm": "contoso"}),
    "attest_recovery_key": Attempt(
        "/tenants/contoso/offboarding/recovery-keys", 200, {"fingerprint": "3f" * 32, "by": "Erika"}
    ),
    "list_tokens": Attempt("/tenants/contoso/tokens", 200),
    "set_credential": Attempt(
        "/tenants/contoso/profiles/directory/credential", 200, {"client_id": "c", "client_secret": "PLANTED-client"}
    ),
    "set_certificate": Attempt(
        "/tenants/contoso/profiles/directory/certificate",
        200,
        {"client_id": "c", "certificate": "pem", "private_key": "PLANTED-key"},
    ),
    "start_consent": Attempt("/tenants/contoso/profiles/directory/consent", 200, {}),
    "list_incidents": Attempt("/tenants/contoso/incidents", 200),
    "open_incident": Attempt("/tenants/contoso/incidents", 201, {"profile": "directory", "report": "seen in a ticket"}),
    "get_incident": Attempt("/tenants/contoso/incidents/i1", 200),
    "note_incident": Attempt("/tenants/contoso/incidents/i1/notes", 200, {"text": "locked"}),
    "close_incident": Attempt("/tenants/contoso/incidents/i1/closure", 200, {"cause": "by mistake"}),
    "get_token": Attempt("/tenants/contoso/profiles/directory/token", 200),
    "renew_token": Attempt("/tenants/contoso/profiles/directory/token/renewal", 200),
    "verify_token": Attempt("/tenants/contoso/profiles/directory/token/verification", 200),
    "deactivate_token": Attempt("/tenants/contoso/profiles/directory/token/deactivation", 200),
    "delete_token": Attempt("/tenants/contoso/profiles/directory/token", 200),
    "note_token": Attempt("/tenants/contoso/profiles/directory/token/notes", 200, {"text": "moved"}),
    "offer_vault_key": Attempt("/tenants/contoso/profiles/directory/vault-key", 200),
    "set_vault_key": Attempt("/tenants/contoso/profiles/directory/vault-key", 200, {"client_id": "c"}),
    "start_sign_in": Attempt("/tenants/contoso/sign-ins", 200),
    "list_profiles": Attempt("/tenants/contoso/profiles", 200),
    "check_permissions": Attempt("/tenants/contoso/profiles/directory/permission-check", 200),
    "set_consent_giver": Attempt("/tenants/contoso/profiles/directory/consent-giver", 200, {"name": "Erika Muster"}),
    "list_storage_targets": Attempt("/tenants/contoso/storage-targets", 200),
    "create_storage_target": Attempt("/tenants/contoso/storage-targets", 201, S3),
    "recover_storage_target": Attempt("/tenants/contoso/storage-targets/t1/recovery", 202),
    "list_backup_configurations": Attempt("/tenants/contoso/backup-configurations", 200),
    "create_backup_configuration": Attempt(
        "/tenants/contoso/backup-configurations", 201, {"name": "Mail", "target": "t1"}
    ),
    "get_backup_configuration": Attempt("/tenants/contoso/backup-configurations/c1", 200),
    "change_backup_configuration": Attempt("/tenants/contoso/backup-configurations/c1", 200, {"paused": True}),
    "renew_storage_credentials": Attempt(
        "/tenants/contoso/storage-targets/t1/credentials",
        200,
        {"credentials": {"access_key": "PLANTED-new-access", "secret_key": "PLANTED-new-secret"}},
    ),
    "test_storage_target": Attempt("/tenants/contoso/storage-targets/t1/test", 200),
    "get_retention_floor": Attempt("/tenants/contoso/retention-floor", 200),
    "set_retention_floor": Attempt("/tenants/contoso/retention-floor", 200, {"period": "90d"}),
    "list_legal_holds": Attempt("/tenants/contoso/legal-holds", 200),
    "place_legal_hold": Attempt("/tenants/contoso/legal-holds", 201, {"target": "t1", "reason": "lawsuit"}),
    "release_legal_hold": Attempt("/tenants/contoso/legal-holds/h1/release", 200, {"reason": "settled"}),
    "start_backup": Attempt("/tenants/contoso/backup-configurations/c1/runs", 202),
    "start_upkeep": Attempt("/tenants/contoso/storage-targets/t1/runs", 202, {"kind": "verify"}),
    "list_runs": Attempt("/tenants/contoso/runs", 200),
    "get_run": Attempt("/tenants/contoso/runs/r1", 200),
    "follow_run": Attempt("/tenants/contoso/runs/r1/progress", 200),
    "list_jobs": Attempt("/tenants/contoso/runs/r1/jobs", 200),
    "get_job": Attempt("/tenants/contoso/jobs/j1", 200),
    "list_restore_points": Attempt("/tenants/contoso/restore-points", 200),
    "list_folders": Attempt("/tenants/contoso/restore-points/p1/folders", 200),
    "list_items": Attempt("/tenants/contoso/restore-points/p1/folders/AAMk-f==/items", 200),
    "get_item": Attempt("/tenants/contoso/restore-points/p1/items/AAMk-i==", 200),
    "get_message": Attempt("/tenants/contoso/restore-points/p1/items/AAMk-i==/message", 200),
    "open_item_download": Attempt("/tenants/contoso/restore-points/p1/items/AAMk-i==/downloads", 201, {}),
    "search_items": Attempt("/tenants/contoso/restore-points/p1/search?q=angebot", 200),
    "compare_restore_points": Attempt("/tenants/contoso/restore-points/p1/compare?with=p2", 200),
    "open_export": Attempt("/tenants/contoso/restore-points/p1/exports", 201, {"format": "eml"}),
    "download": Attempt("/tenants/contoso/downloads/ticket-1", 200),
    "list_restore_problems": Attempt("/tenants/contoso/jobs/j1/restore-problems", 200),
    "start_restore": Attempt(
        "/tenants/contoso/restores", 202, {"restore_point": "p1", "target_user": "restore@contoso.example"}
    ),
    "list_employees": Attempt("/tenants/contoso/employees?q=an", 200),
    "get_employee": Attempt("/tenants/contoso/employees/e1", 200),
    "change_employee_profile": Attempt("/tenants/contoso/employees/e1/profile", 200, {"city": "Bonn"}),
    "change_employee_local_fields": Attempt(
        "/tenants/contoso/employees/e1/local-fields", 200, {"exit_date": "2026-03-31", "gdpr_reason": ""}
    ),
    "list_import_candidates": Attempt("/tenants/contoso/import-candidates?q=an", 200),
    "import_employee": Attempt("/tenants/contoso/employees/e1/import", 200),
    "list_employee_activity": Attempt("/tenants/contoso/employees/e1/activity", 200),
    "list_activity": Attempt("/tenants/contoso/activity", 200),
    "export_employee": Attempt("/tenants/contoso/employees/e1/export", 200),
    "erase_employee": Attempt("/tenants/contoso/employees/e1/erasure", 200, {"reason": "asked for"}),
    "list_erasures": Attempt("/tenants/contoso/erasures", 200),
    "get_sync_overview": Attempt("/tenants/contoso/sync", 200),
    "set_sync_settings": Attempt("/tenants/contoso/sync/settings", 200, {"every_hours": 0}),
    "start_sync": Attempt("/tenants/contoso/sync/runs", 202, {"kind": "full"}),
    "list_syncs": Attempt("/tenants/contoso/sync/runs", 200),
    "get_sync": Attempt("/tenants/contoso/sync/runs/r1", 200),
    "list_dead_letters": Attempt("/dead-letters", 200),
    "get_dead_letter": Attempt("/dead-letters/17-1772438650123456", 200),
    "replay_dead_letter": Attempt("/dead-letters/17-1772438650123456/replay", 200),
    "list_reviews": Attempt("/tenants/contoso/reviews?open_only=true", 200),
    "get_review": Attempt("/tenants/contoso/reviews/daily-2026-03-02", 200),
    "complete_review": Attempt("/tenants/contoso/reviews/daily-2026-03-02/completion", 200, {"note": "seen"}),
    "list_audit_records": Attempt("/tenants/contoso/audit?oldest_first=true", 200),
    "list_audit_seals": Attempt("/tenants/contoso/audit/seals?cursor=2026-02", 200),
    "list_installation_audit": Attempt("/audit", 200),
    "get_health": Attempt("/tenants/contoso/health", 200),
}


@pytest.fixture
def attempts() -> dict[str, Attempt]:
    return ATTEMPTS


@pytest.fixture
def ec_key() -> ec.EllipticCurvePrivateKey:
    return EC_KEY


@pytest.fixture
def problem_unavailable() -> ProblemError:
    return unavailable("backup-service does not answer")
