"""Corpora on disk: made once per set of arguments, then linked for every round."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graph_simulator.seed.mbox import split

HELD_EVERY = 167  # of real mail 0.6 % is kept back, to arrive later
CHANGED = 0.01


@dataclass(frozen=True)
class Corpus:
    """`tree` is never written to: a round works on links to its files."""

    tree: Path
    seed: int
    held: Path | None
    facts: dict[str, Any]

    def link(self, target: Path) -> None:
        shutil.copytree(self.tree, target, copy_function=os.link)

    def change(self, linked: Path) -> None:
        held = ["--held", str(self.held)] if self.held else []
        _run_generator(str(linked), "--seed", str(self.seed), "--change", str(CHANGED), *held)


def generated(folder: Path, *, mails: int, seed: int, large_mb: int) -> Corpus:
    """The synthetic corpus, from the cache when it is there."""
    place = folder / f"mails-{mails}-seed-{seed}-drive-{large_mb}"
    if not (place / "facts.json").exists():
        shutil.rmtree(place, ignore_errors=True)
        arguments = ["--mails", str(mails), "--seed", str(seed), "--large-mb", str(large_mb)]
        _run_generator(str(place / "tree"), *arguments)
        _describe(place, {"kind": "generated", "seed": seed})
    return Corpus(place / "tree", seed, None, json.loads((place / "facts.json").read_text()))


def imported(folder: Path, mbox: Path, *, seed: int) -> Corpus:
    """Real mail from an mboxrd file, in one inbox; never cached, because files change."""
    place = folder / "imported"
    shutil.rmtree(place, ignore_errors=True)
    held, inbox = place / "held", place / "tree" / "mbox-000" / "Inbox"
    held.mkdir(parents=True)
    inbox.mkdir(parents=True)
    with mbox.open("rb") as stream:
        for number, entry in enumerate(split(stream)):
            target = held if number % HELD_EVERY == HELD_EVERY - 1 else inbox
            (target / f"{number:08d}.eml").write_bytes(entry.raw)
    _describe(place, {"kind": "mbox"})
    return Corpus(place / "tree", seed, held, json.loads((place / "facts.json").read_text()))


def _run_generator(*arguments: str) -> None:
    """As a process, so that the pools of the generator are not in the memory of whoever measures."""
    subprocess.run([sys.executable, "-m", "engine_bench.corpus", *arguments], check=True, stdout=subprocess.DEVNULL)


def _describe(place: Path, facts: dict[str, Any]) -> None:
    sizes = sorted(path.stat().st_size for path in place.glob("tree/mbox-*/**/*.eml"))
    drive = sum(path.stat().st_size for path in place.glob("tree/drive/*"))
    facts |= {
        "mails": len(sizes),
        "mail_bytes": sum(sizes),
        "mail_median": sizes[len(sizes) // 2],
        "mail_p99": sizes[int(len(sizes) * 0.99)],
        "drive_bytes": drive,
        "bytes": sum(sizes) + drive,
    }
    (place / "facts.json").write_text(json.dumps(facts))
