"""TLS trust comes from the given file and from nowhere else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backup_engine import StorageDenied, StorageUnreachable
from backup_engine.storage import S3Storage
from backup_engine.testing.seaweed import SeaweedServer, write_certificates

PROBE = """
import sys
from backup_engine.storage import S3Storage, probe
endpoint, access_key, secret_key, ca_file = sys.argv[1:]
report = probe(S3Storage(endpoint, "tenantkeep", access_key, secret_key, ca_file=ca_file, prefix="contoso"))
sys.exit(0 if report.ok else str(report))
"""
HOSTILE = (
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_CA_BUNDLE",
)  # fmt: skip
HOSTILE_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """The certificate of an authority that has nothing to do with the server."""
    write_certificates(tmp_path)
    return tmp_path / "ca.pem"


def test_a_hostile_environment_does_not_matter(seaweed: SeaweedServer, stranger: Path) -> None:
    environment = {
        **os.environ,  # noqa: TID251 - the environment is what is tested
        **dict.fromkeys(HOSTILE, str(stranger)),
        **dict.fromkeys(HOSTILE_PROXIES, "http://127.0.0.1:9"),
        "AWS_ACCESS_KEY_ID": "wrong",
        "AWS_SECRET_ACCESS_KEY": "wrong",
        "AWS_REGION": "nowhere-1",
    }
    keys = seaweed._keys["contoso"]
    command = [sys.executable, "-c", PROBE, seaweed.endpoint, *keys, str(seaweed.ca_file)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_server_of_another_authority_is_refused(seaweed: SeaweedServer, stranger: Path) -> None:
    storage = S3Storage(seaweed.endpoint, "tenantkeep", *seaweed._keys["contoso"], ca_file=stranger)
    with pytest.raises(StorageUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
        storage.get("contoso/x")
    storage.close()


def test_a_proxy_is_used_only_when_it_is_given(seaweed: SeaweedServer) -> None:
    storage = S3Storage(
        seaweed.endpoint,
        "tenantkeep",
        *seaweed._keys["contoso"],
        ca_file=seaweed.ca_file,
        proxy="http://127.0.0.1:9",
    )
    with pytest.raises(StorageUnreachable, match="proxy"):
        storage.get("contoso/x")
    storage.close()


@pytest.mark.parametrize(
    ("endpoint", "bucket", "ca_file"),
    [
        ("https://host/path", "bucket", None),
        ("host:99999999", "bucket", None),
        ("host:443", "B!", None),
        ("host:443", "bucket", "/nonexistent/ca.pem"),
        ("host:443", "bucket", __file__),
    ],
)
def test_a_target_that_cannot_be_right_is_refused_at_once(endpoint: str, bucket: str, ca_file: str | None) -> None:
    with pytest.raises(StorageDenied):
        S3Storage(endpoint, bucket, "a", "b", ca_file=ca_file)


def test_without_a_file_the_systems_store_is_asked_not_the_environment(
    seaweed: SeaweedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(seaweed.ca_file))
    storage = S3Storage(seaweed.endpoint, "tenantkeep", *seaweed._keys["contoso"])
    with pytest.raises(StorageUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
        storage.get("contoso/x")
    storage.close()
