"""One serving simulator for all tests of this member, and clients that talk to it as Microsoft's own would."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from graph_simulator.testing import SimulatorProcess, seed

SCOPE = "https://graph.microsoft.com/.default"


@dataclass
class Tenant:
    """A seeded tenant on the running simulator, with a Graph client per app profile."""

    simulator: SimulatorProcess
    credentials: dict[str, Any]
    manifest: list[dict[str, Any]]
    unreadable: list[dict[str, Any]]
    http: httpx.Client
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.credentials["tenant"]

    @property
    def token_url(self) -> str:
        return f"{self.simulator.url}/{self.credentials['tenant_id']}/oauth2/v2.0/token"

    def form(self, profile: str) -> dict[str, str]:
        app = self.credentials["apps"][profile]
        return {**app, "grant_type": "client_credentials", "scope": SCOPE}

    def token(self, profile: str) -> str:
        if profile not in self.tokens:
            answer = self.http.post(self.token_url, data=self.form(profile))
            self.tokens[profile] = answer.json()["access_token"]
        return self.tokens[profile]

    def call(
        self, method: str, path: str, profile: str = "exchange-restore", *, prefer: str | None = None, **options: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token(profile)}", **options.pop("headers", {})}
        if prefer:
            headers["Prefer"] = prefer
        url = path if path.startswith("https:") else f"{self.simulator.graph_url}/{path.lstrip('/')}"
        return self.http.request(method, url, headers=headers, **options)

    def get(self, path: str, profile: str = "exchange-backup", **options: Any) -> Any:
        answer = self.call("GET", path, profile, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def user(self, mailbox: str) -> str:
        return f"users/{mailbox}@{self.name}.onmicrosoft.com"


@pytest.fixture
def q() -> Any:
    return lambda text: quote(text, safe="")


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("simulator")


@pytest.fixture(scope="session")
def simulator(state: Path) -> Iterator[SimulatorProcess]:
    """Compares all it answers with Graph's published types, whichever client asked."""
    with SimulatorProcess(state, options=("--check-answers",)) as process:
        yield process
        assert process.control("GET", "stats")["unpublished"] == {}


@pytest.fixture(scope="session")
def http(simulator: SimulatorProcess) -> Iterator[httpx.Client]:
    with httpx.Client(verify=simulator.tls(), trust_env=False, timeout=20) as client:
        yield client


def make_tenant(name: str, simulator: SimulatorProcess, http: httpx.Client, *options: str) -> Tenant:
    apps, manifest = simulator.state / f"{name}.apps.json", simulator.state / f"{name}.manifest"
    summary = seed(simulator.state, name, "--apps", str(apps), "--manifest", str(manifest), *options)
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    return Tenant(simulator, json.loads(apps.read_text()), lines, summary["unreadable"], http)


@pytest.fixture(scope="session")
def contoso(simulator: SimulatorProcess, http: httpx.Client) -> Tenant:
    """Seeded while the simulator serves; read-only by agreement, except for the mailbox restore-target."""
    options = ("--generate", "120", "--mailboxes", "2", "--unreadable", "1", "--contacts", "30")
    return make_tenant("contoso", simulator, http, *options)


@pytest.fixture(scope="session")
def fabrikam(simulator: SimulatorProcess, http: httpx.Client) -> Tenant:
    """A second tenant, whose mail and apps tests may change."""
    return make_tenant("fabrikam", simulator, http, "--generate", "12", "--mailboxes", "1")


@pytest.fixture(scope="session")
def globex(simulator: SimulatorProcess, http: httpx.Client) -> Tenant:
    """A tenant with a directory; what a test creates in it is its own."""
    return make_tenant("globex", simulator, http, "--generate", "0", "--mailboxes", "1", "--people", "130")


@pytest.fixture
def faults(simulator: SimulatorProcess, contoso: Tenant) -> Iterator[Any]:
    """Add faults that are gone after the test; the unreadable message of the seed stays."""
    added: list[int] = []

    def add(**spec: Any) -> None:
        added.append(simulator.control("POST", "faults", spec)["id"])

    yield add
    for fault in added:
        simulator.control("DELETE", f"faults/{fault}")


@pytest.fixture(scope="session")
def northwind(simulator: SimulatorProcess, http: httpx.Client) -> Tenant:
    """A tenant with calendars; tests may write into the mailbox restore-target only."""
    return make_tenant("northwind", simulator, http, "--generate", "2", "--mailboxes", "2", "--calendars", "96")
