"""The one place that builds TLS contexts: TLS 1.2 or later, trust from a file we were told, never from variables."""

import ssl
from pathlib import Path


class TrustMissing(Exception):
    """Neither TENANTKEEP_CA_FILE nor the operating system offers certificate authorities."""


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """Verify servers against `ca_file` alone, or against the operating system's authorities when it is None.

    SSL_CERT_FILE and SSL_CERT_DIR have no effect either way. Raises TrustMissing, or OSError and ssl.SSLError
    for a file that cannot be read or holds no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
        return context
    # load_default_certs() would follow the environment, so the compiled-in places are loaded by name.
    places = ssl.get_default_verify_paths()
    cafile = places.openssl_cafile if Path(places.openssl_cafile).is_file() else None
    capath = places.openssl_capath if Path(places.openssl_capath).is_dir() else None
    if cafile is None and capath is None:
        raise TrustMissing(
            "The operating system offers no certificate authorities to Python: set TENANTKEEP_CA_FILE to a PEM bundle."
        )
    context.load_verify_locations(cafile=cafile, capath=capath)
    return context


def server_context(cert_file: Path, key_file: Path) -> ssl.SSLContext:
    """Present `cert_file` with `key_file` (PEM); raises OSError or ssl.SSLError when they do not fit."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certfile=cert_file, keyfile=key_file)
    return context


def system_ca_file() -> Path:
    """Name the operating system's bundle, for libraries that take a path; raises TrustMissing without one."""
    bundle = Path(ssl.get_default_verify_paths().openssl_cafile)
    if not bundle.is_file():
        raise TrustMissing(
            "The operating system has no single bundle of authorities: set TENANTKEEP_CA_FILE to a PEM bundle."
        )
    return bundle
