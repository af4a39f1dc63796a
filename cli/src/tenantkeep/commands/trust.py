"""TLS for the client: trust from a file we were told or the system's, never from variables of other programs."""

import ssl
from pathlib import Path

from contracts.texts import Text
from tenantkeep.commands.errors import CommandError
from tenantkeep.exit_codes import ExitCode
from tenantkeep.stack import trust


def context(ca_file: Path | None) -> ssl.SSLContext:
    """Verify servers against `ca_file` alone, or the operating system's bundle when it is None."""
    bundle = ca_file or Path(ssl.get_default_verify_paths().openssl_cafile)
    try:
        return trust.context(bundle)
    except OSError as error:  # ssl.SSLError is one
        raise CommandError(
            Text(f"No certificate authority can be read from {bundle}.", f"{bundle} enthält keine Zertifikatsstelle."),
            Text("Set TENANTKEEP_CA_FILE to a PEM bundle.", "TENANTKEEP_CA_FILE auf ein PEM-Bündel setzen."),
            ExitCode.USAGE,
            code="trust",
        ) from error
