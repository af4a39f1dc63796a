"""The one place that builds HTTP clients: our trust, our proxy, bounded waits, nothing from the environment."""

from pathlib import Path

import httpx

from chassis import tls


def client(
    ca_file: Path | None,
    *,
    proxy: str | None = None,
    base_url: str = "",
    connect: float = 5.0,
    read: float = 60.0,
    connections: int = 50,
) -> httpx.AsyncClient:
    """Build an AsyncClient that ignores the environment; the caller closes it.

    `connect` and `read` are seconds; `read` bounds the silence between two chunks, not the whole body. Pass the
    setting `https_proxy` as `proxy` for Microsoft 365 only: our own servers are reached directly.
    """
    context = tls.client_context(ca_file)
    return httpx.AsyncClient(
        base_url=base_url,
        verify=context,
        proxy=None if proxy is None else httpx.Proxy(proxy, ssl_context=context),
        trust_env=False,
        timeout=httpx.Timeout(read, connect=connect, pool=read),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
    )
