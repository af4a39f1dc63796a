"""The bus' accounts as nats-server's configuration: ours with every stream, and one per foreign source (ADR 0020)."""

from typing import Any

from contracts import foreign_sources
from contracts.bus_users import ACCOUNT, BUS_USERS, BusUser
from contracts.foreign_sources import Door, ForeignSource, Register
from tenantkeep.stack import bus_keys
from tenantkeep.stack.home import Home

Accounts = dict[str, dict[str, Any]]


def embedded(home: Home, register: Register) -> Accounts:
    """Every account of the embedded stack."""
    found = foreign(register)
    found[ACCOUNT] |= {"jetstream": "enabled", "users": [_user(home, user) for user in BUS_USERS]}
    return found


def foreign(register: Register) -> Accounts:
    """The sources' accounts and what ours exports to them; to be merged into `accounts` of a bus of your own."""
    exports = [_export(source, door) for source in register.sources for door in foreign_sources.doors(source)]
    return {ACCOUNT: {"exports": exports}, **{source.durable: _account(source) for source in register.sources}}


def _export(source: ForeignSource, door: Door) -> dict[str, Any]:
    answers = {"response_type": "stream"} if door.many else {}
    return {"service": door.inside, "accounts": [source.durable], **answers}


def _account(source: ForeignSource) -> dict[str, Any]:
    doors = foreign_sources.doors(source)
    permissions = {
        "publish": {"allow": [door.outside for door in doors]},
        "subscribe": {"allow": [f"{foreign_sources.INBOX_PREFIX}.>"]},
    }
    return {
        "users": [{"nkey": source.public_key, "permissions": permissions}],
        "imports": [{"service": {"account": ACCOUNT, "subject": door.inside}, "to": door.outside} for door in doors],
        "limits": {
            "max_connections": foreign_sources.CONNECTIONS,
            "max_subscriptions": foreign_sources.SUBSCRIPTIONS,
        },
    }


def _user(home: Home, user: BusUser) -> dict[str, Any]:
    permissions: dict[str, Any] = {
        "publish": {"allow": list(user.publish)} if user.publish else {"deny": [">"]},
        "subscribe": {"allow": list(user.subscribe)} if user.subscribe else {"deny": [">"]},
    }
    if user.responds:
        permissions["allow_responses"] = True
    return {"nkey": bus_keys.public_key(home, user.name), "permissions": permissions}
