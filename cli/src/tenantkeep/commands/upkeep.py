"""`tenantkeep backup verify|drill|maintain`: the upkeep of what a storage target holds."""

from typing import Annotated

import typer

from contracts.api import UpkeepBody
from contracts.names import UpkeepKind
from tenantkeep.commands import labels
from tenantkeep.commands.choose import named, tenant_of
from tenantkeep.commands.client import connect
from tenantkeep.commands.following import Key, follow_or_tell
from tenantkeep.commands.options import Json, Lang, TenantName, Timeout, Wait
from tenantkeep.commands.output import Screen, reported

_HOUR = 3600.0
Target = Annotated[str, typer.Option(help="Storage target, by name or id.")]


def add_to(app: typer.Typer) -> None:
    """Register the three commands."""
    app.command("verify")(verify)
    app.command("drill")(drill)
    app.command("maintain")(maintain)


@reported
def verify(
    *,
    target: Target,
    everything: Annotated[bool, typer.Option("--all", help="Read everything, not only the next share.")] = False,
    wait: Wait = False,
    timeout: Timeout = 24 * _HOUR,
    key: Key = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Read stored objects whole and check every byte: the longest unread first. Damage is named and repaired.

    Example: tenantkeep backup verify --target archive --wait
    """
    _start(
        UpkeepBody(kind=UpkeepKind.VERIFY, whole=everything),
        target,
        Screen(lang, as_json=as_json),
        tenant,
        wait=wait,
        timeout=timeout,
        key=key,
    )


@reported
def drill(
    *,
    target: Target,
    wait: Wait = False,
    timeout: Timeout = 24 * _HOUR,
    key: Key = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Restore a random sample into scratch on the worker and compare it with what was backed up.

    Example: tenantkeep backup drill --target archive --wait
    """
    _start(
        UpkeepBody(kind=UpkeepKind.RESTORE_DRILL),
        target,
        Screen(lang, as_json=as_json),
        tenant,
        wait=wait,
        timeout=timeout,
        key=key,
    )


@reported
def maintain(
    *,
    target: Target,
    wait: Wait = False,
    timeout: Timeout = 24 * _HOUR,
    key: Key = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Remove restore points whose time is over and what nothing needs any more; keep index and packs in shape.

    Example: tenantkeep backup maintain --target archive --wait
    """
    _start(
        UpkeepBody(kind=UpkeepKind.MAINTAIN),
        target,
        Screen(lang, as_json=as_json),
        tenant,
        wait=wait,
        timeout=timeout,
        key=key,
    )


def _start(
    body: UpkeepBody, target: str, screen: Screen, tenant: str | None, *, wait: bool, timeout: float, key: str | None
) -> None:
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        chosen = named(gateway.storage_targets(slug), target, labels.TARGET)
        started = gateway.start_upkeep(slug, chosen.id, body, key)
        follow_or_tell(screen, gateway, slug, started, wait=wait, timeout=timeout)
