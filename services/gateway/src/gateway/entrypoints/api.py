"""The API as one application: all routers, all problem handlers, no page of its own."""

from functools import cache

from fastapi import FastAPI

from contracts.authorization import ROUTES
from gateway.entrypoints import (
    audit,
    backups,
    browsing,
    consent,
    dead_letters,
    employees,
    incidents,
    legal_holds,
    offboarding,
    problems,
    profiles,
    progress,
    restores,
    reviews,
    sign_in,
    syncs,
    tenants,
    tokens,
)

TITLE = "Tenantkeep"
VERSION = "1"


_PARTS = (
    tenants.api,
    tokens.api,
    incidents.api,
    consent.api,
    profiles.api,
    sign_in.api,
    backups.api,
    legal_holds.api,
    offboarding.api,
    progress.api,
    restores.api,
    browsing.api,
    employees.api,
    syncs.api,
    dead_letters.api,
    audit.api,
    reviews.api,
)


class RoutesMissing(Exception):
    """The authorisation table and the declared endpoints differ."""


@cache
def application() -> FastAPI:
    """The one of this process: what it works with comes with each request (`gate.with_gate`)."""
    api = FastAPI(title=TITLE, version=VERSION, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    problems.install(api)
    declared: set[str] = set()
    for part in _PARTS:
        api.include_router(part.router)
        declared |= part.names
    api.include_router(consent.callback)
    api.include_router(sign_in.callback)
    if declared != ROUTES.keys():
        raise RoutesMissing(f"in the table or in the code only: {sorted(declared ^ ROUTES.keys())}")
    return api
