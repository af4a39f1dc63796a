"""Every subject of the bus. A subject written as a string elsewhere is a bug (tests/architecture checks it).

Tenant, source and ids are single tokens, so that permissions, filters and counts can name them.
"""

import re

from contracts.names import JobKind

ROOT = "m365"
VERSION = "v1"
ANY_TENANT = "_"
"""Stands in rpc subjects for questions that concern no single tenant; not a valid slug, so it cannot collide."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")


class BadSubject(ValueError):
    """A part of a subject is not a single token."""


def _join(*parts: str) -> str:
    for part in parts:
        if part not in {"*", ">"} and not _TOKEN.fullmatch(part):
            raise BadSubject(f"{part!r} cannot be a subject token: use letters, digits, '-' and '_'")
    return ".".join(parts)


def event(tenant: str, domain: str, name: str) -> str:
    """A fact, past tense: `m365.evt.v1.<tenant>.<domain>.<event>`."""
    return _join(ROOT, "evt", VERSION, tenant, domain, name)


def requested(source: str, tenant: str, domain: str) -> str:
    """A request from anyone: `m365.ext.v1.<source>.<tenant>.<domain>.requested`."""
    return _join(ROOT, "ext", VERSION, source, tenant, domain, "requested")


def requests(source: str, tenant: str) -> str:
    """Every subject of a source's requests for one tenant."""
    return _join(ROOT, "ext", VERSION, source, tenant, ">")


def job(tenant: str, kind: JobKind | str, job_id: str) -> str:
    """The wake-up of one job: `m365.job.v1.<tenant>.<kind>.<job>`."""
    return _join(ROOT, "job", VERSION, tenant, str(kind), job_id)


def dead_letter(durable: str, tenant: str) -> str:
    """What `durable` could not process: `m365.dlq.v1.<durable>.<tenant>`."""
    return _join(ROOT, "dlq", VERSION, durable, tenant)


def rpc(service: str, tenant: str, operation: str) -> str:
    """A question to a service: `m365.rpc.v1.<service>.<tenant>.<noun>.<verb>`."""
    return _join(ROOT, "rpc", VERSION, service, tenant, *operation.split("."))


def is_token(text: str) -> bool:
    """True for what may stand in a subject as one of its parts."""
    return _TOKEN.fullmatch(text) is not None


def is_job(subject: str) -> bool:
    """True for the wake-up of a job, the only message of ours whose body is no CloudEvent."""
    return subject.startswith(f"{ROOT}.job.{VERSION}.")


def tenant_of(subject: str) -> str | None:
    """The tenant token of an event, request, job or rpc subject; None for anything else."""
    parts = subject.split(".")
    if len(parts) < 5 or parts[0] != ROOT or parts[2] != VERSION:  # noqa: PLR2004 - root.kind.version.tenant.more
        return None
    position = {"evt": 3, "job": 3, "ext": 4, "rpc": 4, "dlq": 4}.get(parts[1])
    return None if position is None else parts[position]


def source_of(subject: str) -> str | None:
    """The source token of a request subject; None for anything else."""
    parts = subject.split(".")
    return parts[3] if len(parts) > 5 and parts[:3] == [ROOT, "ext", VERSION] else None  # noqa: PLR2004 - see requested()
