"""Run a command that cannot outlive its parent: `python child.py <parent pid> <command> …`.

The kernel kills the process when the launcher dies, however it dies (Linux: PR_SET_PDEATHSIG survives the
exec below). SIGKILL and not SIGTERM: a stuck server may ignore the latter, and every process of the stack is
built to survive a kill. On other systems `tenantkeep up` and `down` remove what a dead launcher left behind.
Run by path with `-I -S` to start fast, so this file imports the standard library only.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Bind this process' life to its parent's, then become the command."""
    parent, command = int(argv[1]), argv[2:]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            sys.exit(f"prctl(PR_SET_PDEATHSIG) failed: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # the launcher died before the line above took effect
        sys.exit("the launcher is gone")
    os.execv(command[0], command)  # noqa: S606 -- the command is built by this package, no shell wanted


if __name__ == "__main__":
    main(sys.argv)
