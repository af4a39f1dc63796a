"""The one streaming route: exports, opened with a single-use ticket, proxied by the gateway (ADR 0007)."""

from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from backup_service.usecases.export_mailbox import ExportMailbox
from contracts.problem import Problem, ProblemError


def application(export: ExportMailbox) -> Starlette:
    """`GET /v1/downloads/<tenant>/<ticket>` → application/zip."""

    async def download(request: Request) -> Response:
        try:
            chunks = await export(request.path_params["tenant"], request.path_params["ticket"])
        except ProblemError as error:
            return _problem(error.problem)
        return StreamingResponse(iterate_in_threadpool(chunks), media_type="application/zip")

    return Starlette(routes=[Route("/v1/downloads/{tenant}/{ticket}", download)])


def _problem(problem: Problem) -> JSONResponse:
    return JSONResponse(problem.body(), status_code=problem.status, media_type="application/problem+json")
