"""Downloads from backup-service: the only call between services outside the bus, streamed and never buffered."""

from http import HTTPStatus

import httpx
import structlog

from contracts.problem import Problem, ProblemError, unavailable
from gateway.ports import OpenDownload

log = structlog.get_logger(__name__)

_PASSED_ON = ("content-type", "content-length", "content-disposition", "content-encoding", "etag")
_SPENT = Problem(
    code="not-found",
    status=HTTPStatus.NOT_FOUND,
    title="Download not found",
    detail="A download can be fetched once and for a short time: open the export again.",
)


class HttpxDownloads:
    """A `gateway.ports.Downloads`. The path holds the ticket, so neither it nor the URL is ever logged."""

    def __init__(self, client: httpx.AsyncClient, base_url: str) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")

    async def open(self, tenant: str, ticket: str) -> OpenDownload:
        url = f"{self._base_url}/v1/downloads/{tenant}/{ticket}"
        request = self._client.build_request("GET", url, headers={"accept-encoding": "identity"})
        try:
            response = await self._client.send(request, stream=True)
        except httpx.TransportError as error:
            log.warning("download source does not answer", tenant=tenant, error=type(error).__name__)
            raise unavailable("backup-service does not answer; open the export again shortly") from None
        if response.status_code != HTTPStatus.OK:
            await response.aclose()
            raise _refusal(tenant, response.status_code)
        headers = {name: response.headers[name] for name in _PASSED_ON if name in response.headers}
        return OpenDownload(headers, response.aiter_raw(), response.aclose)


def _refusal(tenant: str, status: int) -> ProblemError:
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return ProblemError(_SPENT)
    log.warning("download source refused", tenant=tenant, status=status)
    return unavailable(f"backup-service answered with status {status}; open the export again shortly")
