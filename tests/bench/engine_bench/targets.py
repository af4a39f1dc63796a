"""Where both sides store: the same S3 server, or the same disk."""

from abc import abstractmethod
from collections import Counter
from pathlib import Path
from typing import Any, Protocol

from engine_bench.ours import TENANT
from engine_bench.restic import Restic

from backup_engine.testing.seaweed import BUCKET, OPERATOR, SeaweedServer

_THEIRS = "restic"


class Target(Protocol):
    """One place with room for a repository of each side."""

    @abstractmethod
    def place(self) -> dict[str, Any]:
        """Where our side stores, as fields of ours.Place."""

    @abstractmethod
    def restic(self, binary: Path, cache: Path) -> Restic: ...

    @abstractmethod
    def sizes(self) -> tuple[int, int]:
        """Bytes of all objects: ours, restic's."""

    @abstractmethod
    def requests(self) -> Counter[str] | None:
        """Answered so far; None where nobody counts."""


class LocalTarget:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self) -> dict[str, Any]:
        return {"local": str(self._folder / "ours")}

    def restic(self, binary: Path, cache: Path) -> Restic:
        return Restic(binary, str(self._folder / _THEIRS), cache)

    def sizes(self) -> tuple[int, int]:
        return _bytes_below(self._folder / "ours"), _bytes_below(self._folder / _THEIRS)

    def requests(self) -> Counter[str] | None:
        return None


class S3Target:
    def __init__(self, server: SeaweedServer) -> None:
        self._server = server

    def place(self) -> dict[str, Any]:
        access_key, secret_key = self._server.credentials(TENANT)
        keys = {"access_key": access_key, "secret_key": secret_key}
        return {"endpoint": self._server.endpoint, "bucket": BUCKET, "ca_file": str(self._server.ca_file), **keys}

    def restic(self, binary: Path, cache: Path) -> Restic:
        access_key, secret_key = self._server.credentials(OPERATOR)
        repository = f"s3:https://{self._server.endpoint}/{BUCKET}/{_THEIRS}"
        return Restic(binary, repository, cache, self._server.ca_file, access_key, secret_key)

    def sizes(self) -> tuple[int, int]:
        ours, theirs = (sum(found.size for found in self._listing(prefix)) for prefix in (TENANT, _THEIRS))
        return ours, theirs

    def _listing(self, prefix: str) -> Any:
        return self._server.storage(OPERATOR).list(f"{prefix}/")

    def requests(self) -> Counter[str] | None:
        return self._server.requests()


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
