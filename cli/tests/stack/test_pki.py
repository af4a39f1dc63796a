import datetime as dt
import ssl

import pytest
from cryptography import x509

from tenantkeep.stack import pki, trust
from tenantkeep.stack.home import Home


def _handshake(home: Home, name: str, hostname: str) -> None:
    """Client and server in memory; raises what the client's verification raises."""
    certificate, key = home.certificate(name)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(certificate, key)
    client_context = trust.context(home.ca)
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=hostname)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert client.version() in {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize("hostname", ["127.0.0.1", "localhost"])
def test_a_server_certificate_passes_strict_verification(home: Home, hostname: str) -> None:
    pki.ensure(home, ("nats",))
    _handshake(home, "nats", hostname)


def test_another_name_is_refused(home: Home) -> None:
    pki.ensure(home, ("nats",))
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(home, "nats", "elsewhere.example")


def test_keys_are_private_and_certificates_stay(home: Home) -> None:
    pki.ensure(home, ("nats", "vault"))
    before = {path: path.read_bytes() for path in home.pki.iterdir()}
    assert {path.stat().st_mode & 0o777 for path in home.pki.glob("*.key")} == {0o600}
    pki.ensure(home, ("nats", "vault"))
    assert {path: path.read_bytes() for path in home.pki.iterdir()} == before


def test_a_certificate_that_ends_soon_is_renewed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pki, "_LEAF_LIFE", dt.timedelta(days=10))
    pki.ensure(home, ("nats",))
    monkeypatch.undo()
    pki.ensure(home, ("nats",))
    end = x509.load_pem_x509_certificate(home.certificate("nats")[0].read_bytes()).not_valid_after_utc
    assert end > dt.datetime.now(dt.UTC) + dt.timedelta(days=300)
    _handshake(home, "nats", "localhost")


def test_the_bundle_holds_both_authorities(home: Home) -> None:
    pki.ensure(home, ())
    (home.simulator / "ca.pem").write_bytes(home.ca.read_bytes())
    pki.write_bundle(home)
    assert len(x509.load_pem_x509_certificates(home.ca_bundle.read_bytes())) == 2
