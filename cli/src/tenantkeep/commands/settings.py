"""What the client commands read from the environment."""

from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tenantkeep.commands.errors import usage
from tenantkeep.stack import settings as stack_settings
from tenantkeep.stack.home import Home


class ClientSettings(BaseSettings):
    """Settings of every command that talks to a gateway."""

    model_config = SettingsConfigDict(env_prefix="TENANTKEEP_", frozen=True, extra="ignore")

    ca_file: Path | None = Field(None, description="PEM bundle the command line trusts instead of the system's.")
    patience: float = Field(60.0, ge=0, description="Seconds a command asks again while a service restarts; 0: never.")


def load() -> ClientSettings:
    """The settings; a wrong one is a usage error that names its variable."""
    try:
        return ClientSettings()
    except ValidationError as error:
        names = ", ".join(f"TENANTKEEP_{str(e['loc'][0]).upper()}" for e in error.errors(include_input=False))
        raise usage(f"Not valid: {names}", f"Nicht gültig: {names}") from None


def home() -> Home:
    """The state folder of this user: sessions, and the embedded stack if there is one."""
    return Home(stack_settings.load().home)
