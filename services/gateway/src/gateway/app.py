"""The only wiring: `build_with` for tests, `serve` for the process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib.metadata import version
from random import Random

import structlog
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from chassis import asgi, bus, health, http, metrics, seed
from chassis.checks import broker_answers
from chassis.clock import Clock, SystemClock
from chassis.lifecycle import Drain
from chassis.openbao import AppRoleVault
from chassis.vault import Vault
from gateway.adapters.bus_services import BusServices
from gateway.adapters.httpx_downloads import HttpxDownloads
from gateway.adapters.oidc_callers import OidcCallers
from gateway.adapters.oidc_keys import OidcKeys
from gateway.entrypoints.api import application
from gateway.entrypoints.gate import Gate, with_gate
from gateway.entrypoints.middleware import Counted, InFlight, Surroundings
from gateway.ports import Callers, Downloads, Services
from gateway.settings import GatewaySettings
from gateway.usecases.admission import Admission
from gateway.usecases.follow_run import FollowRun, Pace
from gateway.usecases.tenant_roles import TenantRoles

log = structlog.get_logger(__name__)

NAME = "gateway"
_CLOSING = 3.0
"""Seconds of the drain kept for closing connections, after waiting for running requests."""


@dataclass(frozen=True)
class Around:
    """What the API works with: real in `serve`, fakes that keep their promises in tests."""

    callers: Callers
    services: Services
    downloads: Downloads
    vault: Vault
    registry: CollectorRegistry
    clock: Clock
    rng: Random
    public_url: str = "https://127.0.0.1:8443"
    in_flight: InFlight = field(default_factory=InFlight)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process leaves: progress streams end, so that nobody waits for them."""
    pace: Pace = field(default_factory=Pace)
    roles_max_age: float = 60.0

    def tenant_roles(self) -> TenantRoles:
        return TenantRoles(self.services, self.clock, self.roles_max_age)


def build_with(around: Around, roles: TenantRoles) -> ASGIApp:
    """Build the API on what is given; somebody lets `roles` listen while it serves."""
    gate = Gate(
        admission=Admission(around.callers, around.services, roles),
        services=around.services,
        downloads=around.downloads,
        follow=FollowRun(around.services, around.clock, around.stopping, around.pace),
        vault=around.vault,
        clock=around.clock,
        rng=around.rng,
        public_url=around.public_url,
    )
    return Surroundings(
        with_gate(gate, application()),
        clock=around.clock,
        rng=around.rng,
        counted=Counted(around.registry),
        in_flight=around.in_flight,
    )


async def serve(settings: GatewaySettings, drain: Drain) -> None:
    """Serve until the drain, then let running requests finish."""
    clock, rng = SystemClock(), seed.rng(settings.seed, NAME)
    registry = metrics.new_registry(NAME, version("tenantkeep-gateway"))
    broker = bus.connect(settings, NAME)
    begun = asyncio.Event()

    async def accepts_requests() -> None:
        if drain.requested.is_set() or not begun.is_set():
            raise ConnectionError("draining" if begun.is_set() else "not listening yet")

    async with contextlib.AsyncExitStack() as stack:
        keys_client = await stack.enter_async_context(http.client(settings.ca_file, read=5.0, connections=2))
        download_client = await stack.enter_async_context(http.client(settings.ca_file))
        vault_client = await stack.enter_async_context(
            http.client(settings.ca_file, base_url=settings.vault_url, read=10.0, connections=10)
        )
        issuer = settings.oidc_issuer
        keys = OidcKeys(keys_client, issuer=issuer, jwks_url=settings.oidc_jwks_url, clock=clock)
        checks = {"bus": broker_answers(broker), "issuer": keys.ready, "api": accepts_requests}
        await stack.enter_async_context(health.serve_health(settings, checks, registry))
        await broker.start()
        stack.push_async_callback(broker.stop)
        around = Around(
            callers=OidcCallers(keys, issuer=issuer, audience=settings.oidc_audience),
            services=BusServices(bus.Bus(broker, NAME, clock, rng)),
            public_url=settings.gateway_public_url,
            downloads=HttpxDownloads(download_client, settings.download_url),
            vault=AppRoleVault(
                vault_client, role_id=settings.vault_role_id, secret_id=settings.vault_secret_id, clock=clock
            ),
            registry=registry,
            clock=clock,
            rng=rng,
            stopping=drain.requested,
            roles_max_age=settings.roles_max_age,
        )
        roles = around.tenant_roles()
        async with roles.listening(), _listening(settings, build_with(around, roles)):
            begun.set()
            await drain.wait()
            await _let_finish(around.in_flight, settings.drain_timeout - _CLOSING)


@contextlib.asynccontextmanager
async def _listening(settings: GatewaySettings, app: ASGIApp) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(
            asgi.serve(
                app,
                host=settings.gateway_host,
                port=settings.gateway_port,
                cert_file=settings.tls_cert_file,
                key_file=settings.tls_key_file,
                setting="TENANTKEEP_GATEWAY_PORT",
            )
        )
        log.info("API ready", url=url)
        if settings.gateway_http_port:
            plain = await stack.enter_async_context(
                asgi.serve(
                    app,
                    host=settings.gateway_host,
                    port=settings.gateway_http_port,
                    setting="TENANTKEEP_GATEWAY_HTTP_PORT",
                )
            )
            log.info("API ready, plain http on this machine only", url=plain)
        yield


async def _let_finish(in_flight: InFlight, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            await in_flight.none_left()
    except TimeoutError:
        log.warning("requests still running at the end of the drain are cut off")
