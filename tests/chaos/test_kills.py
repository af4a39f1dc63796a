"""kill -9 and outages of every process at seeded moments: the restore points are those of an undisturbed run."""

import os
import random
from collections.abc import Iterator

import pytest
from drill import QUICK, Drill, Fault
from main_job import MainJob
from stack_fixture import running_stack

SEED = int(os.environ.get("TENANTKEEP_SEED", "20261122"))  # noqa: TID251 - a test reads its own seed

PROCESSES = ("nats", "documents", "vault", "objects", "simulator", "backup-planner", "backup-worker", "gateway")
SERVERS = ("nats", "documents", "objects", "simulator", "vault")

KILLS = tuple(Fault((name,)) for name in PROCESSES)
PAIRS = (
    Fault(("nats", "documents")),
    Fault(("nats", "backup-worker")),
    Fault(("documents", "backup-worker")),
    Fault(("objects", "backup-worker")),
    Fault(("documents", "backup-planner")),
    Fault(("vault", "token-service")),
    Fault(("nats", "gateway")),
)
AWAY = tuple(Fault((name,), away=12.0) for name in SERVERS)
WIPED = (Fault(("nats",), wiped=True),)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    folder = tmp_path_factory.mktemp("chaos")
    with running_stack(folder, extra=QUICK) as stack:
        job = MainJob(stack, folder)
        job.onboard("--generate", "240", "--mailboxes", "2", "--seed", "7")
        found = Drill(job)
        found.undisturbed()
        print(f"TENANTKEEP_SEED={SEED}")
        yield found
        print(f"\n{found.table()}")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", [Fault(("nats",)), Fault(("documents",))], ids=str)
def test_a_server_dies_in_mid_run(drill: Drill, fault: Fault) -> None:
    drill.disturb("quick-" + fault.of[0], fault, random.Random(f"{SEED} {fault}"))
    assert drill.dead_letters() == 0


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("number", "fault"), list(enumerate((*WIPED, *KILLS, *AWAY, *PAIRS))), ids=str)
def test_every_process_and_pairs_of_them_die_go_away_and_come_back(drill: Drill, number: int, fault: Fault) -> None:
    letters = 0 if fault.wiped else drill.dead_letters()
    drill.disturb(f"full-{number}", fault, random.Random(f"{SEED} {fault}"))
    assert drill.dead_letters() == letters
