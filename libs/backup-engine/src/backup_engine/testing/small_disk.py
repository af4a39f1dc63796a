"""A file system that is quickly full, for tests of what happens then."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

_SIZE = 4 << 20  # bytes
_LARGEST_TO_FILL = 512 << 20  # bytes; a container's /dev/shm usually has 64 MiB


class SmallDisk:
    """Use as a context manager; `folder` has about 4 MiB of room.

    Root mounts a tmpfs. Where mounting is forbidden, as in containers without CAP_SYS_ADMIN, a small /dev/shm is
    filled up to that point instead.
    """

    def __init__(self) -> None:
        self.folder = Path()
        self._mounted = False

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="tenantkeep-disk-"))
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=0711", "tmpfs", str(self.folder)]
        self._mounted = os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0  # noqa: S603 - fixed words
        if not self._mounted:
            self.folder.rmdir()
            self.folder = _filled_memory_disk()
        return self

    def __exit__(self, *_: object) -> None:
        if self._mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)  # noqa: S603, S607 - fixed words
        shutil.rmtree(self.folder)


def _filled_memory_disk() -> Path:
    free = shutil.disk_usage("/dev/shm").free if Path("/dev/shm").is_dir() else 0  # noqa: S108 - a file system is meant
    if not _SIZE <= free <= _LARGEST_TO_FILL:
        raise RuntimeError("no small disk: run the tests as root, or in a container with a small /dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="tenantkeep-disk-", dir="/dev/shm"))
    folder.chmod(0o711)
    with (folder / "filling").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - _SIZE)
    return folder
