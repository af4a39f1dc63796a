"""`s3://`, `sftp://` and `file://` addresses → the storage a repository lies in."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from backup_engine import names
from backup_engine.errors import NotFound, StorageDenied
from backup_engine.storage import LocalStorage, LockMode, RetryingStorage, S3Storage, SFTPLogin, SFTPStorage, Storage
from contracts.texts import Text
from tenantkeep.commands.errors import CommandError, usage
from tenantkeep.recover.access import Access

_LOOKED_AT = 1000  # objects, when looking for what might have been meant
_EXAMPLES = "s3://s3.example.com/bucket/prefix, sftp://user@sftp.example.com/srv/backup, file:///mnt/backup/prefix"
_SSH_PORT = 22
_HOME = "~/"  # sftp://user@host/~/folder is relative to where the account lands


def repository_at(access: Access, tenant: str) -> Storage:
    """The storage below the address, or below the tenant's own prefix there. Raises CommandError when it has none."""
    at = _opener(access)
    path = unquote(urlsplit(access.storage or "").path).strip("/")
    refused: StorageDenied | None = None
    # The tenant's own prefix first: its credentials may be refused everywhere else.
    for candidate in [f"{path}/{tenant}".lstrip("/"), path] if tenant else [path]:
        storage = RetryingStorage(at(candidate))
        try:
            if _is_repository(storage):
                return storage
        except StorageDenied as error:
            refused = error
    if refused is not None:
        raise refused
    raise CommandError(
        Text("There is no repository at this address.", "Unter dieser Adresse liegt kein Repository."),
        Text(
            "Give the storage target's endpoint, bucket and prefix as they were configured, then the tenant's name.",
            "Endpunkt, Bucket und Präfix des Speicherziels wie eingerichtet angeben, dann den Namen des Mandanten.",
        ),
        lines=_seen(at(path)),
        code="no-repository",
    )


def prepared_at(access: Access) -> Storage:
    """The storage at exactly this address, for writing: an SFTP folder is made ready when it is new."""
    storage = _opener(access)(unquote(urlsplit(access.storage or "").path).strip("/"))
    if isinstance(storage, SFTPStorage):
        storage.prepare()
    return RetryingStorage(storage)


def _opener(access: Access) -> Callable[[str], Storage]:
    if not access.storage:
        raise usage(
            f"Say where the repository lies: --storage, such as {_EXAMPLES}",
            f"Angeben, wo das Repository liegt: --storage, etwa {_EXAMPLES}",
        )
    url = urlsplit(access.storage)
    match url.scheme:
        case "s3":
            return _s3(access, url)
        case "sftp":
            return _sftp(access, url)
        case "file":
            return _file(url)
        case other:
            raise usage(
                f"{other or 'nothing'}:// is no storage; use {_EXAMPLES}",
                f"{other or 'nichts'}:// ist kein Speicher; möglich: {_EXAMPLES}",
            )


def _s3(access: Access, url: SplitResult) -> Callable[[str], Storage]:
    secret = access.secret_key or (None if access.secret_key_file is None else _secret(access.secret_key_file))
    if not url.netloc or not url.path.strip("/") or access.access_key is None or secret is None:
        raise usage(
            "An S3 storage needs s3://HOST/BUCKET/PREFIX, --access-key and --secret-key-file.",
            "Ein S3-Speicher braucht s3://HOST/BUCKET/PREFIX, --access-key und --secret-key-file.",
        )
    access_key, secret_key = access.access_key, secret

    def at(path: str) -> Storage:
        bucket, _, prefix = path.partition("/")
        return S3Storage(
            url.netloc,
            bucket,
            access_key,
            secret_key,
            region=access.region,
            ca_file=access.ca_file,
            prefix=prefix,
            lock=None if access.lock is None else LockMode(access.lock.upper()),
        )

    return at


def _sftp(access: Access, url: SplitResult) -> Callable[[str], Storage]:
    if not url.hostname or not url.username or not access.host_keys:
        raise usage(
            "An SFTP storage needs sftp://USER@HOST[:PORT]/FOLDER, --host-key and --ssh-key-file or"
            " --ssh-password-file.",
            "Ein SFTP-Speicher braucht sftp://USER@HOST[:PORT]/ORDNER, --host-key und --ssh-key-file oder"
            " --ssh-password-file.",
        )
    files = (access.ssh_key_file, access.ssh_passphrase_file, access.ssh_password_file)
    private_key, passphrase, password = (None if file is None else _secret(file) for file in files)
    login = SFTPLogin(
        host=url.hostname,
        port=url.port or _SSH_PORT,
        user=unquote(url.username),
        host_keys=access.host_keys,
        private_key=private_key,
        passphrase=passphrase,
        password=password,
    )

    def at(path: str) -> Storage:
        return SFTPStorage(login, path.removeprefix(_HOME) if path.startswith(_HOME) else f"/{path}")

    return at


def _file(url: SplitResult) -> Callable[[str], Storage]:
    root = Path("/")
    if url.netloc:
        raise usage(
            f"A folder is written file:///{url.netloc}{url.path}, with three slashes.",
            f"Ein Ordner wird file:///{url.netloc}{url.path} geschrieben, mit drei Schrägstrichen.",
        )
    return lambda path: LocalStorage(root / path)


def _secret(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise usage(f"{file} cannot be read.", f"{file} ist nicht lesbar.") from error


def _is_repository(storage: Storage) -> bool:
    try:
        storage.get(names.CONFIG, 0, 1)
    except NotFound:
        return False
    return True


def _seen(storage: Storage) -> tuple[str, ...]:
    """What lies there instead, by first part of the name."""
    try:
        found = {info.key.partition("/")[0] for info in islice(storage.list(""), _LOOKED_AT)}
    except (NotFound, StorageDenied):
        return ()
    return tuple(sorted(found)[:10])
