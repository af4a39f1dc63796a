"""An HTTP proxy on loopback that leads every CONNECT to one address: names need no resolver in tests."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

_BUFFER = 1 << 16
_HEAD_ENDS = b"\r\n\r\n"


class Tunnel:
    """Use as a context manager; `hosts` are the names it was asked for, in order."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        self.hosts: list[str] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for the next client
        self._listener.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(OSError):
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        head = b""
        with client, contextlib.suppress(OSError):
            while not head.endswith(_HEAD_ENDS):
                head += client.recv(1)
            self.hosts.append(head.split()[1].decode())
            with socket.create_connection(self._address) as server:
                client.sendall(b"HTTP/1.1 200 Connection established" + _HEAD_ENDS)
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                _copy(client, server)
                back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_BUFFER):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
