"""Problems: RFC 9457 bodies, the same on the bus and in the API."""

from typing import Any

from pydantic import BaseModel, ConfigDict

TYPE_ROOT = "https://tenantkeep.dev/problems/"


class Problem(BaseModel):
    """`code` is what programs branch on; `detail` says what to do next and never holds a secret."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    status: int
    title: str
    detail: str = ""
    errors: tuple[dict[str, Any], ...] = ()

    def body(self) -> dict[str, Any]:
        """The `application/problem+json` body."""
        return {"type": TYPE_ROOT + self.code, **self.model_dump(exclude_defaults=True, mode="json")}


class ProblemError(Exception):
    """Raised by use cases that answer a question; rpc and API turn it into the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.code}: {problem.detail or problem.title}")
        self.problem = problem


def not_found(what: str) -> ProblemError:
    return ProblemError(Problem(code="not-found", status=404, title=f"{what} not found"))


def conflict(detail: str) -> ProblemError:
    return ProblemError(Problem(code="conflict", status=409, title="Conflict with what exists", detail=detail))


def invalid(detail: str, errors: tuple[dict[str, Any], ...] = ()) -> ProblemError:
    problem = Problem(code="invalid", status=422, title="The request is not valid", detail=detail, errors=errors)
    return ProblemError(problem)


def below_floor(period: str, floor: str) -> ProblemError:
    detail = f"{period} is less than the tenant's least retention of {floor}: choose a longer one"
    title = "The retention is below the tenant's floor"
    return ProblemError(Problem(code="retention-below-floor", status=422, title=title, detail=detail))


def preparing() -> ProblemError:
    detail = "the search file of this mailbox is being made; ask again in a few seconds"
    return ProblemError(Problem(code="preparing", status=503, title="Not ready yet", detail=detail))


def damaged(detail: str) -> ProblemError:
    title = "What is stored does not come back whole"
    return ProblemError(Problem(code="integrity", status=409, title=title, detail=detail))


def unavailable(detail: str) -> ProblemError:
    return ProblemError(Problem(code="unavailable", status=503, title="Temporarily unavailable", detail=detail))
