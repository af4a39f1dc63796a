"""What works with a profile is asked of those who know, before its token goes off (row B12)."""

from typing import Any

import pytest

OFF = "/tenants/contoso/profiles/{}/token/deactivation"


async def test_R_B12_token_service_is_told_which_configurations_use_the_profile(gateway: Any) -> None:
    answer = await gateway.call("POST", OFF.format("exchange-backup"), roles=["admin"])
    assert answer.status_code == 200, answer.text
    (asked,) = gateway.world.of("token.deactivate")
    assert asked.question.used_by == ("Mail, daily",)
    await gateway.call("POST", OFF.format("exchange-restore"), roles=["admin"])
    assert gateway.world.of("token.deactivate")[-1].question.used_by == ()  # the run of the sample is a backup


@pytest.mark.parametrize(
    ("profile", "operation"), [("exchange-backup", "configuration.list"), ("exchange-restore", "run.list")]
)
async def test_R_B12_not_knowing_who_uses_it_is_not_nobody(
    gateway: Any, problem_unavailable: Any, profile: str, operation: str
) -> None:
    gateway.world.fail_with[operation] = problem_unavailable
    for method, path in (("POST", OFF.format(profile)), ("DELETE", f"/tenants/contoso/profiles/{profile}/token")):
        assert (await gateway.call(method, path, roles=["admin"])).status_code == 503
    assert gateway.world.of("token.deactivate") == gateway.world.of("token.delete") == []
