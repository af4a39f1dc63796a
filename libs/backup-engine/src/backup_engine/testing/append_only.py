"""The engine on an append-only SFTP account; as a pytest plugin (`-p`) it puts whole test suites there.

With `--storage append-only` the fixture `memory` of the engine's tests is an AppendOnlyAccount, with
`--storage append-only-memory` an AppendOnlyMemory, which is quick.
"""

from collections.abc import Iterator, Mapping, MutableMapping

import pytest

from backup_engine.errors import NotFound, ObjectLocked
from backup_engine.storage.memory import MemoryStorage
from backup_engine.storage.sftp import SFTPStorage
from backup_engine.testing.sftp import APPEND_ONLY, SFTPAddress

OPTION = "--storage"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(OPTION, choices=["memory", "append-only", "append-only-memory"], default="memory")


class Objects(MutableMapping[str, bytes]):
    """All objects, as the admin sees and changes them."""

    def __init__(self, admin: SFTPStorage) -> None:
        self._admin = admin

    def __getitem__(self, key: str) -> bytes:
        try:
            return self._admin.get(key)
        except NotFound as error:
            raise KeyError(key) from error

    def __contains__(self, key: object) -> bool:
        return self.get(str(key)) is not None

    def __setitem__(self, key: str, body: bytes) -> None:
        self._admin.delete(key)
        self._admin.put(key, body)

    def __delitem__(self, key: str) -> None:
        self._admin.delete(key)

    def __iter__(self) -> Iterator[str]:
        return (info.key for info in self._admin.list(""))

    def __len__(self) -> int:
        return sum(1 for _ in self)  # list(self) would ask for the length first


class AppendOnlyMemory(MemoryStorage):
    """Refuses to delete, as the account does; tests change its `objects`."""

    def delete(self, key: str) -> None:
        raise ObjectLocked(f"{key}: this account may not delete", key=key)


class AppendOnlyAccount(SFTPStorage):
    """Everything goes through the account that may only add; `objects` is for tests that look behind it."""

    def __init__(self, address: SFTPAddress, name: str) -> None:
        self._admin = address.storage(name)
        self.login, self.folder = address.login(APPEND_ONLY), f"{address.folder}/{name}"
        super().__init__(self.login, self.folder)

    @property
    def objects(self) -> Objects:
        return Objects(self._admin)

    @objects.setter
    def objects(self, wanted: Mapping[str, bytes]) -> None:
        for key in set(self.objects) - set(wanted):
            del self.objects[key]
        for key, body in wanted.items():
            if self.objects.get(key) != body:
                self.objects[key] = body

    def close(self) -> None:
        super().close()
        self._admin.close()
