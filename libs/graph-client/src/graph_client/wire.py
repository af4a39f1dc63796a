"""httpx as the innermost transport; the only place that sees its exceptions."""

import ssl
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self

import httpx

from graph_client.errors import BodyTooLarge, Unreachable
from graph_client.messages import Request, Response
from graph_client.rings import Counters

_CHUNK = 64 * 1024
_ERROR_BODY_LIMIT = 1 << 20


class HttpxWire:
    """Sends over httpx. Environment variables (proxies, CA bundles) are ignored: both are handed in."""

    def __init__(
        self,
        *,
        verify: ssl.SSLContext,
        proxy: str | None,
        timeout: httpx.Timeout,
        counters: Counters,
        limits: httpx.Limits | None = None,
    ) -> None:
        self._counters = counters
        self._client = httpx.AsyncClient(
            verify=verify,
            proxy=proxy,
            trust_env=False,
            timeout=timeout,
            limits=limits or httpx.Limits(max_connections=64, max_keepalive_connections=32),
            follow_redirects=False,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def send(self, request: Request) -> Response:
        """Send one request.

        The body is read here, so that a reset or a short body (against Content-Length) is one failed attempt;
        only the successful answer to a streamed request comes back open.
        """
        built = self._client.build_request(
            request.method, request.url, headers=dict(request.headers), content=request.content
        )
        try:
            answer = await self._client.send(built, stream=True)
        except httpx.HTTPError as error:
            raise _unreachable(error, request) from error
        if request.stream and answer.is_success:
            return self._open(answer, request)
        try:
            content = await self._whole(answer, request)
        finally:
            await answer.aclose()
        return Response(answer.status_code, answer.headers, content)

    async def _whole(self, answer: httpx.Response, request: Request) -> bytes:
        content = bytearray()
        limit = request.max_bytes if answer.is_success else None
        async for chunk in self._chunks(answer, request, limit=limit):
            content += chunk
            if not answer.is_success and len(content) > _ERROR_BODY_LIMIT:
                # Nobody reads that much of a proxy's error page; its status says enough.
                break
        return bytes(content)

    def _open(self, answer: httpx.Response, request: Request) -> Response:
        chunks = self._chunks(answer, request, limit=None)

        async def close() -> None:
            await chunks.aclose()
            await answer.aclose()

        return Response(answer.status_code, answer.headers, body=chunks, aclose=close)

    async def _chunks(
        self, answer: httpx.Response, request: Request, *, limit: int | None
    ) -> AsyncGenerator[bytes, None]:
        received = 0
        try:
            async for chunk in answer.aiter_bytes(_CHUNK):
                received += len(chunk)
                if limit is not None and received > limit:
                    raise BodyTooLarge(f"the body exceeds {limit} bytes", status=answer.status_code, path=request.path)
                self._counters.bytes += len(chunk)
                yield chunk
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise _unreachable(error, request) from error
        _check_length(answer, request)


def _check_length(answer: httpx.Response, request: Request) -> None:
    declared = answer.headers.get("content-length", "")
    if declared.isdigit() and answer.num_bytes_downloaded != int(declared):
        raise Unreachable(
            f"the body ended after {answer.num_bytes_downloaded} of {declared} bytes",
            status=answer.status_code,
            path=request.path,
        )


# Nothing of the request can have reached the server after these.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


def _unreachable(error: Exception, request: Request) -> Unreachable:
    return Unreachable(f"no answer: {type(error).__name__}", sent=not isinstance(error, _NEVER_SENT), path=request.path)
