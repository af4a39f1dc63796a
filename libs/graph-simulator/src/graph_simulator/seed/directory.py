"""Invent the directory of a company: users of every sort, groups of every sort, organisational contacts."""

import random
import sqlite3
from dataclasses import dataclass

from graph_simulator import directory_objects
from graph_simulator.database import transaction
from graph_simulator.directory import Tenant
from graph_simulator.directory_objects import Kind, State
from graph_simulator.seed import texts
from graph_simulator.web.directory_control import create_user

TITLES = ("Einkäuferin", "Geschäftsführer", "Engineer", "Accountant", "Auszubildende", "Prüfer")
OFFICES = (("Köln", "50667", "Domstraße 1", "DE"), ("Zürich", "8001", "Bahnhofstrasse 3", "CH"))
SORTS = (
    "member",
    "member",
    "member",
    "synced",
    "disabled",
    "unlicensed",
    "guest",
    "shared",
    "no-mail",
    "admin",
    "deleted",
)
"""Dealt out in turn, so that a dozen users hold every sort."""
ROLES = ("Admin", "User", "HR", "Accounting")


@dataclass(frozen=True, slots=True)
class Invented:
    """How many there are now."""

    users: int
    groups: int
    org_contacts: int


def invent(connection: sqlite3.Connection, tenant: Tenant, users: int, seed: int) -> Invented:
    """Create so many users, and groups and contacts in proportion."""
    rng = random.Random(seed)  # noqa: S311 - invented people, reproducible on purpose
    with transaction(connection):
        ids = [_user(connection, tenant, rng, number) for number in range(users)]
        groups = _groups(connection, tenant, rng, ids)
        contacts = [_org_contact(connection, tenant, rng, number) for number in range(max(1, users // 10))]
    return Invented(len(ids), groups, len(contacts))


def _user(connection: sqlite3.Connection, tenant: Tenant, rng: random.Random, number: int) -> str:
    sort = SORTS[number % len(SORTS)]
    name = f"{rng.choice(texts.PEOPLE)[0].split(' ')[0]} {rng.choice(texts.PEOPLE)[0].split(' ')[1]}"
    given, _, surname = name.partition(" ")
    city, code, street, country = rng.choice(OFFICES)
    properties: dict[str, object] = {
        "displayName": name,
        "givenName": given,
        "surname": surname,
        "jobTitle": rng.choice(TITLES),
        "department": rng.choice(texts.DEPARTMENTS),
        "mobilePhone": f"+49 170 {rng.randrange(10**6)}",
        "businessPhones": [f"+49 221 {rng.randrange(10**6)}"],
        "officeLocation": f"B{rng.randrange(9)}",
        "streetAddress": street,
        "city": city,
        "postalCode": code,
        "country": country,
        "usageLocation": country,
        "showInAddressList": True,
    }
    properties |= _special(sort, name)
    mailbox = sort not in ("unlicensed", "guest", "no-mail")
    spec = {"name": f"person{number}", "mailbox": mailbox, "admin": sort == "admin", "properties": properties}
    row = create_user(connection, tenant, spec)
    if sort == "deleted":
        directory_objects.set_state(connection, Kind.USER, row, State.DELETED)
    return str(row["id"])


def _special(sort: str, name: str) -> dict[str, object]:
    """Return what makes a user of this sort what it is."""
    match sort:
        case "guest":
            mail = f"{name.split(maxsplit=1)[0].lower()}@partner.example"
            return {"userType": "Guest", "mail": mail, "proxyAddresses": [f"SMTP:{mail}"]}
        case "disabled":
            return {"accountEnabled": False}
        case "shared":
            return {"accountEnabled": False, "displayName": f"Postfach {name}", "givenName": None, "surname": None}
        case "no-mail":
            return {"mail": None, "proxyAddresses": []}
        case "synced":
            return {"onPremisesSyncEnabled": True, "onPremisesImmutableId": f"anchor-{name}"}
        case _:
            return {}


def _groups(connection: sqlite3.Connection, tenant: Tenant, rng: random.Random, ids: list[str]) -> int:
    """Create the role groups, one inside another, and one group of each other sort, two of them of the same name."""
    profiles = [
        {"displayName": f"KlarKonform-{tenant.name.capitalize()}-{role}", **_sort("security", tenant, role)}
        for role in ROLES
    ]
    for number, sort in enumerate(("mail-security", "distribution", "unified", "dynamic", "distribution")):
        profiles.append({"displayName": f"Verteiler {sort}", **_sort(sort, tenant, f"{sort}{number}")})
    made = [_group(connection, tenant, profile, rng, ids) for profile in profiles]
    # Accounting is a member of User, and through it everybody in it.
    directory_objects.set_member(connection, made[1], made[3]["id"], member=True)
    return len(made)


def _group(
    connection: sqlite3.Connection, tenant: Tenant, profile: dict[str, object], rng: random.Random, ids: list[str]
) -> sqlite3.Row:
    row = directory_objects.create(connection, tenant, Kind.GROUP, profile)
    for member in rng.sample(ids, min(len(ids), 1 + len(ids) // 4)):
        directory_objects.set_member(connection, row, member, member=True)
    return row


def _sort(sort: str, tenant: Tenant, nickname: str) -> dict[str, object]:
    mail = f"{nickname.lower()}@{tenant.domain}"
    addressed = {"mail": mail, "proxyAddresses": [f"SMTP:{mail}"], "mailEnabled": True}
    common: dict[str, object] = {
        "mailNickname": nickname,
        "groupTypes": [],
        "securityEnabled": sort in ("security", "mail-security", "dynamic"),
        "mailEnabled": False,
        "description": None,
    }
    match sort:
        case "mail-security" | "distribution":
            return common | addressed
        case "unified":
            return common | addressed | {"groupTypes": ["Unified"], "visibility": "Private"}
        case "dynamic":
            rule = '(user.department -eq "Vertrieb")'
            return common | {"groupTypes": ["DynamicMembership"], "membershipRule": rule} | _RULED
        case _:
            return common


_RULED = {"membershipRuleProcessingState": "On"}


def _org_contact(connection: sqlite3.Connection, tenant: Tenant, rng: random.Random, number: int) -> sqlite3.Row:
    name = f"{rng.choice(texts.PEOPLE)[0]} (extern)"
    mail = f"extern{number}@partner.example"
    city, code, street, country = rng.choice(OFFICES)
    profile = {
        "displayName": name,
        "mail": mail,
        "proxyAddresses": [f"SMTP:{mail}"],
        "companyName": "Größmann Metallbau",
        "phones": [{"type": "business", "number": f"+49 30 {rng.randrange(10**6)}"}],
        "addresses": [{"city": city, "postalCode": code, "street": street, "countryOrRegion": country}],
        "onPremisesSyncEnabled": None,
    }
    return directory_objects.create(connection, tenant, Kind.ORG_CONTACT, profile)
