"""HTTPS inside the stack: trust one PEM file, take nothing from the environment."""

import ssl
from pathlib import Path

import httpx

_TIMEOUT = 5.0


def context(ca: Path) -> ssl.SSLContext:
    """A client context that trusts `ca` alone; SSL_CERT_FILE and the system's store play no part."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_verify_locations(cafile=str(ca))
    return made


def client(ca: Path, *, timeout: float = _TIMEOUT) -> httpx.AsyncClient:
    """An HTTP client for 127.0.0.1: no proxy, no .netrc, no CA variable."""
    return httpx.AsyncClient(verify=context(ca), trust_env=False, timeout=timeout)
