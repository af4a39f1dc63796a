"""What every question over the bus is made of: its operation, its model, and the few that many operations share."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from contracts.names import Token

CALLER_HEADER = "m365-caller"
ROLES_HEADER = "m365-roles"
REQUEST_ID_HEADER = "m365-request-id"
TIMEOUT = 5.0
"""Seconds an answer may take; what takes longer is a job."""

Req = TypeVar("Req", bound=BaseModel)
Res = TypeVar("Res", bound=BaseModel)


@dataclass(frozen=True)
class Operation(Generic[Req, Res]):
    """One question: who answers, its name in the subject, its two models."""

    service: str
    name: str
    request: type[Req]
    response: type[Res]


class Question(BaseModel):
    """What is asked: frozen, and fields it does not know are left aside."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Nothing(Question):
    """No arguments beyond the tenant of the subject."""


class Page(Question):
    cursor: str | None = None
    limit: int = Field(default=100, ge=1, le=500)


class ById(Question):
    id: Token
