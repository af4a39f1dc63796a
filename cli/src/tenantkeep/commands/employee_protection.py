"""`tenantkeep employees export|erase|erasures`: what a person may ask about the data held on them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from contracts.api import ErasureBody
from contracts.texts import Text
from tenantkeep.commands import employee_labels as words
from tenantkeep.commands import figures, labels
from tenantkeep.commands.choose import tenant_of
from tenantkeep.commands.client import connect
from tenantkeep.commands.employees import Who, app, employee_of
from tenantkeep.commands.errors import usage
from tenantkeep.commands.options import Json, Lang, TenantName
from tenantkeep.commands.output import Screen, plain, reported

__all__ = ["app"]
"""The commands of `employees`, those of this module among them."""


@app.command("export")
@reported
def export(
    *,
    who: Who,
    out: Annotated[Path, typer.Option(help="New JSON file.")],
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Write everything held about one employee into a file, to hand it out; that it was given out is recorded.

    Example: tenantkeep employees export anna@contoso.com --out anna.json
    """
    screen = Screen(lang, as_json=as_json)
    if out.exists():
        raise usage(f"{out} exists already.", f"{out} gibt es schon.")
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        everything = gateway.export_employee(slug, employee_of(gateway, slug, who).id)
    out.touch(mode=0o600)
    out.write_text(json.dumps(plain(everything), indent=2, ensure_ascii=False), encoding="utf-8")
    if as_json:
        screen.document({"out": str(out), "activity": len(everything.activity)})
    screen.say(Text("Everything about {} is in {}.", "Alles über {} steht in {}."), who, out)


@app.command("erase")
@reported
def erase(
    *,
    who: Who,
    reason: Annotated[str, typer.Option(help="Stays on record, so nothing about the person.")],
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Erase everything held about an employee whom Microsoft 365 has deleted. It cannot be undone.

    Example: tenantkeep employees erase 0f0f3c52-7a55-4d0a-8a64-51f2b1f3c9d7 --reason "request of 2026-02-27"
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        done = gateway.erase_employee(slug, employee_of(gateway, slug, who).id, ErasureBody(reason=reason))
    if as_json:
        screen.document(done)
    screen.say(
        Text("Erased, with {} entries of the activity log.", "Gelöscht, mit {} Einträgen des Aktivitätsprotokolls."),
        done.activities,
    )


@app.command("erasures")
@reported
def erasures(*, tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """List erasures, newest first.

    Example: tenantkeep employees erasures
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = gateway.erasures(tenant_of(gateway, tenant))
    if as_json:
        screen.document({"items": found})
        return
    rows = [(figures.moment(one.erased_at), one.employee, one.erased_by, one.reason) for one in found]
    screen.table((words.ERASED, words.OBJECT_ID, words.BY, labels.REASON), rows)
