"""The OpenSSH server of this machine (Debian: openssh-server) on loopback, for tests.

One Unix user with three keys; the key decides what the session may do. Run as root it lets `nobody` in, because the
superuser's files know no permissions; otherwise the user who runs the tests.
"""

import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Self

from backup_engine.testing.sftp import ACCOUNTS, ADMIN, APPEND_ONLY, READ_ONLY, KeyPair, SFTPAddress, write_private

_READY_WITHIN = 15.0  # seconds
_POLL = 0.05  # seconds
# What docs/reference/sftp.md tells an operator to write.
COMMANDS = {
    ADMIN: "internal-sftp",
    APPEND_ONLY: (
        "internal-sftp -P remove,rmdir,mkdir,posix-rename,hardlink,symlink,setstat,fsetstat,lsetstat -u 0277"
    ),
    READ_ONLY: "internal-sftp -R",
}


class OpenSSHServer:
    """Use as a context manager; the objects lie below `address.folder`, which the server's user owns.

    That is a folder of its own, or one made in `disk`.
    """

    def __init__(self, disk: Path | None = None) -> None:
        self._disk = disk
        self.address: SFTPAddress
        self._home = Path()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        program = _sshd()
        self._home = Path(tempfile.mkdtemp(prefix="tenantkeep-sshd-"))
        self._home.chmod(0o711)
        user = pwd.getpwnam("nobody" if os.geteuid() == 0 else getpass.getuser())
        folder = (self._disk or self._home) / "objects"
        folder.mkdir(mode=0o700)
        os.chown(folder, user.pw_uid, -1)
        keys, host_key = {account: KeyPair.fresh() for account in ACCOUNTS}, KeyPair.fresh()
        port = _free_port()
        self.address = SFTPAddress(port, host_key.public, dict.fromkeys(ACCOUNTS, user.pw_name), keys, str(folder))
        self._configure(port, host_key)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd locks its unprivileged half in
        command = [program, "-D", "-f", str(self._home / "sshd_config"), "-E", str(self._home / "log")]
        self._process = subprocess.Popen(command)  # noqa: S603 - our own server
        try:
            self._wait_until_ready(port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            process.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    def end_sessions(self) -> None:
        """Kill the server's half of every connection, as a restart of the machine would."""
        assert self._process is not None
        for child in _descendants(self._process.pid):
            os.kill(child, signal.SIGKILL)

    def _configure(self, port: int, host_key: KeyPair) -> None:
        write_private(self._home / "host_key", host_key.private)
        lines = [f'restrict,command="{COMMANDS[account]}" {key.public}' for account, key in self.address.keys.items()]
        (self._home / "authorized_keys").write_text("\n".join(lines) + "\n")
        settings = {
            "Port": port,
            "ListenAddress": "127.0.0.1",
            "HostKey": self._home / "host_key",
            "PidFile": "none",
            "AuthorizedKeysFile": self._home / "authorized_keys",
            "StrictModes": "no",
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "MaxStartups": "100",
            "Subsystem": "sftp internal-sftp",
        }
        (self._home / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))

    def _wait_until_ready(self, port: int) -> None:
        pause = threading.Event()
        for _ in range(int(_READY_WITHIN / _POLL)):
            assert self._process is not None
            if self._process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    return
            except OSError:
                pause.wait(_POLL)
        log = self._home / "log"
        message = f"sshd is not ready:\n{log.read_text(errors='replace') if log.exists() else 'no log'}"
        raise RuntimeError(message)


def _sshd() -> str:
    found = shutil.which("sshd", path=f"{os.defpath}:/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        raise RuntimeError("sshd is not installed: run `apt-get install openssh-server` (Debian, Ubuntu)")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _descendants(pid: int) -> list[int]:
    """Children first found last, from /proc (Linux)."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        waiting += (below := children.get(waiting.pop(), []))
        found += below
    return found
