"""How a bucket is reached: in the path, in the host name, through a proxy."""

import base64
import hashlib

import pytest
from minio.credentials import Credentials
from minio.error import S3Error

from backup_engine import AlreadyExists, StorageDenied, StorageUnreachable
from backup_engine.storage import AddressStyle, S3Storage
from backup_engine.storage.s3_http import CHECKSUM, MD5, Client
from backup_engine.testing.seaweed import BUCKET, DOMAIN, SeaweedServer
from backup_engine.testing.tunnel import Tunnel


def through(tunnel: Tunnel, seaweed: SeaweedServer, host: str, style: AddressStyle) -> S3Storage:
    access_key, secret_key = seaweed.credentials("contoso")
    return S3Storage(
        f"{host}:{seaweed.endpoint.rpartition(':')[2]}", BUCKET, access_key, secret_key,
        ca_file=seaweed.ca_file, proxy=tunnel.url, style=style, prefix="contoso/addresses",
    )  # fmt: skip


@pytest.fixture
def address(seaweed: SeaweedServer) -> tuple[str, int]:
    host, _, port = seaweed.endpoint.partition(":")
    return host, int(port)


@pytest.mark.parametrize(
    ("style", "host", "asked"),
    [
        (AddressStyle.VIRTUAL_HOST, DOMAIN, f"{BUCKET}.{DOMAIN}"),
        (AddressStyle.PATH, "localhost", "localhost"),
        (AddressStyle.AUTO, "localhost", "localhost"),
    ],
)
def test_the_buckets_name_stands_where_it_is_told_to(
    seaweed: SeaweedServer, address: tuple[str, int], style: AddressStyle, host: str, asked: str
) -> None:
    with Tunnel(address) as tunnel:
        storage = through(tunnel, seaweed, host, style)
        storage.put(f"{style}/a", b"1234")
        with pytest.raises(AlreadyExists):
            storage.put(f"{style}/a", b"5678")
        assert storage.get(f"{style}/a", 1, 2) == b"23"
        assert [info.key for info in storage.list(f"{style}/")] == [f"{style}/a"]
        storage.delete(f"{style}/a")
        storage.close()
    assert {host.partition(":")[0] for host in tunnel.hosts} == {asked}


def test_a_proxy_that_is_not_there_is_worth_another_try(seaweed: SeaweedServer, address: tuple[str, int]) -> None:
    with Tunnel(address) as tunnel:
        pass
    storage = through(tunnel, seaweed, "localhost", AddressStyle.PATH)
    with pytest.raises(StorageUnreachable):
        storage.get("k")
    storage.close()


def test_an_address_that_cannot_be_right_needs_a_person(seaweed: SeaweedServer) -> None:
    access_key, secret_key = seaweed.credentials("contoso")
    with pytest.raises(StorageDenied, match="not a usable S3 target"):
        S3Storage("no port:x", BUCKET, access_key, secret_key, ca_file=seaweed.ca_file)


def test_what_does_not_arrive_as_it_was_sent_is_refused(seaweed: SeaweedServer) -> None:
    storage = seaweed.storage("contoso", "contoso/altered")
    other = base64.b64encode(hashlib.sha256(b"something else").digest()).decode()
    with pytest.raises(S3Error, match="BadDigest"):
        storage._client._put_object(BUCKET, "contoso/altered/k", b"body", {CHECKSUM: other})
    assert list(storage.list("")) == []
    storage.close()


@pytest.mark.parametrize("body", [b"", b"body"])
@pytest.mark.parametrize("md5", [{}, {MD5: "given"}])
def test_a_put_is_signed_with_its_checksum_instead_of_an_md5_of_its_own(body: bytes, md5: dict[str, str]) -> None:
    client = Client("s3.example", access_key="a", secret_key="b", region="us-east-1")
    digest = hashlib.sha256(body)
    headers = {CHECKSUM: base64.b64encode(digest.digest()).decode(), **md5}
    built, _ = client._build_headers("s3.example", headers, body, Credentials("a", "b"))
    assert built["x-amz-content-sha256"] == digest.hexdigest()
    assert built.get(MD5) == md5.get(MD5)
