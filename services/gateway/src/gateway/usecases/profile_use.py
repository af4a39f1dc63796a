"""What works with a profile right now: known to the service that does the work, not to the one that keeps its token."""

from contracts import rpc
from contracts.names import JobKind, Profile
from gateway.domain import Asking
from gateway.ports import Services

_ENOUGH = 100
"""So many are named; more would not change the answer."""


async def users_of(services: Services, tenant: str, profile: Profile, asking: Asking) -> tuple[str, ...]:
    """Name the configurations or runs that would stand still without a token of the profile; empty: nothing would.

    Raises ProblemError when that cannot be found out, because not knowing is not "nothing".
    """
    match profile:
        case Profile.EXCHANGE_BACKUP:
            found = await services.ask(rpc.CONFIGURATION_LIST, tenant, rpc.Page(limit=_ENOUGH), asking)
            return tuple(each.name for each in found.items if not each.paused)
        case Profile.EXCHANGE_RESTORE:
            runs = await services.ask(rpc.RUN_LIST, tenant, rpc.RunsOf(limit=_ENOUGH), asking)
            return tuple(run.id for run in runs.items if run.kind is JobKind.RESTORE and not run.state.finished)
        case _:
            return ()
