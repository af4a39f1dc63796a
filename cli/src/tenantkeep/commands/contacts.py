"""Whom a tenant names for problems and for incidents: set them, and show them where something went wrong."""

import re
from typing import Annotated

import typer
from pydantic import ValidationError

from contracts.api import ContactsBody
from contracts.contacts import Contact
from contracts.texts import Text
from contracts.views import Tenant
from tenantkeep.commands.client import connect
from tenantkeep.commands.errors import usage
from tenantkeep.commands.options import Json, Lang
from tenantkeep.commands.output import Screen, reported

_WRITTEN = re.compile(r"(?P<name>[^<>]*\S)\s*<(?P<mail>[^<>]+)>")
NONE = "none"

SupportContact = Annotated[
    str | None, typer.Option("--support", help='Shown with every error: "Name <mail>", or none.')
]
SecurityContact = Annotated[str | None, typer.Option("--security", help='Told of incidents: "Name <mail>", or none.')]


@reported
def contacts(
    *,
    tenant: Annotated[str, typer.Argument(help="Slug of the tenant.")],
    support: SupportContact = None,
    security: SecurityContact = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Show whom a tenant names for problems and for incidents, or set them; what is not named stays.

    Example: tenantkeep tenant contacts contoso --support "Service desk <desk@contoso.com>"
    --security "Erika Beispiel <security@contoso.com>"
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = gateway.tenant(tenant)
        if support is not None or security is not None:
            found = gateway.set_contacts(tenant, wanted(found, support, security))
    if as_json:
        screen.document(found.contacts)
        return
    for title, contact in (
        (Text("Support contact", "Support-Kontakt"), found.contacts.support),
        (Text("Security contact", "Sicherheitskontakt"), found.contacts.security),
    ):
        screen.say(Text("{}: {}", "{}: {}"), screen.text(title), written(contact))


def wanted(tenant: Tenant, support: str | None, security: str | None) -> ContactsBody:
    """The tenant's contacts with what was typed in its place."""
    known = tenant.contacts
    return ContactsBody(
        support=known.support if support is None else parsed(support),
        security=known.security if security is None else parsed(security),
    )


def parsed(text: str) -> Contact | None:
    """`Name <mail>` as people write it; `none` is nobody."""
    if text == NONE:
        return None
    found = _WRITTEN.fullmatch(text.strip())
    try:
        if found is not None:
            return Contact(name=found["name"].strip(), mail=found["mail"].strip())
    except ValidationError:
        pass
    raise usage(f'Not a contact: {text}. Write "Name <mail>".', f'Kein Kontakt: {text}. Schreibweise: "Name <Mail>".')


def written(contact: Contact | None) -> str:
    return "–" if contact is None else f"{contact.name} <{contact.mail}>"


def support_of(tenant: Tenant) -> str:
    """Whom to turn to, as it was set or as it was given with the registration; empty when nobody is named."""
    return tenant.support_contact if tenant.contacts.support is None else written(tenant.contacts.support)


def show_support(screen: Screen, tenant: Tenant) -> None:
    """Below an error: whom to turn to when it comes again."""
    contact = support_of(tenant)
    if contact:
        screen.say(
            Text("If it comes again, contact support: {}", "Tritt es wieder auf, an den Support wenden: {}"), contact
        )
    else:
        screen.say(
            Text(
                "No support contact is named: tenantkeep tenant contacts {} --help",
                "Kein Support-Kontakt hinterlegt: tenantkeep tenant contacts {} --help",
            ),
            tenant.tenant,
        )
