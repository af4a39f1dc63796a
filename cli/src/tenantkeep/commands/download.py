"""Exports on this side of the wire: to a ZIP file that is whole or absent, or unpacked into a folder."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from contracts.api import Download, ExportBody
from contracts.texts import Text
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.errors import CommandError, usage

_BLOCK = 1 << 20
_EVERYTHING = ExportBody()
_LIST = "manifest.jsonl"


def to_zip(
    gateway: Gateway,
    tenant: str,
    restore_point: str,
    target: Path,
    watch: Callable[[int], None],
    *,
    wanted: ExportBody = _EVERYTHING,
) -> int:
    """Stream the export into `target`, which appears only when it is complete. Returns its bytes.

    `watch` is told the length of each block.
    """
    refuse_existing(target)
    return _save(gateway, gateway.open_export(tenant, restore_point, wanted), target, watch, check=_check)


def to_file(gateway: Gateway, place: Download, target: Path) -> int:
    """Stream one item or attachment into `target`, which appears only when it is complete. Returns its bytes."""
    refuse_existing(target)
    return _save(gateway, place, target, lambda _: None, check=lambda _: None)


def _save(
    gateway: Gateway, place: Download, target: Path, watch: Callable[[int], None], *, check: Callable[[Path], None]
) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    size = 0
    try:
        with part.open("xb") as file, gateway.download(place) as blocks:
            for block in blocks:
                file.write(block)
                size += len(block)
                watch(len(block))
        check(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return size


def to_folder(
    gateway: Gateway,
    tenant: str,
    restore_point: str,
    target: Path,
    watch: Callable[[int], None],
    *,
    wanted: ExportBody = _EVERYTHING,
) -> int:
    """Unpack the export into the new or empty folder `target`. Returns the number of files."""
    refuse_existing(target)
    target.mkdir(parents=True, exist_ok=True)
    archive = target / ".export.zip"
    to_zip(gateway, tenant, restore_point, archive, watch, wanted=wanted)
    try:
        return unpack(archive, target)
    finally:
        archive.unlink()


def refuse_existing(target: Path) -> None:
    """Never overwrite: an export may be the last copy of something."""
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists():
        raise usage(f"{target} exists already.", f"{target} gibt es schon.")


def unpack(archive: Path, target: Path) -> int:
    """Extract every file; a name that leads out of `target` is refused (Zip-Slip)."""
    count = 0
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            name = PurePosixPath(entry.filename)
            if name.is_absolute() or ".." in name.parts or "\\" in entry.filename:
                raise _damaged(f"{entry.filename!r}")
            place = target.joinpath(*name.parts)
            if entry.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(entry) as source, place.open("xb") as file:
                while block := source.read(_BLOCK):
                    file.write(block)
            count += 1
    return count


def _check(archive: Path) -> None:
    """The central directory is written last, so a cut-off download has none."""
    if not zipfile.is_zipfile(archive):
        raise _damaged("no central directory")


def holds_nothing(place: Path) -> bool:
    """Say whether an export, a ZIP file or a folder, holds no more than the list of what is in it."""
    if place.is_dir():
        return [found.name for found in place.iterdir()] == [_LIST]
    with zipfile.ZipFile(place) as opened:
        return opened.namelist() == [_LIST]


def _damaged(why: str) -> CommandError:
    return CommandError(
        Text(f"The export is damaged ({why}).", f"Der Export ist beschädigt ({why})."),
        Text(
            "Run the export again; the worker's log has the reason: tenantkeep status",
            "Export wiederholen; den Grund nennt das Protokoll des Workers: tenantkeep status",
        ),
        code="export-damaged",
    )
