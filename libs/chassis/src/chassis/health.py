"""The port that Kubernetes and Prometheus look at: /livez, /readyz, /metrics."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from chassis import asgi
from chassis.settings import ProcessSettings
from contracts.redaction import masked

Check = Callable[[], Awaitable[None]]
"""Returns when well, raises otherwise; what it raises is shown, without secrets."""

_TIMEOUT = 2.0

log = structlog.get_logger(__name__)


def application(checks: Mapping[str, Check], registry: CollectorRegistry, *, timeout: float = _TIMEOUT) -> Starlette:
    """Build the ASGI application.

    /livez answers 200 while the event loop turns. /readyz runs all checks at once, each bounded by `timeout`
    seconds, and answers 200 or 503 with `{"ready": bool, "failing": [name], "checks": {name: "ok" | reason}}`.
    """

    async def livez(_request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_request: Request) -> Response:
        answers = await asyncio.gather(*(_outcome(name, check, timeout) for name, check in checks.items()))
        outcomes = dict(zip(checks, answers, strict=True))
        failing = [name for name, outcome in outcomes.items() if outcome != _OK]
        status = HTTPStatus.SERVICE_UNAVAILABLE if failing else HTTPStatus.OK
        return JSONResponse({"ready": not failing, "failing": failing, "checks": outcomes}, status)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)],
    )


@asynccontextmanager
async def serve_health(
    settings: ProcessSettings, checks: Mapping[str, Check], registry: CollectorRegistry
) -> AsyncIterator[str]:
    """Serve probes and metrics on the health port until the block ends; yields the base URL."""
    async with asgi.serve(
        application(checks, registry),
        host=settings.health_host,
        port=settings.health_port,
        cert_file=settings.tls_cert_file,
        key_file=settings.tls_key_file,
        setting="TENANTKEEP_HEALTH_PORT",
    ) as url:
        yield url


_OK = "ok"


async def _outcome(name: str, check: Check, timeout: float) -> str:  # noqa: ASYNC109 - used with asyncio.timeout
    try:
        async with asyncio.timeout(timeout):
            await check()
    except TimeoutError:
        return f"no answer within {timeout:g} s"
    except Exception as error:
        log.warning("readiness check failed", check=name, exc_info=error)
        return masked(f"{type(error).__name__}: {error}")
    return _OK
