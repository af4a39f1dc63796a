import asyncio
import socket
from typing import Any

from starlette.applications import Starlette

from chassis import asgi


async def test_accepted_connections_do_not_wait_for_acknowledgements(monkeypatch: Any) -> None:
    """Nagle's algorithm and delayed ACKs add 40 ms to every answer that is written in two parts."""
    accepted: list[socket.socket] = []
    accept = socket.socket.accept

    def remembered(listener: socket.socket) -> Any:
        connection, address = accept(listener)
        accepted.append(connection)
        return connection, address

    monkeypatch.setattr(socket.socket, "accept", remembered)
    async with asgi.serve(Starlette(), host="127.0.0.1", port=0) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: keep-alive\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        assert accepted[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        writer.close()
        await writer.wait_closed()
