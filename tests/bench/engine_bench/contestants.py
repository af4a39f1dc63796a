"""The two sides, behind one door: a step in, what it took out."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from engine_bench import measure
from engine_bench.restic import Restic

from backup_engine.exporting import MANIFEST

BACKUPS = ("first", "unchanged", "changed")
STEPS = (*BACKUPS, "restore_all", "restore_one", "verify")


@dataclass(frozen=True)
class Taken:
    """Seconds and bytes. `start` is what came before the step and a running worker has behind it: Python, imports."""

    wall: float
    cpu: float
    memory: int
    start: float = 0.0
    start_cpu: float = 0.0
    more: Mapping[str, Any] = field(default_factory=dict)


class Contestant(Protocol):
    name: str

    def prepare(self) -> None:
        """Make the repository; not measured."""

    def run(self, step: str) -> Taken: ...

    def check(self, step: str) -> None:
        """Compare what was restored with the tree, byte for byte, and give its space back."""


@dataclass(frozen=True)
class Bench:
    """What both sides share in a round."""

    tree: Path
    folder: Path  # of this round and side
    item: str  # the mail restore_one asks for, as a path in the tree
    environment: Mapping[str, str]
    emptied: Path

    def put_away(self, restored: Path) -> None:
        """Give back the space of what was restored, and leave its files there, empty, until all rounds are over.

        Whoever makes a file on ext4 looks past each inode that was deleted in the last minutes: after 20,000 of them a
        restore takes up to four times its CPU time, and which side pays is chance.
        """
        for path in restored.rglob("*"):
            if path.is_file():
                os.truncate(path, 0)
        restored.rename(self.emptied / f"{len(list(self.emptied.iterdir()))}")

    def measured(self, command: list[str], extra: Mapping[str, str]) -> tuple[dict[str, Any], Path]:
        """What the command took, and its standard output. Raises RuntimeError when it fails."""
        result, log = self.folder / "taken.json", self.folder / "output"
        launcher = [sys.executable, "-I", "-S", measure.__file__, str(result), str(log), *command]
        subprocess.run(launcher, env={**self.environment, **extra}, check=True)
        taken = json.loads(result.read_text())
        if taken["exit_code"]:
            errors = Path(f"{log}.errors").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{' '.join(command[:4])} … ended with {taken['exit_code']}: {errors}")
        return taken, log


class Ours:
    name = "tenantkeep"

    def __init__(self, bench: Bench, place: Mapping[str, Any], mailboxes: tuple[str, ...]) -> None:
        self._bench = bench
        self._restored = bench.folder / "restored"
        self._place = bench.folder / "place.json"
        where = {"tree": str(bench.tree), "state": str(bench.folder / "state"), "mailboxes": mailboxes}
        self._place.touch(mode=0o600)
        self._place.write_text(json.dumps({**where, **place}))

    def prepare(self) -> None:
        self._step("init")

    def run(self, step: str) -> Taken:
        if step in BACKUPS:
            return self._step("backup")
        if step == "restore_one":
            return self._step(step, "--item", self._bench.item, "--into", str(self._restored))
        return self._step(step, *(["--into", str(self._restored)] if step == "restore_all" else []))

    def _step(self, step: str, *arguments: str) -> Taken:
        result = self._bench.folder / "result.json"
        command = [sys.executable, "-m", "engine_bench.worker", step, str(self._place), str(result), *arguments]
        taken, _ = self._bench.measured(command, {})
        inside = json.loads(result.read_text())
        wall, cpu = inside.pop("wall"), inside.pop("cpu")
        return Taken(wall, cpu, taken["memory"], taken["wall"] - wall, taken["cpu"] - cpu, inside)

    def check(self, step: str) -> None:
        if step == "restore_all":
            compare(self._bench.tree, self._restored)
            self._bench.put_away(self._restored)
        elif step == "restore_one":
            assert self._restored.read_bytes() == (self._bench.tree / self._bench.item).read_bytes(), "not as stored"
            self._restored.unlink()


class Theirs:
    name = "restic"

    def __init__(self, bench: Bench, restic: Restic) -> None:
        self._bench = bench
        self._restic = restic
        self._restored = bench.folder / "restored"
        tree = str(bench.tree)
        self._commands = {
            **dict.fromkeys(BACKUPS, ("backup", "--quiet", tree)),
            "restore_all": ("restore", "latest", "--quiet", "--target", str(self._restored)),
            "restore_one": ("dump", "latest", f"{tree}/{bench.item}"),
            "verify": ("check", "--read-data"),
        }

    def prepare(self) -> None:
        self._bench.measured(self._restic.command("init"), self._restic.environment)

    def run(self, step: str) -> Taken:
        command = self._restic.command(*self._commands[step])
        taken, output = self._bench.measured(command, self._restic.environment)
        if step == "restore_one":
            shutil.move(output, self._restored)
        return Taken(taken["wall"], taken["cpu"], taken["memory"])

    def check(self, step: str) -> None:
        if step == "restore_all":
            compare(self._bench.tree, self._restored / self._bench.tree.relative_to("/"))
            self._bench.put_away(self._restored)
        elif step == "restore_one":
            assert self._restored.read_bytes() == (self._bench.tree / self._bench.item).read_bytes(), "not as stored"
            self._restored.unlink()


def compare(tree: Path, restored: Path) -> None:
    """Every folder got back the bytes of each of its files, and nothing else. Raises AssertionError."""
    assert _contents(restored) == _contents(tree), f"{restored} is not what {tree} was"


def _contents(top: Path) -> Counter[tuple[str, str]]:
    """Folder and SHA-256 of every file; an export names its mails by subject."""
    return Counter(
        (path.parent.relative_to(top).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in top.rglob("*")
        if path.is_file() and path.name != MANIFEST
    )
