"""Whom a tenant names for problems and for incidents."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MailAddress = Annotated[str, StringConstraints(pattern=r"^[^@\s<>,;]{1,64}@[^@\s<>,;]{1,255}$")]


class Contact(BaseModel):
    """A person, or a desk that always answers."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\r\n]*$")
    mail: MailAddress


class Contacts(BaseModel):
    """The support contact is shown with every error; the security contact is told of incidents."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    support: Contact | None = None
    security: Contact | None = None
