"""R-B3: the administrator signs in and grants what the link asks for, which is everything and nothing else."""

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from pydantic import SecretStr

from chassis import tls
from contracts import rpc
from contracts.names import Profile
from contracts.profiles import PROFILES
from token_service.adapters.graph_grants import GraphGrants
from token_service.ports import Granted

PROFILE = Profile.EXCHANGE_BACKUP
ASKED_FOR = PROFILES[PROFILE].allowed


async def test_R_B3_the_administrator_signs_in_and_grants_every_permission_that_is_asked_for(
    simulator: Any, world: Any
) -> None:
    app, server = simulator.apps[PROFILE], simulator.server
    await asyncio.to_thread(server.control, "POST", f"tenants/contoso/apps/{PROFILE}/revoke-consent")
    await world.register(entra=simulator.tenant_id)
    trust = tls.client_context(server.ca_file)
    async with httpx.AsyncClient(base_url=server.graph_url, verify=trust, trust_env=False) as browser:
        form = {**simulator.apps[Profile.DIRECTORY], "grant_type": "client_credentials"}
        form["scope"] = "https://graph.microsoft.com/.default"
        issued = await browser.post(f"{server.url}/{simulator.tenant_id}/oauth2/v2.0/token", data=form)
        reader = SecretStr(issued.json()["access_token"])

        async def granted() -> Any:
            found = await GraphGrants(browser).read(app["client_id"], reader)
            assert isinstance(found, Granted)
            return found

        assert not (await granted()).application
        wish = rpc.StartConsent(profile=PROFILE, redirect_uri="https://127.0.0.1:9/", client_id=app["client_id"])
        link = urlsplit((await world.app.questions.consent_start(world.call(wish, "contoso"))).url)
        page, asked = f"{server.url}{link.path}", dict(parse_qsl(link.query))
        shown = (await browser.get(page, params=asked)).text
        assert [name for name in ASKED_FOR if f"<li>{name}</li>" not in shown] == []
        person = "admin@contoso.onmicrosoft.com"
        back = await browser.post(page, data={**asked, "decision": "accept", "login": person})
        told = dict(parse_qsl(urlsplit(back.headers["location"]).query))
        assert (told["admin_consent"], told["state"]) == ("True", asked["state"])
        assert (await granted()).application == ASKED_FOR
        assert (await granted()).giver.name == person
