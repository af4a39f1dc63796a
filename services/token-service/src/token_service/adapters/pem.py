"""Is a certificate, with its key if it has one, usable for signing in? Asked before Microsoft, who says a number."""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from token_service.domain.credential import ClientCertificate, VaultKey

_SMALLEST = 2048


def fault_of(credential: ClientCertificate | VaultKey, now: datetime) -> str | None:
    """Say what is wrong, quoting nothing of it; None when it is an RSA pair that is valid at `now`.

    A key in the vault fits its certificate, which was made there.
    """
    try:
        certificate = x509.load_pem_x509_certificate(credential.certificate.encode())
    except ValueError:
        return "the certificate is no PEM certificate"
    if isinstance(credential, ClientCertificate):
        unfit = _unfit(credential, certificate)
        if unfit is not None:
            return unfit
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return "the certificate has expired or is not valid yet"
    return None


def _unfit(credential: ClientCertificate, certificate: x509.Certificate) -> str | None:
    try:
        key = load_pem_private_key(credential.private_key.encode(), password=None)
    except (TypeError, ValueError):
        return "the private key is no PEM key, or it has a passphrase"
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < _SMALLEST:
        return f"the private key is not RSA with at least {_SMALLEST} bits"
    if certificate.public_key() != key.public_key():
        return "the private key does not belong to the certificate"
    return None
