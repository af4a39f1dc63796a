"""How S3 is reached: an HTTP pool whose trust, proxy and time-outs are ours, and what its failures mean."""

import base64
import hashlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, S3Error, ServerError
from minio.retention import Retention
from minio.xml import marshal

from backup_engine.errors import (
    AlreadyExists,
    NotFound,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageUnreachable,
)

CHECKSUM = "x-amz-checksum-sha256"
MD5 = "Content-MD5"
_BYPASS = "x-amz-bypass-governance-retention"
_CONNECT_TIMEOUT = 10.0  # seconds
_READ_TIMEOUT = 120.0  # seconds without a byte
MISSING = {"NoSuchKey", "NoSuchObject", "NoSuchVersion"}
_FULL = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "XMinioAdminBucketQuotaExceeded"}
_DENIED = {
    "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket", "AllAccessDisabled",
    "AccountProblem", "ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed", "PermanentRedirect",
    "InvalidBucketName", "MethodNotAllowed", "NotImplemented", "InvalidRequest", "InvalidBucketState",
    "RequestTimeTooSkewed", "ObjectLockConfigurationNotFoundError",
}  # fmt: skip


class Client(Minio):
    """minio-py that signs the SHA-256 a put carries anyway, instead of making an MD5 of every body (0.6 GB/s).

    So every store checks what arrives, by the signature if it does not know the checksum. Pinned to minio-py 7.2.x.
    """

    def _build_headers(
        self, host: str, headers: Any = None, body: bytes | None = None, creds: Any = None
    ) -> tuple[Any, datetime]:
        digest = headers and headers.get(CHECKSUM)
        if not digest:
            return super()._build_headers(host, headers, body, creds)
        given = headers.get(MD5)
        built, date = super()._build_headers(host, {**headers, MD5: given or "-"}, body, creds)
        if given is None:
            del built[MD5]
        built["x-amz-content-sha256"] = base64.b64decode(digest).hex()
        return built, date

    def bypass_object_retention(
        self, bucket_name: str, object_name: str, config: Retention, version_id: str | None = None
    ) -> None:
        """Like set_object_retention, with the right to bypass governance mode, which that does not make use of."""
        body = marshal(config)
        headers: dict[str, str | list[str] | tuple[str]] = {
            MD5: base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
            _BYPASS: "true",
        }
        query: dict[str, str | list[str] | tuple[str]] = {"retention": ""}
        if version_id is not None:
            query["versionId"] = version_id
        self._execute("PUT", bucket_name, object_name, body=body, headers=headers, query_params=query)


def trust(ca_file: Path | str | None) -> ssl.SSLContext:
    """TLS 1.2 or better; trusts one file, or the system's store wherever the environment points.

    Raises StorageDenied for a CA file that cannot be used.
    """
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


def pool(context: ssl.SSLContext, proxy: str | None, connections: int) -> urllib3.PoolManager:
    options: dict[str, Any] = {
        "maxsize": connections,
        "block": True,
        "retries": urllib3.Retry(total=0),
        "timeout": urllib3.Timeout(connect=_CONNECT_TIMEOUT, read=_READ_TIMEOUT),
        "ssl_context": context,
    }
    return urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)


@contextmanager
def mapped(key: str) -> Iterator[None]:
    """Failures become ours, about the caller's key."""
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
    if error.code in MISSING:
        return NotFound(f"{key} does not exist", key=key)
    if error.code == "PreconditionFailed":
        return AlreadyExists(f"{key} exists", key=key)
    for codes, kind in ((_DENIED, StorageDenied), (_FULL, StorageFull)):
        if error.code in codes:
            return kind(text, key=key)
    return StorageUnreachable(text, key=key)
