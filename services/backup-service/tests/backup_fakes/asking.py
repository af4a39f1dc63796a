"""Who asks in a test."""

from contracts.caller import Caller


def asking(request: str = "req", by: str = "anna") -> Caller:
    return Caller(by, ("admin",), request)
