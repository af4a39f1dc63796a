"""Tenantkeep's own services as processes: their commands, ports and environment."""

import sys

import httpx

from tenantkeep.stack import documents, issuer, nats, secrets, simulator, vault
from tenantkeep.stack.home import Home
from tenantkeep.stack.ports import Ports, worker_port
from tenantkeep.stack.process import SERVICE_GRACE, NotReady, Probe, ProcessSpec, run_to_end
from tenantkeep.stack.settings import StackSettings, caller_environment
from tenantkeep.stack.trust import client

BOOTSTRAP = "bootstrap"
GATEWAY = "gateway"
TOKEN = "token-service"  # noqa: S105 -- a name
SYNC = "sync-service"
PLANNER = "backup-planner"
WORKER = "backup-worker"
MONITOR = "monitor-service"
CERTIFICATES = (GATEWAY, TOKEN, SYNC, PLANNER, WORKER, MONITOR)

_BOOTSTRAP_SECONDS = 60.0
_DRAIN_SECONDS = 8
"""The stack ends within 20 seconds, so its services get less time to hand back than in a cluster."""

_QUICK = {"TENANTKEEP_ACK_WAIT": "10", "TENANTKEEP_HEARTBEAT_INTERVAL": "3"}
"""On one machine a silent worker is a dead one: its jobs go to the next after 10 seconds, unless the caller says so."""

Environment = dict[str, str]


def worker_name(number: int) -> str:
    return WORKER if number == 1 else f"{WORKER}-{number}"


def specs(home: Home, ports: Ports, settings: StackSettings) -> list[ProcessSpec]:
    """All services, in the order a reader expects them."""
    base = _common(home, ports, settings)
    numbers = range(1, settings.workers + 1)
    return [
        _token_service(home, ports, base),
        _sync_service(home, ports, base),
        _planner(home, ports, base),
        *(_worker(home, ports, base, number) for number in numbers),
        _monitor(home, ports, base),
        _gateway(home, ports, base),
    ]


def bootstrap_environment(home: Home, ports: Ports, settings: StackSettings) -> Environment:
    """For `python -m chassis.bootstrap`, which has the one bus user that may create streams."""
    own = {"TENANTKEEP_BUS_SOURCES": str(home.sources)} if home.sources.exists() else {}
    return _without_contradictions({**_common(home, ports, settings), **_bus(home, ports, BOOTSTRAP), **own})


def bootstrap(home: Home, ports: Ports, settings: StackSettings, *, sources_only: bool = False) -> None:
    """Create streams and consumers; harmless when they exist. `sources_only`: the durables of foreign sources."""
    run_to_end(
        "The bootstrap of the bus",
        (sys.executable, "-m", "chassis.bootstrap", *(("--sources",) if sources_only else ())),
        env=bootstrap_environment(home, ports, settings),
        cwd=home.root,
        log=home.log(BOOTSTRAP),
        timeout=_BOOTSTRAP_SECONDS,
    )


def _token_service(home: Home, ports: Ports, base: Environment) -> ProcessSpec:
    environment = {**base, **_stores(home, ports, TOKEN), **_listener(home, TOKEN, ports["token_service"])}
    return _spec(home, TOKEN, ("-m", "token_service"), environment, {"health": ports["token_service"]})


def _sync_service(home: Home, ports: Ports, base: Environment) -> ProcessSpec:
    environment = {**base, **_stores(home, ports, SYNC), **_listener(home, SYNC, ports["sync_service"])}
    return _spec(home, SYNC, ("-m", "sync_service"), environment, {"health": ports["sync_service"]})


def _planner(home: Home, ports: Ports, base: Environment) -> ProcessSpec:
    listener = _listener(home, PLANNER, ports["backup_planner"])
    environment = {**base, **_stores(home, ports, "backup-service"), **listener}
    arguments = ("-m", "backup_service", "planner")
    return _spec(home, PLANNER, arguments, environment, {"health": ports["backup_planner"]})


def _worker(home: Home, ports: Ports, base: Environment, number: int) -> ProcessSpec:
    health = ports[worker_port("backup_worker", number)]
    download = ports[worker_port("backup_worker_download", number)]
    environment = {
        **base,
        **_stores(home, ports, "backup-service"),
        **_listener(home, WORKER, health),
        "TENANTKEEP_DOWNLOAD_PORT": str(download),
        "TENANTKEEP_DOWNLOAD_URL": f"https://127.0.0.1:{download}",
    }
    arguments = ("-m", "backup_service", "worker")
    return _spec(home, worker_name(number), arguments, environment, {"health": health, "download": download})


def _monitor(home: Home, ports: Ports, base: Environment) -> ProcessSpec:
    listener = _listener(home, MONITOR, ports["monitor_service"])
    environment = {**base, **_stores(home, ports, MONITOR), **listener}
    return _spec(home, MONITOR, ("-m", "monitor_service"), environment, {"health": ports["monitor_service"]})


def _gateway(home: Home, ports: Ports, base: Environment) -> ProcessSpec:
    health = ports["gateway_health"]
    environment = {
        **base,
        **_stores(home, ports, GATEWAY),
        **_listener(home, GATEWAY, health),
        "TENANTKEEP_GATEWAY_PORT": str(ports["gateway"]),
        "TENANTKEEP_GATEWAY_PUBLIC_URL": f"https://127.0.0.1:{ports['gateway']}",
        "TENANTKEEP_GATEWAY_HTTP_PORT": str(ports["gateway_http"]),
        "TENANTKEEP_OIDC_ISSUER": issuer.url(ports),
        "TENANTKEEP_OIDC_AUDIENCE": issuer.AUDIENCE,
        "TENANTKEEP_OIDC_JWKS_URL": issuer.jwks_url(ports),
        "TENANTKEEP_DOWNLOAD_URL": f"https://127.0.0.1:{ports['backup_worker_download']}",
    }
    listens = {"https": ports["gateway"], "http": ports["gateway_http"], "health": health}
    return _spec(home, GATEWAY, ("-m", "gateway"), environment, listens)


def _spec(
    home: Home, name: str, arguments: tuple[str, ...], environment: Environment, ports: dict[str, int]
) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        argv=(sys.executable, *arguments),
        env=_without_contradictions(environment),
        cwd=home.root,
        log=home.log(name),
        ports=ports,
        probe=readyz(home, ports["health"]),
        grace=SERVICE_GRACE,
        is_service=True,
    )


def readyz(home: Home, port: int) -> Probe:
    async def probe() -> None:
        try:
            async with client(home.ca) as http:
                answer = await http.get(f"https://127.0.0.1:{port}/readyz")
        except httpx.TransportError as error:
            raise NotReady(f"no answer on its health port {port} ({type(error).__name__})") from error
        if answer.status_code != httpx.codes.OK:
            raise NotReady(f"/readyz answers {answer.status_code}: {answer.text[:200]}")

    return probe


def _common(home: Home, ports: Ports, settings: StackSettings) -> Environment:
    """The caller's environment, whatever is in it (no variable of other programs may matter), and ours above.

    Only a proxy towards Microsoft 365 is dropped: the simulator is on this machine.
    """
    caller = {name: value for name, value in caller_environment().items() if name != "TENANTKEEP_HTTPS_PROXY"}
    return {
        **_QUICK,
        **caller,
        "PYTHONUNBUFFERED": "1",
        "TENANTKEEP_HOME": str(home.root),
        "TENANTKEEP_CA_FILE": str(home.ca_bundle),
        "TENANTKEEP_NATS_URL": nats.url(ports),
        "TENANTKEEP_MONGO_URL": documents.url(ports),
        "TENANTKEEP_VAULT_URL": vault.url(ports),
        "TENANTKEEP_AUTHORITY_URL": simulator.url(ports),
        "TENANTKEEP_GRAPH_URL": f"{simulator.url(ports)}/v1.0",
        "TENANTKEEP_LOG_LEVEL": settings.log_level,
        "TENANTKEEP_DRAIN_TIMEOUT": str(_DRAIN_SECONDS),
    }


def _without_contradictions(environment: Environment) -> Environment:
    """A secret given as a file may not be there as a variable too: services refuse to choose."""
    return {name: value for name, value in environment.items() if f"{name}_FILE" not in environment}


def _bus(home: Home, ports: Ports, user: str) -> Environment:
    return {"TENANTKEEP_NATS_URL": nats.url(ports), "TENANTKEEP_NATS_NKEY_FILE": str(secrets.nats_seed(home, user))}


def _stores(home: Home, ports: Ports, user: str) -> Environment:
    """Bus, documents and vault as this service's own user."""
    return {
        **_bus(home, ports, user),
        "TENANTKEEP_MONGO_USER": user,
        "TENANTKEEP_MONGO_PASSWORD_FILE": str(secrets.mongo_password(home, user)),
        "TENANTKEEP_VAULT_ROLE_ID": user,
        "TENANTKEEP_VAULT_SECRET_ID_FILE": str(secrets.vault_secret_id(home, user)),
    }


def _listener(home: Home, name: str, health_port: int) -> Environment:
    certificate, key = home.certificate(name)
    return {
        "TENANTKEEP_TLS_CERT_FILE": str(certificate),
        "TENANTKEEP_TLS_KEY_FILE": str(key),
        "TENANTKEEP_HEALTH_PORT": str(health_port),
    }
