"""One round: both sides do every step at one target, in turn, in the same minutes."""

import mmap
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine_bench.contestants import BACKUPS, STEPS, Bench, Contestant, Ours, Theirs
from engine_bench.corpora import Corpus
from engine_bench.targets import LocalTarget, S3Target, Target

from backup_engine.testing.seaweed import SeaweedServer

_MEMORY = 1.5
"""Times the bytes of the tree: more than a step takes, the page cache of what it writes included."""

Round = dict[str, Any]
"""{target, steps: {step: {side: what it took}}, sizes: {side: bytes}, load: [before, after]}"""


@contextmanager
def open_target(name: str, folder: Path) -> Iterator[Target]:
    if name == "local":
        yield LocalTarget(folder / "objects")
        return
    with SeaweedServer(folder / "seaweed") as server:
        yield S3Target(server)


def run_round(
    name: str,
    number: int,
    corpus: Corpus,
    *,
    folder: Path,
    emptied: Path,
    binary: Path,
    mailboxes: int,
    environment: Mapping[str, str],
) -> Round:
    """`folder` is made and removed; in `emptied` the names of what was restored stay.

    With `mailboxes` above 1 every top folder of mails is a mailbox and a job.
    """
    load = os.getloadavg()[0]
    tree = folder / "tree"
    folder.mkdir(parents=True)
    corpus.link(tree)
    try:
        with open_target(name, folder) as target:
            sides = _sides(target, folder, emptied, binary, mailboxes=mailboxes, environment=environment)
            for side in sides:
                side.prepare()
            steps: dict[str, dict[str, Any]] = {}
            for n, step in enumerate(STEPS):
                if step == "changed":
                    corpus.change(tree)
                # Who goes first changes from step to step and from round to round.
                turns = sides if (n + number) % 2 else sides[::-1]
                steps[step] = {side.name: _turn(side, step, target, corpus, tree) for side in turns}
            sizes = dict(zip([side.name for side in sides], target.sizes(), strict=True))
    finally:
        shutil.rmtree(folder)
    return {"target": name, "steps": steps, "sizes": sizes, "load": [load, os.getloadavg()[0]]}


def _sides(
    target: Target, folder: Path, emptied: Path, binary: Path, *, mailboxes: int, environment: Mapping[str, str]
) -> list[Contestant]:
    tree = folder / "tree"
    item = sorted(tree.glob("mbox-*/**/*.eml"))[7]
    names = ("tree",) if mailboxes == 1 else tuple(sorted(path.name for path in tree.glob("mbox-*")))
    benches = []
    for name in ("tenantkeep", "restic"):
        (folder / name).mkdir()
        benches.append(Bench(tree, folder / name, item.relative_to(tree).as_posix(), environment, emptied))
    return [
        Ours(benches[0], target.place(), names),
        Theirs(benches[1], target.restic(binary, folder / "restic" / "cache")),
    ]


def _turn(side: Contestant, step: str, target: Target, corpus: Corpus, tree: Path) -> dict[str, Any]:
    """One side, one step.

    Both find the tree in the page cache, memory at hand, and no writes of others waiting for the disk.
    """
    if step in BACKUPS:
        for path in tree.rglob("*"):
            if path.is_file():
                path.read_bytes()
    os.sync()
    _use_memory(int(corpus.facts["bytes"] * _MEMORY))
    before = target.requests()
    taken = side.run(step)
    after = target.requests()
    side.check(step)
    counted = None if before is None or after is None else dict(Counter(after) - Counter(before))
    return {**asdict(taken), "requests": counted}


def _use_memory(size: int) -> None:
    """Take so many bytes and give them back.

    What a virtual machine has never used, or has given back to its host, costs up to 3 s per GB when it is used: a
    restore of 1.5 GB paid for that, or found what the other side had just left, as it happened to be its turn.
    """
    with mmap.mmap(-1, size) as memory:
        memory[:: mmap.PAGESIZE] = bytes(-(-size // mmap.PAGESIZE))
