"""Let a request in: who is it, is the tenant theirs, may the role, does the tenant exist; in this order."""

from contracts import rpc
from contracts.authorization import Route
from contracts.problem import Problem, ProblemError, not_found
from gateway.domain import Asking, Caller
from gateway.ports import Callers, Services, Unauthenticated
from gateway.usecases.tenant_roles import TenantRoles

_FORBIDDEN = "None of your roles may do this; it needs one of: {roles}."


class Admission:
    """Remembers tenants it has seen: slug and Entra tenant are bound for ever, so none needs a second look-up."""

    def __init__(self, callers: Callers, services: Services, roles: TenantRoles) -> None:
        self._callers = callers
        self._services = services
        self._roles = roles
        self._known: dict[str, str] = {}
        """Entra tenant id by slug."""

    async def admit(self, route: Route, token: str | None, tenant: str | None, request_id: str) -> Asking:
        """Return who asks. Raises Unauthenticated or ProblemError.

        A tenant outside the token's list answers exactly like one that does not exist, whatever the role.
        """
        if token is None:
            raise Unauthenticated("send a bearer token in the Authorization header")
        caller = await self._callers.caller_of(token)
        if tenant is not None and not caller.covers(tenant):
            raise not_found("Tenant")
        if tenant is None or caller.person is None:
            _check(caller, route)
        asking = Asking(caller, request_id)
        if tenant is not None:
            asking = Asking(await self._known_there(tenant, asking), request_id)
            _check(asking.caller, route)
        return asking

    async def _known_there(self, tenant: str, asking: Asking) -> Caller:
        """Give the caller with the roles that count in the tenant; its own people have those of its directory."""
        entra_tenant_id = await self._entra_tenant_id(tenant, asking)
        caller = asking.caller
        if caller.person is None or not caller.belongs_to(entra_tenant_id):
            return caller
        return caller.as_known_there(await self._roles.of(tenant, caller.person.object_id, asking))

    async def _entra_tenant_id(self, tenant: str, asking: Asking) -> str:
        if tenant not in self._known:
            try:
                found = await self._services.ask(rpc.TENANT_GET, tenant, rpc.Nothing(), asking)
            except ProblemError as error:
                raise not_found("Tenant") if error.problem.code == "not-found" else error from None
            self._known[tenant] = found.entra_tenant_id
        return self._known[tenant]


def _check(caller: Caller, route: Route) -> None:
    if not caller.may_use(route):
        raise forbidden(_FORBIDDEN.format(roles=", ".join(sorted(route.roles))))


def forbidden(detail: str) -> ProblemError:
    return ProblemError(Problem(code="forbidden", status=403, title="Not allowed", detail=detail))


def may_register(caller: Caller, tenant: str) -> None:
    """Refuse a slug outside the token's list before anybody learns whether it is taken."""
    if not caller.covers(tenant):
        raise forbidden("Your token does not cover this tenant.")
