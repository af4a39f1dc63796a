"""The one streaming route: exports, opened with a single-use ticket, proxied by the gateway (ADR 0007)."""

from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from backup_service.usecases.export_mailbox import ExportMailbox
from contracts.problem import Problem, ProblemError


def application(export: ExportMailbox) -> Starlette:
    """`GET /v1/downloads/<tenant>/<ticket>` → a ZIP archive or one item, with its name.

    There is no Content-Length: the archive is made while it is sent, and to know its length every mail would have to
    be read twice. What ends in good order (the last chunk of HTTP, the directory of the ZIP) is whole.
    """

    async def download(request: Request) -> Response:
        try:
            archive = await export(request.path_params["tenant"], request.path_params["ticket"])
        except ProblemError as error:
            return _problem(error.problem)
        headers = {"content-disposition": attachment(archive.filename)}
        chunks = iterate_in_threadpool(archive.chunks)
        return StreamingResponse(chunks, media_type=archive.media_type, headers=headers)

    return Starlette(routes=[Route("/v1/downloads/{tenant}/{ticket}", download)])


def attachment(name: str) -> str:
    """RFC 6266, for a name without quotes: as it is, and in ASCII for those who cannot read that."""
    plain = "".join(letter if letter.isascii() else "_" for letter in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _problem(problem: Problem) -> JSONResponse:
    return JSONResponse(problem.body(), status_code=problem.status, media_type="application/problem+json")
