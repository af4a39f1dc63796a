"""Objects in an S3 bucket, over minio-py.

The HTTP pool is ours: trust comes from one file, nothing from the environment (no proxy, no CA variable),
TLS 1.2 or better. It does not retry: wrap it in RetryingStorage.
"""

import base64
import hashlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, S3Error, ServerError
from minio.helpers import check_bucket_name

from backup_engine.errors import AlreadyExists, NotFound, StorageDenied, StorageError, StorageUnreachable
from backup_engine.storage.base import ObjectInfo, check_key, check_range

_CONNECT_TIMEOUT = 10.0  # seconds
_READ_TIMEOUT = 120.0  # seconds without a byte
_DENIED = {
    "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket", "AllAccessDisabled",
    "AccountProblem", "ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed", "PermanentRedirect",
    "InvalidBucketName", "MethodNotAllowed", "NotImplemented",
}  # fmt: skip


class Secret(Protocol):
    """What pydantic's SecretStr offers; a plain str is accepted as well."""

    def get_secret_value(self) -> str: ...


class S3Storage:
    """One bucket, optionally one prefix of it; `close` releases the connections.

    `endpoint` is host:port; `ca_file` is a PEM bundle, None means the system's own store. Raises StorageDenied
    for an address, bucket name or CA file that cannot be right.
    """

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        access_key: str,
        secret_key: str | Secret,
        *,
        region: str = "us-east-1",
        ca_file: Path | str | None = None,
        prefix: str = "",
        secure: bool = True,
        proxy: str | None = None,
        connections: int = 16,
    ) -> None:
        self._bucket = bucket
        self._prefix = check_key(prefix.strip("/")) + "/" if prefix else ""
        self._http = _pool(_trust(ca_file), proxy, connections)
        try:
            check_bucket_name(bucket, strict=True)
            self._client = Minio(
                endpoint,
                access_key=access_key,
                secret_key=secret_key if isinstance(secret_key, str) else secret_key.get_secret_value(),
                secure=secure,
                region=region,  # without it minio-py asks the server first
                http_client=self._http,
            )
        except ValueError as error:
            raise StorageDenied(f"not a usable S3 target: {error}") from error

    def put(self, key: str, body: bytes) -> None:
        headers: dict[str, str | list[str] | tuple[str]] = {
            "If-None-Match": "*",
            "Content-Type": "application/octet-stream",
            # The server compares before it stores; Content-MD5 saves minio-py from hashing again.
            "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
            "Content-MD5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
        }
        with _mapped(key):
            # minio-py's public put_object knows no If-None-Match; pinned to 7.2.x, guarded by the storage suite.
            self._client._put_object(self._bucket, self._prefix + check_key(key), body, headers)  # noqa: SLF001 - above

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        check_range(offset, length)
        if length == 0:
            self._require(key)
            return b""
        with _mapped(key):
            try:
                response = self._client.get_object(
                    self._bucket, self._prefix + check_key(key), offset=offset, length=length or 0
                )
            except S3Error as error:
                if error.code != "InvalidRange":  # the range begins behind the object's end
                    raise
                return b""
            try:
                body: bytes = response.read()
            finally:
                response.close()
                response.release_conn()
            return body

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        strip = len(self._prefix)
        with _mapped(prefix):
            found = sorted(
                (entry.object_name[strip:], entry.size)
                for entry in self._client.list_objects(self._bucket, prefix=self._prefix + prefix, recursive=True)
                if not entry.is_dir
            )
        return (ObjectInfo(key, size) for key, size in found)

    def delete(self, key: str) -> None:
        with _mapped(key):
            self._client.remove_object(self._bucket, self._prefix + check_key(key))

    def close(self) -> None:
        self._http.clear()

    def _require(self, key: str) -> None:
        with _mapped(key):
            self._client.stat_object(self._bucket, self._prefix + check_key(key))


def _trust(ca_file: Path | str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=str(ca_file))
        except OSError as error:  # ssl.SSLError is one
            raise StorageDenied(f"the CA file {ca_file} cannot be used: {error}") from error
        return context
    # load_default_certs would obey SSL_CERT_FILE; these are the paths compiled into OpenSSL.
    paths = ssl.get_default_verify_paths()
    file, folder = Path(paths.openssl_cafile), Path(paths.openssl_capath)
    if not file.is_file() and not folder.is_dir():
        raise StorageDenied("the system has no certificate store: name a CA file")
    context.load_verify_locations(
        cafile=str(file) if file.is_file() else None, capath=str(folder) if folder.is_dir() else None
    )
    return context


def _pool(trust: ssl.SSLContext, proxy: str | None, connections: int) -> urllib3.PoolManager:
    options: dict[str, Any] = {
        "maxsize": connections,
        "block": True,
        "retries": urllib3.Retry(total=0),
        "timeout": urllib3.Timeout(connect=_CONNECT_TIMEOUT, read=_READ_TIMEOUT),
        "ssl_context": trust,
    }
    return urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)


@contextmanager
def _mapped(key: str) -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        raise _translated(error, key) from error
    except (ServerError, InvalidResponseError) as error:
        raise StorageUnreachable(f"{key}: the store answered unusably: {error}", key=key) from error
    except urllib3.exceptions.HTTPError as error:
        raise StorageUnreachable(f"{key}: {error}", key=key) from error


def _translated(error: S3Error, key: str) -> StorageError:
    text = f"{key}: {error.code}: {error.message}"
    if error.code in {"NoSuchKey", "NoSuchObject"}:
        return NotFound(f"{key} does not exist", key=key)
    if error.code == "PreconditionFailed":
        return AlreadyExists(f"{key} exists", key=key)
    if error.code in _DENIED:
        return StorageDenied(text, key=key)
    return StorageUnreachable(text, key=key)
