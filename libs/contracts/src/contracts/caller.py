"""Who asks a service for something, as the gateway authenticated them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """A person or a program, what they may be, and which request of theirs this is."""

    subject: str
    roles: tuple[str, ...]
    request_id: str


def itself(service: str) -> Caller:
    """What a service does because its time has come, and nobody asked for."""
    return Caller(f"service:{service}", (), "")


def on_behalf(source: str, request_id: str) -> Caller:
    """A system of others; who asks there is that system's own word."""
    return Caller(f"source:{source}", (), request_id)
