"""Options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

_GERMAN = "de"
_LANGUAGES = ("en", _GERMAN)


def _language(context: typer.Context, parameter: typer.CallbackParam, value: str) -> str:
    """`de_DE.UTF-8` is German, `C` is English; what was typed must be one of the two."""
    typed = parameter.name is not None and str(context.get_parameter_source(parameter.name)).endswith("COMMANDLINE")
    if typed and value not in _LANGUAGES:
        raise typer.BadParameter(f"choose from {', '.join(_LANGUAGES)}")
    return _GERMAN if value.lower().startswith(_GERMAN) else "en"


Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Lang = Annotated[
    str,
    typer.Option(
        "--lang",
        envvar=["LC_ALL", "LC_MESSAGES", "LANG"],
        show_envvar=False,
        callback=_language,
        help="Language of texts: en or de. [default: from LANG]",
        show_default=False,
    ),
]
TenantName = Annotated[
    str | None,
    typer.Option("--tenant", "-t", envvar="TENANTKEEP_TENANT", help="Slug of the tenant. [default: the only one]"),
]
Timeout = Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait; exit code 4 when they are over.")]
Wait = Annotated[bool, typer.Option("--wait", help="Show progress until the run has ended.")]
SecretKeyFile = Annotated[Path | None, typer.Option(help="File with the secret key.", exists=True, dir_okay=False)]
KeyFile = Annotated[
    Path | None, typer.Option(help="File with the private key of the account.", exists=True, dir_okay=False)
]
PassphraseFile = Annotated[
    Path | None, typer.Option(help="File with the passphrase of that key.", exists=True, dir_okay=False)
]
PasswordFile = Annotated[
    Path | None, typer.Option(help="File with its password, instead of a key.", exists=True, dir_okay=False)
]
