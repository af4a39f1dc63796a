"""What only a person can do: said with the link to where it is done; for a program as a line of JSON on stderr."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from contracts.api import ConsentBody
from contracts.names import Profile
from contracts.profiles import credentials_url
from contracts.texts import Text
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.output import Screen


@dataclass(frozen=True)
class Upload:
    """A certificate (PEM file, SHA-1 in hex) that somebody uploads to an app registration."""

    profile: Profile
    client_id: str
    file: Path
    thumbprint: str

    def document(self) -> dict[str, str]:
        """Give what a program needs to know of it."""
        return {
            "profile": self.profile,
            "client_id": self.client_id,
            "certificate_file": str(self.file),
            "thumbprint": self.thumbprint,
            "link": credentials_url(self.client_id),
        }


def ask_consent(gateway: Gateway, screen: Screen, tenant: str, profile: Profile, client_id: str | None) -> None:
    """A link for the customer's administrator."""
    link = gateway.start_consent(tenant, profile, ConsentBody(client_id=client_id))
    screen.say(
        Text(
            "  The customer's administrator (Privileged Role Administrator or Global Administrator) opens this "
            "link; it works once, until {}:\n  {}",
            "  Der Administrator des Kunden (Administrator für privilegierte Rollen oder globaler Administrator) "
            "öffnet diesen Link; er gilt einmal, bis {}:\n  {}",
        ),
        link.expires_at.astimezone().strftime("%H:%M:%S"),
        link.url,
    )
    _for_programs(screen, {"consent_link": link.url})


def ask_upload(screen: Screen, upload: Upload) -> None:
    """Which certificate goes to which app registration."""
    screen.say(
        Text(
            "  Upload the certificate {} (thumbprint {}) to the app registration of {}, client id {}; its owner or an "
            "Application Administrator may do that:\n  {}",
            "  Das Zertifikat {} (Fingerabdruck {}) in der App-Registrierung von {}, Client-ID {}, hochladen; das darf "
            "ihr Besitzer oder ein Anwendungsadministrator:\n  {}",
        ),
        upload.file,
        upload.thumbprint,
        upload.profile,
        upload.client_id,
        credentials_url(upload.client_id),
    )
    _for_programs(screen, {"certificate_upload": upload.document()})


def _for_programs(screen: Screen, told: dict[str, object]) -> None:
    if screen.as_json:
        print(json.dumps(told), file=sys.stderr, flush=True)  # noqa: T201 - for a program
