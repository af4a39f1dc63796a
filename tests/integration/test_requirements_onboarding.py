"""Tenants on their way from nothing to productive on a whole stack, each with another administrator."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from stack_fixture import RunningStack, running_stack, wait_until

from contracts.names import CredentialKind
from tenantkeep.commands import trust
from tenantkeep.stack import simulator

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(600)]

PASSPHRASE = "correct horse battery staple"
PROFILE = "exchange-backup"
LOOKS = 130.0
"""Seconds for two rounds in which token-service looks when credentials end."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    folder = tmp_path_factory.mktemp("onboarding")
    extra = {
        "TENANTKEEP_RECOVERY_PASSPHRASE": PASSPHRASE,
        "TENANTKEEP_ONBOARDING_LOOK_LONGEST": "2",
        "TENANTKEEP_CREDENTIAL_LOOK": "1",
    }
    with running_stack(folder, extra=extra) as running:
        running.command("login")
        yield running


class Customer:
    """A tenant of the simulator, and its administrator's browser."""

    def __init__(self, stack: RunningStack, folder: Path, name: str) -> None:
        self.stack, self.name, self.folder = stack, name, folder
        self.apps = folder / f"{name}.json"
        stack.command(
            "simulator", "seed", "--tenant", name, "--generate", "6", "--mailboxes", "1", "--apps", str(self.apps)
        )
        self.url = simulator.url(stack.ports)
        self.browser = httpx.Client(verify=trust.context(stack.home.ca_bundle), trust_env=False, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.browser.close()

    def control(self, method: str, path: str, body: object = None) -> None:
        token = (self.stack.home.simulator / "control.token").read_text().strip()
        headers = {"authorization": f"Bearer {token}"}
        answer = self.browser.request(method, f"{self.url}/_simulator/{path}", headers=headers, json=body)
        assert answer.is_success, answer.text

    def withdraw(self) -> None:
        self.control("POST", f"tenants/{self.name}/apps/exchange-backup/revoke-consent")

    def roles(self, *names: str) -> None:
        """The directory roles of who sits in front of the page."""
        person = f"admin@{self.name}.onmicrosoft.com"
        self.control("PUT", f"tenants/{self.name}/roles/{person}", {"roles": list(names)})

    def shows(self, lang: str, *words: str) -> None:
        """What people read of the tenant without consent: the cause and what is next, its tokens, its profiles."""
        said = self.stack.command("tenant", "onboarding", self.name, "--lang", lang).stdout
        for text in words:
            assert text in said
        for command in (("tenant", "show", self.name), ("profiles", "list", "--tenant", self.name)):
            listed = self.stack.command(*command, "--lang", lang).stdout
            assert ("Consent required" if lang == "en" else "Zustimmung erforderlich") in listed
        assert f"tenantkeep tenant consent {PROFILE}" in listed

    def decide(self, link: str, **form: str) -> httpx.Response:
        """What the administrator does with the link; the redirect is followed to the gateway."""
        asked = dict(parse_qsl(urlsplit(link).query))
        answer = self.browser.post(link.partition("?")[0], data={**asked, **form})
        return self.browser.get(answer.headers["location"]) if answer.is_redirect else answer

    def onboarding(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.stack.command("tenant", "onboarding", self.name, "--json").stdout)
        return found

    @contextmanager
    def walking(self, *options: str) -> Iterator["Walking"]:
        command = (sys.executable, "-m", "tenantkeep.main", "onboard", self.name, "--json", *options)
        with subprocess.Popen(
            command,
            env=self.stack.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield Walking(process)
            finally:
                process.kill()


class Walking:
    """`tenantkeep onboard --json` under way."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def told(self) -> dict[str, Any]:
        """The next thing that a person has to do."""
        assert self.process.stderr is not None
        said: dict[str, Any] = json.loads(self.process.stderr.readline())
        return said

    def link(self) -> str:
        return str(self.told()["consent_link"])

    def upload(self) -> dict[str, str]:
        asked: dict[str, str] = self.told()["certificate_upload"]
        return asked

    def end(self) -> tuple[int, dict[str, Any]]:
        out, errors = self.process.communicate(timeout=240)
        assert out, errors
        return self.process.returncode, json.loads(out)


def test_R_B14_a_new_tenant_becomes_productive_with_one_human_step(stack: RunningStack, tmp_path: Path) -> None:
    with Customer(stack, tmp_path, "contoso") as contoso:
        _become_productive(contoso)
        _lose_and_regain_the_consent(contoso)


def _become_productive(contoso: Customer) -> None:
    contoso.withdraw()
    options = ("--apps", str(contoso.apps), "--embedded", "--support", "Desk <desk@contoso.test>")
    with contoso.walking(*options) as walk:
        walk.link()
    with contoso.walking(*options) as walk:  # killed while it waited: it goes on where it stopped, with a new link
        contoso.decide(walk.link(), decision="accept")
        code, told = walk.end()
    assert code == 0
    assert [step["reached_at"] is not None for step in told["onboarding"]["steps"]] == [True] * 6
    assert told["onboarding"]["test_backup"]["state"] == "succeeded"
    paper = (contoso.folder / "contoso-handover.html").read_text(encoding="utf-8")
    assert told["onboarding"]["test_backup"]["run"] in paper
    assert "Desk &lt;desk@contoso.test&gt;" in paper

    with contoso.walking() as walk:  # everything is done: nothing happens
        assert walk.end()[0] == 0


def _lose_and_regain_the_consent(contoso: Customer) -> None:
    contoso.withdraw()
    contoso.stack.command("tenant", "add", "contoso", "--apps", str(contoso.apps), "--no-recovery-key", check=False)
    lost = contoso.onboarding()
    assert lost["cause"] == "consent_withdrawn"
    assert (lost["state"], lost["next_step"]) == ("integration_configured", "ask_consent")
    assert lost["steps"][-1]["first_reached_at"] is not None
    contoso.shows("en", "The consent was effective and is gone", "Ask the customer's administrator", "lost, reached")
    contoso.shows("de", "Die Zustimmung war wirksam und fehlt jetzt", "Den Administrator des Kunden bitten", "verloren")
    with contoso.walking("--timeout", "200") as walk:
        contoso.decide(walk.link(), decision="accept")
        code, told = walk.end()
    assert (code, told["onboarding"]["state"]) == (0, "productive")


def test_who_may_not_consent_is_told_so_by_microsoft_and_the_next_step_names_the_role(
    stack: RunningStack, tmp_path: Path
) -> None:
    with Customer(stack, tmp_path, "northwind") as northwind:
        northwind.withdraw()
        northwind.roles("application-administrator")
        with northwind.walking("--apps", str(northwind.apps)) as walk:
            link = walk.link()
            told = northwind.decide(link, decision="accept")
            assert (told.status_code, "AADSTS90093" in told.text) == (403, True)
            assert northwind.onboarding()["cause"] == "consent_awaited"  # who stays on that page tells nobody
            back = northwind.decide(link, decision="return")
            assert "Privileged Role Administrator" in back.text
            code, told_us = walk.end()
        assert code == 1
        found = told_us["onboarding"]
        assert (found["state"], found["cause"]) == ("integration_configured", "consent_role_too_low")
        assert (found["next_step"], "AADSTS90094" in found["detail"]) == ("ask_higher_role", True)
        for lang, cause, step in (
            ("en", "Who opened the link may not consent", "Let a Privileged Role Administrator"),
            ("de", "Wer den Link öffnete, darf nicht zustimmen", "einen neuen Link"),
        ):
            northwind.shows(lang, cause, step)
        northwind.roles("privileged-role-administrator")
        with northwind.walking() as walk:
            northwind.decide(walk.link(), decision="accept")
            code, told_us = walk.end()
        assert (code, told_us["onboarding"]["cause"]) == (1, "no_storage_target")  # nothing to store in was given


def test_an_administrator_who_declines_leaves_the_cause_and_the_next_step(stack: RunningStack, tmp_path: Path) -> None:
    with Customer(stack, tmp_path, "fabrikam") as fabrikam:
        fabrikam.withdraw()
        with fabrikam.walking("--apps", str(fabrikam.apps), "--embedded") as walk:
            fabrikam.decide(walk.link(), decision="decline")
            code, told = walk.end()
        assert code == 1
        found = told["onboarding"]
        assert (found["state"], found["missing"]) == ("integration_configured", "consent_effective")
        assert (found["cause"], found["next_step"]) == ("consent_declined", "ask_consent")
        step = f"tenantkeep tenant consent {PROFILE} --tenant fabrikam"
        fabrikam.shows("en", "The customer's administrator declined; nothing was changed", step)
        fabrikam.shows("de", "Der Administrator des Kunden hat abgelehnt", step)


class Publisher:
    """Who owns the app registrations, which sign in with keys in the vault."""

    def __init__(self, customer: Customer) -> None:
        self.customer = customer
        known = json.loads(customer.apps.read_text())
        for app in known["apps"].values():
            app.pop("client_secret")
            app["vault_key"] = True
        self.client_ids = {profile: app["client_id"] for profile, app in known["apps"].items()}
        customer.apps.write_text(json.dumps(known))

    def path(self, profile: str) -> str:
        return f"tenants/{self.customer.name}/apps/{profile}/certificates"

    def upload(self, asked: dict[str, str]) -> None:
        assert asked["client_id"] == self.client_ids[asked["profile"]]
        assert asked["link"].endswith(f"/Credentials/appId/{asked['client_id']}")
        pem = Path(asked["certificate_file"]).read_text()
        assert "PRIVATE" not in pem
        self.customer.control("POST", self.path(asked["profile"]), {"certificate": pem})

    def expiry(self) -> str:
        """Where the end of the credential of the backup's app is known from."""
        shown = self.customer.stack.command("token", "show", PROFILE, "--tenant", self.customer.name, "--json")
        return str(json.loads(shown.stdout)["credential_expiry"])


def test_a_new_tenant_becomes_productive_with_keys_that_only_the_vault_has(stack: RunningStack, tmp_path: Path) -> None:
    with Customer(stack, tmp_path, "adatum") as adatum:
        publisher = Publisher(adatum)
        adatum.control("POST", f"tenants/adatum/apps/{PROFILE}/remove-principal")
        options = ("--apps", str(adatum.apps), "--embedded")
        with adatum.walking(*options) as walk:
            directory, link, restore = walk.upload(), walk.link(), walk.upload()
            assert (directory["profile"], restore["profile"]) == ("directory", "exchange-restore")
            publisher.upload(directory)
            adatum.decide(link, decision="accept")
            assert walk.upload()["profile"] == PROFILE
        found = adatum.onboarding()
        assert (found["cause"], found["next_step"]) == ("certificate_awaited", "upload_certificate")
        with adatum.walking(*options) as walk:  # killed while it waited: what is still missing is asked for again
            backup = walk.upload()
            assert (backup["profile"], walk.upload()) == (PROFILE, restore)
            publisher.upload(backup)
            publisher.upload(restore)
            code, told = walk.end()
        assert (code, told["onboarding"]["state"], told["uploads"]) == (0, "productive", [])
        assert told["onboarding"]["test_backup"]["state"] == "succeeded"
        tokens = json.loads(stack.command("token", "list", "--tenant", "adatum", "--json").stdout)["items"]
        signed_in = {token["profile"] for token in tokens if token["credential"] == CredentialKind.VAULT_KEY}
        assert signed_in == set(publisher.client_ids)
        wait_until(lambda: publisher.expiry() == "application", seconds=LOOKS, what="the end as Graph says it")
        adatum.control("DELETE", publisher.path(PROFILE))
        wait_until(lambda: publisher.expiry() == "removed", seconds=LOOKS, what="the certificate that was taken off")
