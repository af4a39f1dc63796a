"""A real S3 server (SeaweedFS, `weed mini`) on loopback over TLS, for tests.

One bucket; the operator may do everything, each tenant only what lies below its own prefix.
"""

import http.client
import ipaddress
import json
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from minio import Minio

from backup_engine.errors import StorageError
from backup_engine.storage.base import LockMode
from backup_engine.storage.s3 import S3Storage
from backup_engine.storage.s3_http import pool, trust

BUCKET = "tenantkeep"
LOCK_BUCKET = "tenantkeep-locked"  # created with object lock
OPERATOR = "operator"
_PORTS = (
    "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
    "s3.port", "s3.port.grpc", "admin.port", "admin.port.grpc", "metricsPort",
)  # fmt: skip
_REQUESTS = re.compile(r'^SeaweedFS_s3_request_total\{.*type="(\w+)"\} (\d+)$', re.MULTILINE)
DOMAIN = "s3.test"  # buckets are also reached as <bucket>.s3.test, over a proxy that knows where that is
_FLAGS = (
    f"-s3.domainName={DOMAIN}",
    "-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=8",
    "-volume.preStopSeconds=0", "-master.telemetry=false", "-disableHttp=true", "-s3.allowDeleteBucketNotEmpty=false",
)  # fmt: skip
_ACTIONS = (
    "Read", "Write", "List", "GetObjectRetention", "PutObjectRetention", "GetObjectLegalHold", "PutObjectLegalHold",
)  # fmt: skip
_READY_WITHIN = 30.0  # seconds
_STOP_WITHIN = 8.0  # seconds; then it is killed, which SeaweedFS survives
_POLL = 0.1  # seconds


class SeaweedServer:
    """Use as a context manager; everything it writes lies below `folder`."""

    def __init__(self, folder: Path, tenants: tuple[str, ...] = ("contoso", "fabrikam")) -> None:
        self._folder = folder
        self._keys = {name: (name, secrets.token_hex(20)) for name in (OPERATOR, *tenants)}
        self.ca_file = folder / "ca.pem"
        self.log = folder / "weed.log"
        self.endpoint = ""
        self._metrics = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._open = ExitStack()

    def storage(self, identity: str, prefix: str = "", *, lock: LockMode | None = None) -> S3Storage:
        """The bucket as one identity sees it; with `lock` the one that was created with object lock."""
        access_key, secret_key = self.credentials(identity)
        bucket = LOCK_BUCKET if lock else BUCKET
        return S3Storage(self.endpoint, bucket, access_key, secret_key, ca_file=self.ca_file, prefix=prefix, lock=lock)

    def client(self, identity: str) -> Minio:
        """minio-py as one identity may use it: what somebody with these credentials can do besides our port."""
        access_key, secret_key = self.credentials(identity)
        http = pool(trust(self.ca_file), None, 4)
        return Minio(self.endpoint, access_key, secret_key, region="us-east-1", http_client=http)

    def credentials(self, identity: str) -> tuple[str, str]:
        """Access key and secret key, for programs that are not ours."""
        return self._keys[identity]

    def requests(self) -> Counter[str]:
        """What the server has answered so far, by S3 operation, whoever asked."""
        connection = http.client.HTTPConnection(self._metrics, timeout=_READY_WITHIN)
        try:
            connection.request("GET", "/metrics")
            found = _REQUESTS.findall(connection.getresponse().read().decode())
        finally:
            connection.close()
        total: Counter[str] = Counter()
        for operation, count in found:
            total[operation.lower()] += int(count)
        return total

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "data").mkdir(exist_ok=True)
        write_certificates(self._folder)
        self._write_identities()
        ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        self.endpoint = f"127.0.0.1:{ports['s3.port']}"
        self._metrics = f"127.0.0.1:{ports['metricsPort']}"
        log = self._open.enter_context(self.log.open("wb"))
        command = [*_die_with_parent(), _weed(), *self._arguments(ports)]
        self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)  # noqa: S603 - our own server
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._open.close()

    def _arguments(self, ports: dict[str, int]) -> list[str]:
        return [
            "mini",
            f"-dir={self._folder / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            *(f"-{flag}={port}" for flag, port in ports.items()),
            *_FLAGS,
            f"-s3.config={self._folder / 's3.json'}",
            f"-s3.cert.file={self._folder / 'server.pem'}",
            f"-s3.key.file={self._folder / 'server.key'}",
            f"-bucket={BUCKET}",
        ]

    def _write_identities(self) -> None:
        identities = []
        for name, (access_key, secret_key) in self._keys.items():
            scopes = [""] if name == OPERATOR else [f":{bucket}/{name}/*" for bucket in (BUCKET, LOCK_BUCKET)]
            actions = [f"{action}{scope}" for action in _ACTIONS for scope in scopes]
            identities.append(
                {
                    "name": name,
                    "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
                    "actions": ["Admin", *actions] if name == OPERATOR else actions,
                }
            )
        path = self._folder / "s3.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"identities": identities}))

    def _wait_until_ready(self) -> None:
        storage = self.storage(OPERATOR)
        pause = threading.Event()
        last: StorageError | None = None
        for _ in range(int(_READY_WITHIN / _POLL)):
            assert self._process is not None
            if self._process.poll() is not None:
                break
            try:
                list(storage.list("ready/"))
            except StorageError as error:
                last = error
                pause.wait(_POLL)
            else:
                storage.close()
                self.client(OPERATOR).make_bucket(LOCK_BUCKET, object_lock=True)
                return
        tail = self.log.read_text(errors="replace")[-2000:]
        message = f"weed is not ready: {last}; the end of {self.log}:\n{tail}"
        raise RuntimeError(message)


def write_certificates(folder: Path) -> None:
    """A fresh authority (ca.pem) and a certificate of 127.0.0.1 and localhost (server.pem, server.key)."""
    ca_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tenantkeep test authority")])
    ca = (
        _certificate(ca_name, ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    addresses = [
        x509.DNSName("localhost"),
        x509.DNSName(f"*.{DOMAIN}"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    server = (
        _certificate(name, ca_name, server_key)
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    (folder / "server.pem").write_bytes(server.public_bytes(pem))
    (folder / "server.key").touch(mode=0o600)
    (folder / "server.key").write_bytes(
        server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=sign, crl_sign=sign, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _free_ports(count: int) -> list[int]:
    """Ports free at this moment, all different."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _weed() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise RuntimeError("weed is not installed: run make setup")
    return found


def _die_with_parent() -> list[str]:
    """A test run that is killed leaves no server behind (Linux)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
