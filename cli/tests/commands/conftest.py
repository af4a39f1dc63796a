"""A gateway over real TLS in this process: the routes of contracts, answers scripted by the test, no services."""

import base64
import hashlib
import io
import json
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fake_people
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from typer.testing import CliRunner, Result

from chassis.testing.pki import ServerTls, make_server_tls
from contracts.api import Accepted, Download, StorageTargetResult
from contracts.audit_chain import AuditRecord, AuditSeal
from contracts.authorization import ROUTES
from contracts.browsing import ChangedItem, Comparison, Folder, Item, ItemChange, Message
from contracts.contacts import Contact, Contacts
from contracts.dead_letters import DeadLetter, DeadLetterContent
from contracts.errors import ErrorClass
from contracts.events.jobs import Counts
from contracts.incidents import Incident, IncidentEntry, IncidentStep
from contracts.names import (
    ConsentOutcome,
    ConsentSource,
    Health,
    JobKind,
    JobState,
    LegalHoldState,
    Profile,
    StorageFinding,
    TokenStatus,
)
from contracts.offboarding import OffboardingView
from contracts.onboarding import OnboardingView
from contracts.permissions import ConsentGiverView, PermissionCheck, ProfileView
from contracts.problem import Problem, unavailable
from contracts.reviews import Review, ReviewState
from contracts.sign_in import SignInLink
from contracts.tokens import Probe, TokenCheck, TokenDetails, TokenNote, TokenRecord, VaultKeyOffer
from contracts.views import (
    BackupConfiguration,
    ConsentLink,
    ConsentView,
    FloorChange,
    HealthView,
    ItemProblem,
    Job,
    LegalHold,
    Listing,
    ProbeStep,
    RecoveryKeyView,
    RestorePoint,
    RetentionFloor,
    Run,
    StorageTarget,
    TargetRecovery,
    Tenant,
    TokenView,
    Verification,
)
from tenantkeep.commands import session
from tenantkeep.main import app
from tenantkeep.stack.home import Home

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
ENTRA = "50f8131a-b9d3-4679-849e-cbe87444c623"
SECRET = "the-client-secret"


def opened_incident() -> Incident:
    steps = (IncidentStep.OPENED, IncidentStep.DEACTIVATED, IncidentStep.PRINCIPAL_NOT_DISABLED)
    return Incident(
        tenant="contoso",
        id="incident-1",
        profile=Profile.EXCHANGE_BACKUP,
        client_id="app-1",
        open=True,
        opened_at=NOW,
        opened_by="anna",
        security=Contact(name="IT security", mail="security@contoso.example"),
        timeline=tuple(IncidentEntry(at=NOW, step=step, by="anna") for step in steps),
    )


def token_check(probe: Probe, **more: Any) -> TokenCheck:
    known: dict[str, Any] = {"tenant": "contoso", "profile": Profile.EXCHANGE_BACKUP, "at": NOW, **more}
    return TokenCheck(status=TokenStatus.ACTIVE, probe=probe, test_backup=probe == "effective", **known)


OFFBOARDING = (
    "get_offboarding",
    "begin_offboarding",
    "cancel_offboarding",
    "decide_export",
    "order_shredding",
    "attest_recovery_key",
)


def offered(profile: str) -> VaultKeyOffer:
    return VaultKeyOffer(
        tenant="contoso",
        profile=Profile(profile),
        number=2,
        certificate="-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n",
        thumbprint="AB" * 20,
        thumbprint_sha256="CD" * 32,
        expires_at=NOW + timedelta(days=365),
        offered_at=NOW,
        offered_by="anna",
    )


def credential_refused(number: str) -> Problem:
    """As token-service says it."""
    consent = number == "AADSTS700016"
    detail = f"{'unauthorized_client' if consent else 'invalid_client'} {number}"
    error = ErrorClass.CONSENT_REQUIRED if consent else ErrorClass.TOKEN_EXPIRED
    told = ({"class": error.value, "detail": detail},)
    return Problem(code="credential-refused", status=422, title="Microsoft refuses it", detail=detail, errors=told)


class StepClock:
    """A clock that jumps over each pause."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def pause(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def step_clock() -> type[StepClock]:
    return StepClock


@dataclass
class FakeGateway:
    """State a test arranges and reads. `script` holds the looks at each run, the last one repeats."""

    url: str
    tls: ServerTls
    client_secret: str = SECRET
    tokens_issued: int = 0
    revoked: set[str] = field(default_factory=set)
    tenants: dict[str, Tenant] = field(default_factory=dict)
    tokens: list[TokenView] = field(default_factory=list)
    offboarding: OffboardingView | None = None
    onboarding: list[OnboardingView] = field(default_factory=list)
    """The looks at an onboarding; the last one repeats."""
    token_status: TokenStatus = TokenStatus.ACTIVE
    records: tuple[TokenRecord, ...] = ()
    check: TokenCheck = field(default_factory=lambda: token_check("effective"))
    in_use: bool = False
    incident: Incident = field(default_factory=opened_incident)
    refusals: dict[str, list[str]] = field(default_factory=dict)
    """What Microsoft says to the next credentials of a profile, by its numbers; afterwards it takes them."""
    forgetful: bool = False  # a credential is taken, and no token of it shows up
    consent: ConsentOutcome = ConsentOutcome.EFFECTIVE
    profiles: list[ProfileView] = field(default_factory=list)
    checked: list[Profile] = field(default_factory=list)
    """Profiles whose permissions somebody had checked."""
    targets: list[StorageTarget] = field(default_factory=list)
    broken_step: str = ""
    finding: StorageFinding | None = None
    recovery: TargetRecovery | None = None
    configurations: list[BackupConfiguration] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    script: list[tuple[Run, list[Job]] | Problem] = field(default_factory=list)
    looks: list[tuple[Run, list[Job]]] = field(default_factory=list)
    points: list[RestorePoint] = field(default_factory=list)
    restore_problems: list[ItemProblem] = field(default_factory=list)
    archive: bytes = b""
    cut_after: int | None = None
    letters: list[DeadLetter] = field(default_factory=list)
    audit: list[AuditRecord] = field(default_factory=list)
    seals: list[AuditSeal] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    health: list[HealthView] = field(default_factory=list)
    problem: Problem | None = None
    restarting: int = 0
    """So many questions are answered 503 before the gateway is itself again."""
    bodies: list[tuple[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    holds: list[LegalHold] = field(default_factory=list)
    floor: RetentionFloor = field(default_factory=lambda: RetentionFloor(tenant="contoso", period="30d"))
    page_size: int = 2
    folders: list[Folder] = field(default_factory=list)
    items: tuple[Item, ...] = ()
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    people: fake_people.People = field(default_factory=fake_people.People)

    def application(self) -> Starlette:
        answers: dict[str, Callable[[Request], Any]] = {
            "list_tenants": lambda r: self._page(r, list(self.tenants.values())),
            "register_tenant": self._register,
            "get_tenant": self._tenant,
            "set_recovery_key": self._recovery_key,
            "set_contacts": self._contacts,
            "get_onboarding": lambda _: self.onboarding[0] if len(self.onboarding) == 1 else self.onboarding.pop(0),
            **dict.fromkeys(OFFBOARDING, self._offboarding),
            "list_tokens": lambda r: self._page(r, self.tokens),
            "set_credential": self._credential,
            "set_certificate": self._credential,
            "offer_vault_key": lambda r: offered(r.path_params["profile"]),
            "set_vault_key": self._credential,
            "start_consent": self._start_consent,
            "list_incidents": lambda r: self._page(r, [self.incident]),
            "open_incident": lambda _: self.incident,
            "get_incident": lambda _: self.incident,
            "note_incident": lambda _: self.incident,
            "close_incident": lambda _: self.incident,
            "get_token": self._token_details,
            "renew_token": self._token_details,
            "verify_token": lambda _: self.check,
            "deactivate_token": self._retire,
            "delete_token": self._retire,
            "note_token": self._note,
            "start_sign_in": lambda _: SignInLink(url="https://login.example/authorize", expires_at=NOW),
            "list_profiles": lambda r: self._page(r, self.profiles),
            "check_permissions": self._check_permissions,
            "set_consent_giver": self._name_giver,
            "list_storage_targets": lambda r: self._page(r, self.targets),
            "create_storage_target": self._target,
            "recover_storage_target": self._recover_target,
            "list_backup_configurations": lambda r: self._page(r, self.configurations),
            "create_backup_configuration": self._configuration,
            "get_backup_configuration": lambda _: self.configurations[0],
            "change_backup_configuration": self._change_configuration,
            "test_storage_target": self._test_target,
            "renew_storage_credentials": self._renew_credentials,
            "get_retention_floor": lambda _: self.floor,
            "set_retention_floor": self._set_floor,
            "list_legal_holds": lambda r: self._page(r, self.holds),
            "place_legal_hold": self._place_hold,
            "release_legal_hold": self._release_hold,
            "start_backup": lambda _: Accepted(run="run-1"),
            "list_runs": lambda r: self._page(r, self.runs),
            "get_run": self._run,
            "follow_run": lambda _: Response(status_code=404),
            "list_jobs": lambda r: self._page(r, (self.looks or self.script)[-1][1]),
            "get_job": lambda r: next(j for j in (self.looks or self.script)[-1][1] if j.id == r.path_params["job"]),
            "list_restore_problems": lambda r: self._page(r, self.restore_problems),
            "list_restore_points": lambda r: self._page(r, self.points),
            "list_folders": lambda r: self._page(r, self.folders),
            "list_items": lambda r: self._asked(r, Listing[Item](items=self.items, cursor="next")),
            "get_item": lambda _: self.items[0],
            "get_message": self._message,
            "open_item_download": lambda _: Download(url="/api/v1/tenants/contoso/downloads/once", filename="x.eml"),
            "search_items": lambda r: self._asked(r, Listing[Item](items=self.items)),
            "compare_restore_points": lambda r: self._asked(
                r,
                Comparison(
                    earlier="p-1",
                    later="p-2",
                    removed=1,
                    items=(ChangedItem(change=ItemChange.REMOVED, before=self.items[0]),),
                ),
            ),
            "open_export": lambda _: Download(url="/api/v1/tenants/contoso/downloads/once", filename="x.zip"),
            "download": self._download,
            "start_restore": lambda _: Accepted(run="run-1"),
            "start_upkeep": lambda _: Accepted(run="run-1"),
            "list_dead_letters": lambda r: self._page(r, self.letters),
            "get_dead_letter": lambda _: DeadLetterContent(letter=self.letters[0], headers={}, payload="e30="),
            "replay_dead_letter": lambda _: self.letters[0].model_copy(
                update={"replayed_at": NOW, "replayed_by": "operator"}
            ),
            "get_health": lambda r: self._page(r, self.health),
            "list_audit_records": lambda r: self._page(
                r, self.audit if r.query_params.get("oldest_first") == "true" else self.audit[::-1]
            ),
            "list_audit_seals": lambda r: self._page(r, self.seals),
            "list_reviews": lambda r: self._page(r, self._reviews(r)),
            "get_review": self._review,
            "complete_review": self._complete_review,
            "list_installation_audit": lambda r: self._page(r, []),
            **fake_people.answers(self),
        }
        assert answers.keys() == ROUTES.keys()
        routes = [
            Route(f"/api/v1{route.path}", self._endpoint(answers[name]), methods=[route.method])
            for name, route in ROUTES.items()
        ]
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/token", self._token, methods=["POST"]),
                *routes,
            ]
        )

    def _message(self, request: Request) -> Any:
        if request.path_params["item"] != self.items[0].id:
            return Problem(code="not-found", status=404, title="item not found")
        return Message(item=self.items[0], text="Guten Tag", html="<p>Guten Tag</p>")

    def _asked(self, request: Request, answer: Any) -> Any:
        self.asked.append((request.url.path.removeprefix("/api/v1"), dict(request.query_params)))
        return answer

    def _endpoint(self, answer: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not given.startswith("token-") or given in self.revoked:
                return _refuse(Problem(code="unauthenticated", status=401, title="No valid token"))
            if "idempotency-key" in request.headers:
                self.keys.append(request.headers["idempotency-key"])
            if self.problem is not None:
                return _refuse(self.problem)
            if self.restarting:
                self.restarting -= 1
                return _refuse(unavailable("backup-service does not answer").problem, {"retry-after": "0"})
            if body := await request.body():
                self.bodies.append((request.url.path, json.loads(body)))
            found = answer(request)
            if isinstance(found, Problem):
                return _refuse(found)
            return found if isinstance(found, Response) else Response(found.model_dump_json())

        return endpoint

    async def _discovery(self, request: Request) -> Response:
        return JSONResponse({"issuer": self.url, "token_endpoint": f"{self.url}/token"})

    async def _token(self, request: Request) -> Response:
        form = (await request.body()).decode()
        if f"client_secret={self.client_secret}" not in form:
            return JSONResponse({"error": "invalid_client"}, 401)
        self.tokens_issued += 1
        return JSONResponse({"access_token": f"token-{self.tokens_issued}", "expires_in": 3600})

    def _start_consent(self, request: Request) -> ConsentLink:
        end = datetime(2026, 3, 2, 8, 10, tzinfo=UTC)
        told = self._body()
        asked = ConsentView(
            outcome=self.consent, client_id=told.get("client_id") or "id", asked_at=end, expires_at=end, detail="X1"
        )
        tenant, profile = request.path_params["tenant"], request.path_params["profile"]
        self.tokens = [TokenView(tenant=tenant, profile=profile, status=TokenStatus.UNKNOWN, consent=asked)]
        return ConsentLink(url="https://login.example/adminconsent?state=s", expires_at=end)

    def _check_permissions(self, request: Request) -> PermissionCheck:
        profile = Profile(request.path_params["profile"])
        self.checked.append(profile)
        known = (one.check for one in self.profiles if one.profile is profile)
        return next(known, PermissionCheck(tenant="contoso", profile=profile))

    def _name_giver(self, request: Request) -> ProfileView:
        known = next(one for one in self.profiles if one.profile == request.path_params["profile"])
        giver = ConsentGiverView(**self._body(), source=ConsentSource.TYPED)
        return known.model_copy(update={"consent_giver": giver})

    def _page(self, request: Request, items: list[Any]) -> Response:
        start = int(request.query_params.get("cursor", 0))
        end = start + self.page_size
        cursor = str(end) if end < len(items) else None
        shown = [item.model_dump(mode="json") for item in items[start:end]]
        return JSONResponse({"items": shown, "cursor": cursor})

    def _reviews(self, request: Request) -> list[Review]:
        only = request.query_params.get("open_only") == "true"
        return [review for review in self.reviews if not only or review.state is ReviewState.OPEN]

    def _review(self, request: Request) -> Review:
        return next(review for review in self.reviews if review.id == request.path_params["review"])

    def _complete_review(self, request: Request) -> Review:
        done = {"state": ReviewState.DONE, "completed_by": "operator", "completed_at": NOW, **self._body()}
        return self._review(request).model_copy(update=done)

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = self.bodies[-1][1]
        return body

    def _register(self, request: Request) -> Tenant:
        body = dict(self._body())
        key = body.pop("recovery_key")
        made = Tenant(**body, created_at=NOW, recovery_key=None if key is None else recovery_key_view(key))
        self.tenants[made.tenant] = made
        return made

    def _tenant(self, request: Request) -> Tenant | Problem:
        missing = Problem(code="not-found", status=404, title="tenant not found")
        return self.tenants.get(request.path_params["tenant"], missing)

    def _recovery_key(self, request: Request) -> Tenant:
        known = self.tenants[request.path_params["tenant"]]
        made = known.model_copy(update={"recovery_key": recovery_key_view(self._body()["public_key"])})
        self.tenants[made.tenant] = made
        return made

    def _offboarding(self, request: Request) -> OffboardingView | Problem:
        return self.offboarding or Problem(code="not-found", status=404, title="offboarding not found")

    def _contacts(self, request: Request) -> Tenant:
        known = self.tenants[request.path_params["tenant"]]
        made = known.model_copy(update={"contacts": Contacts.model_validate(self._body())})
        self.tenants[made.tenant] = made
        return made

    def _credential(self, request: Request) -> TokenView | Problem:
        profile = Profile(request.path_params["profile"])
        if self.refusals.get(profile):
            return credential_refused(self.refusals[profile].pop(0))
        made = TokenView(
            tenant="contoso", profile=profile, status=self.token_status, client_id=self._body()["client_id"]
        )
        others = [token for token in self.tokens if token.profile is not profile]
        self.tokens = others if self.forgetful else [*others, made]
        return made

    def _token_details(self, request: Request) -> TokenDetails:
        profile = Profile(request.path_params["profile"])
        known = next(token for token in self.tokens if token.profile is profile)
        return TokenDetails(**dict(known), support_contact="help@contoso.example", records=self.records)

    def _retire(self, request: Request) -> TokenView | Problem:
        if self.in_use:
            return Problem(code="token-in-use", status=409, title="This is the last valid token of a profile in use")
        return self._token_details(request).model_copy(update={"status": TokenStatus.DEACTIVATED})

    def _note(self, request: Request) -> TokenDetails:
        note = TokenNote(at=NOW, by="anna", text=self._body()["text"])
        return self._token_details(request).model_copy(update={"notes": (note,)})

    def _target(self, request: Request) -> StorageTargetResult | Problem:
        steps = [ProbeStep(name=name, ok=name != self.broken_step) for name in ("write", "read", "delete")]
        steps = [step if step.ok else step.model_copy(update={"finding": self.finding}) for step in steps]
        if self.broken_step:
            errors = tuple(step.model_dump(exclude_defaults=True) for step in steps if not step.ok)
            return Problem(code="connection-test-failed", status=422, title="The connection test failed", errors=errors)
        fields = {name: value for name, value in self._body().items() if name != "credentials"}
        made = StorageTarget(tenant="contoso", id="target-1", created_at=NOW, tested_at=NOW, **fields)
        self.targets.append(made)
        return StorageTargetResult(target=made, steps=tuple(steps))

    def _recover_target(self, request: Request) -> StorageTarget:
        self.targets = [
            target.model_copy(update={"recovery": self.recovery or TargetRecovery(state="waiting", requested_at=NOW)})
            for target in self.targets
        ]
        return self.targets[0].model_copy(update={"recovery": TargetRecovery(state="waiting", requested_at=NOW)})

    def _configuration(self, request: Request) -> BackupConfiguration:
        chosen = dict(self._body())
        chosen["retention"] = chosen["retention"] or f"{chosen['retention_days']}d"
        made = BackupConfiguration(tenant="contoso", id="configuration-1", created_at=NOW, **chosen)
        self.configurations.append(made)
        return made

    def _change_configuration(self, request: Request) -> BackupConfiguration:
        changed = BackupConfiguration(**{**self.configurations[0].model_dump(), **self._body()})
        self.configurations = [changed]
        return changed

    def _test_target(self, request: Request) -> StorageTargetResult:
        steps = [ProbeStep(name=name, ok=name != self.broken_step) for name in ("write", "read", "delete")]
        return StorageTargetResult(target=self.targets[0], steps=tuple(steps))

    def _renew_credentials(self, request: Request) -> StorageTargetResult:
        self._body()
        return StorageTargetResult(target=self.targets[0], steps=())

    def _set_floor(self, request: Request) -> RetentionFloor:
        change = FloorChange(period=self._body()["period"], set_by="anna", set_at=NOW)
        changes = (change, *self.floor.changes)
        self.floor = self.floor.model_copy(update={"period": change.period, "changes": changes})
        return self.floor

    def _place_hold(self, request: Request) -> LegalHold:
        facts = {"tenant": "contoso", "placed_by": "anna", "placed_at": NOW, "state": LegalHoldState.PLACING}
        scope = {"target": "target-1", **{name: value for name, value in self._body().items() if value is not None}}
        made = LegalHold(id=f"hold-{len(self.holds)}", **facts, **scope)
        self.holds.append(made)
        return made

    def _release_hold(self, request: Request) -> LegalHold:
        hold = next(one for one in self.holds if one.id == request.path_params["hold"])
        return hold.model_copy(update={"state": LegalHoldState.RELEASING})

    def _run(self, request: Request) -> Run | Problem:
        look = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(look, Problem):
            return look
        self.looks.append(look)
        return look[0]

    def _download(self, request: Request) -> Response:
        async def blocks() -> Any:
            whole = self.archive if self.cut_after is None else self.archive[: self.cut_after]
            for start in range(0, len(whole), 1000):
                yield whole[start : start + 1000]

        return StreamingResponse(blocks())


def recovery_key_view(public_key: str) -> RecoveryKeyView:
    fingerprint = hashlib.sha256(base64.b64decode(public_key.partition(":")[2])).hexdigest()
    return RecoveryKeyView(public_key=public_key, fingerprint=fingerprint, since=NOW)


def _refuse(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(problem.body(), problem.status, headers, media_type="application/problem+json")


@pytest.fixture(scope="session")
def server_tls(tmp_path_factory: pytest.TempPathFactory) -> ServerTls:
    return make_server_tls(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def served(server_tls: ServerTls) -> Iterator[FakeGateway]:
    # Named as TCP, or asyncio leaves Nagle on and every answer waits 40 ms for a delayed acknowledgement.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # from here on connections wait for the server, however slowly it starts
        fake = FakeGateway(f"https://127.0.0.1:{listener.getsockname()[1]}", server_tls)
        config = uvicorn.Config(
            fake.application(),
            ssl_certfile=str(server_tls.cert_file),
            ssl_keyfile=str(server_tls.key_file),
            log_level="critical",
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield fake
        server.should_exit = True
        thread.join()


@pytest.fixture
def gateway(served: FakeGateway) -> FakeGateway:
    served.__dict__.update(vars(FakeGateway(served.url, served.tls)))
    return served


Run_ = Callable[..., Result]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def tenantkeep(state: Path, server_tls: ServerTls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run_:
    """Run one command line in a folder of the test's own; everything it may read from the environment is given."""
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    environment = {
        "TENANTKEEP_HOME": str(state),
        "TENANTKEEP_CA_FILE": str(server_tls.ca_file),
        "TENANTKEEP_PATIENCE": "0",
        "TENANTKEEP_TENANT": None,
        "TENANTKEEP_RECOVERY_PASSPHRASE": "correct horse battery staple",
        "LC_ALL": None,
        "LC_MESSAGES": None,
        "LANG": "C.UTF-8",
        "SSL_CERT_FILE": "/nonexistent",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }

    def run(*arguments: str, **more: str | None) -> Result:
        return runner.invoke(app, list(arguments), env={**environment, **more})

    return run


@pytest.fixture
def signed_in(gateway: FakeGateway, state: Path, tmp_path: Path) -> FakeGateway:
    """The fake with one tenant, and a session for it."""
    secret = tmp_path / "client.secret"
    secret.write_text(f"{SECRET}\n")
    state.mkdir()
    session.save(
        Home(state),
        session.RemoteSession(url=gateway.url, issuer=gateway.url, client_id="ops", client_secret_file=secret),
    )
    gateway.tenants["contoso"] = Tenant(tenant="contoso", entra_tenant_id=ENTRA, display_name="Contoso", created_at=NOW)
    return gateway


@pytest.fixture
def run_of() -> Callable[..., Run]:
    def make(state: JobState, **fields: Any) -> Run:
        return Run(tenant="contoso", id="run-1", kind=JobKind.BACKUP, state=state, requested_at=NOW, **fields)

    return make


@pytest.fixture
def job_of() -> Callable[..., Job]:
    def make(state: JobState, **fields: Any) -> Job:
        given = {
            "id": "job-1",
            "resource": "user-1",
            "resource_name": "anna@contoso.com",
            "counts": Counts(listed=10, stored=4),
            **fields,
        }
        return Job(tenant="contoso", run="run-1", kind=JobKind.BACKUP, state=state, queued_at=NOW, **given)

    return make


@pytest.fixture
def point_of() -> Callable[..., RestorePoint]:
    def make(identity: str, name: str, age: int = 0, **fields: Any) -> RestorePoint:
        taken = NOW - timedelta(days=age)
        given = {"verified": (Verification(level=0, at=taken, covered=7, denominator=7),), "items": 7, "bytes": 1500}
        return RestorePoint(
            tenant="contoso",
            id=identity,
            configuration="configuration-1",
            resource=f"id-of-{name}",
            resource_name=name,
            taken_at=taken,
            expires_at=taken + timedelta(days=90),
            complete=True,
            **{**given, **fields},
        )

    return make


@pytest.fixture
def health_of() -> Callable[..., HealthView]:
    def make(health: Health, **fields: Any) -> HealthView:
        given = {"failed": 0, "partial": 0, "succeeded": 4, "failure_ratio": 0.0, "partial_ratio": 0.0, **fields}
        return HealthView(tenant="contoso", kind=JobKind.BACKUP, health=health, **given)

    return make


@pytest.fixture
def zipped() -> Callable[[dict[str, bytes]], bytes]:
    def make(files: dict[str, bytes]) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return buffer.getvalue()

    return make
