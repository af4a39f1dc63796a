"""One user, and the organization.

https://learn.microsoft.com/graph/api/user-get · https://learn.microsoft.com/graph/api/organization-get
"""

import json

from starlette.responses import Response

from graph_simulator.directory_objects import Kind
from graph_simulator.fault_rules import FaultKind
from graph_simulator.web.call import Call
from graph_simulator.web.directory_view import render, selected
from graph_simulator.web.problems import json_response


async def get_user(call: Call) -> Response:
    """GET /users/{user}; for a while after a change a replica may still answer as before (fault `stale-read`)."""
    select, row = selected(call, Kind.USER), call.user()
    stale = row["previous"] is not None and call.faults.take(FaultKind.STALE_READ, "GET", call.request.url.path)
    profile = json.loads(row["previous"] if stale else row["profile"])
    context = f"{call.graph_url}/$metadata#users/$entity"
    return json_response({"@odata.context": context} | render(Kind.USER, profile, select))


async def get_organization(call: Call) -> Response:
    tenant = call.connection.execute("SELECT * FROM tenant WHERE id = ?", (call.caller.tenant_id,)).fetchone()
    domain = {
        "capabilities": "Email, OfficeCommunicationsOnline",
        "isDefault": True,
        "isInitial": True,
        "name": tenant["domain"],
        "type": "Managed",
    }
    organization = {
        "id": tenant["id"],
        "displayName": tenant["name"].capitalize(),
        "createdDateTime": tenant["created"],
        "countryLetterCode": "DE",
        "preferredLanguage": "de",
        "tenantType": "AAD",
        "assignedPlans": [],
        "verifiedDomains": [domain],
    }
    context = f"{call.graph_url}/$metadata#organization"
    return json_response({"@odata.context": context, "value": [organization]})
