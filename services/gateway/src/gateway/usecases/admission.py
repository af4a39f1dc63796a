"""Let a request in: who is it, is the tenant theirs, may the role, does the tenant exist; in this order."""

from contracts import rpc
from contracts.authorization import Route
from contracts.problem import Problem, ProblemError, not_found
from gateway.domain import Asking, Caller
from gateway.ports import Callers, Services, Unauthenticated

_FORBIDDEN = "None of your roles may do this; it needs one of: {roles}."


class Admission:
    """Remembers tenants it has seen: a slug is never reused, so one that existed once needs no second look-up."""

    def __init__(self, callers: Callers, services: Services) -> None:
        self._callers = callers
        self._services = services
        self._known: set[str] = set()

    async def admit(self, route: Route, token: str | None, tenant: str | None, request_id: str) -> Asking:
        """Return who asks. Raises Unauthenticated or ProblemError.

        A tenant outside the token's list answers exactly like one that does not exist, whatever the role.
        """
        if token is None:
            raise Unauthenticated("send a bearer token in the Authorization header")
        caller = await self._callers.caller_of(token)
        if tenant is not None and not caller.covers(tenant):
            raise not_found("Tenant")
        if not caller.may_use(route):
            raise forbidden(_FORBIDDEN.format(roles=", ".join(sorted(route.roles))))
        asking = Asking(caller, request_id)
        if tenant is not None:
            await self._exists(tenant, asking)
        return asking

    async def _exists(self, tenant: str, asking: Asking) -> None:
        if tenant in self._known:
            return
        try:
            await self._services.ask(rpc.TENANT_GET, tenant, rpc.Nothing(), asking)
        except ProblemError as error:
            raise not_found("Tenant") if error.problem.code == "not-found" else error from None
        self._known.add(tenant)


def forbidden(detail: str) -> ProblemError:
    return ProblemError(Problem(code="forbidden", status=403, title="Not allowed", detail=detail))


def may_register(caller: Caller, tenant: str) -> None:
    """Refuse a slug outside the token's list before anybody learns whether it is taken."""
    if not caller.covers(tenant):
        raise forbidden("Your token does not cover this tenant.")
