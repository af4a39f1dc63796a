import json
from typing import Any


def test_R_B13_reporting_says_what_was_done_and_what_comes_next(signed_in: Any, tenantkeep: Any) -> None:
    done = tenantkeep("incident", "open", "exchange-backup", "The secret stood in a ticket.", "--lang", "de")
    assert done.exit_code == 0, done.output
    assert signed_in.bodies[-1][1] == {"profile": "exchange-backup", "report": "The secret stood in a ticket."}
    for word in (
        "Token und Zugangsdaten sind vernichtet",
        "security@contoso.example",
        "appId/app-1",
        "Neues Token generieren: tenantkeep token generate exchange-backup",
    ):
        assert word in done.output


def test_R_B13_after_the_replacement_the_cause_is_asked_for(signed_in: Any, tenantkeep: Any) -> None:
    signed_in.incident = signed_in.incident.model_copy(update={"replaced_at": signed_in.incident.opened_at})
    assert "tenantkeep incident close incident-1" in tenantkeep("incident", "show", "incident-1").output
    assert tenantkeep("incident", "note", "incident-1", "The ticket is locked.").exit_code == 0
    assert tenantkeep("incident", "close", "incident-1", "Copied by mistake.").exit_code == 0
    assert signed_in.bodies[-1][1] == {"cause": "Copied by mistake."}
    (listed,) = json.loads(tenantkeep("incident", "list", "--json").stdout)["items"]
    assert listed["id"] == "incident-1"
    assert tenantkeep("incident", "close", "incident-1", "  ").exit_code == 2
