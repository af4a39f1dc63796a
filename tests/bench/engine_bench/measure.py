"""Run one command and write what it took: wall and CPU seconds, peak memory in bytes, exit code.

    python -I -S measure.py RESULT.json LOG COMMAND...     (standard output into LOG, errors into LOG.errors)

A program of its own because Linux charges a child with its parent's peak memory at the start: this parent is small.
"""

import json
import os
import sys
import time


def main() -> None:
    result, log, *command = sys.argv[1:]
    out, errors = (os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for name in (log, f"{log}.errors"))
    streams = [(os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, errors, 2)]
    begun = time.monotonic()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=streams)  # noqa: TID251 - passed on as it is
    _, status, used = os.wait4(child, 0)
    taken = {
        "wall": time.monotonic() - begun,
        "cpu": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "exit_code": os.waitstatus_to_exitcode(status),
    }
    with open(result, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib would double the size of this process
        json.dump(taken, file)


if __name__ == "__main__":
    main()
