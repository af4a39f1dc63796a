"""Who a user of the bus is: its seed, which never leaves this machine, and what is computed from it."""

import os

import nkeys

from tenantkeep.stack import secrets
from tenantkeep.stack.home import Home

_SEED_BYTES = 32


def new_seed() -> bytes:
    """A seed for one more user, in the form of the bus."""
    return bytes(nkeys.encode_seed(os.urandom(_SEED_BYTES), nkeys.PREFIX_BYTE_USER))


def public_key_of(seed: bytes) -> str:
    """The name on the bus of whoever has this seed."""
    return bytes(nkeys.from_seed(seed).public_key).decode()


def public_key(home: Home, user: str) -> str:
    """The user's name on the bus, computed from its seed."""
    return public_key_of(secrets.nats_seed(home, user).read_bytes().strip())


def signature(home: Home, user: str, nonce: str) -> bytes:
    """The user's answer to the server's challenge."""
    pair = nkeys.from_seed(secrets.nats_seed(home, user).read_bytes().strip())
    return bytes(pair.sign(nonce.encode()))
