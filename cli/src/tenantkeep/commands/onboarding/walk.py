"""From nothing to productive: look at what is missing, do the one thing about it, look again.

What was done is never remembered here: the onboarding says what is missing, so a walk that was cut short goes on where
it stopped. Each thing is tried once per walk; when it is missing again after that, a person has to look. Only the
sign-ins of the apps are tried again and again: they come when a person has done something at Microsoft.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from contracts import onboarding_texts
from contracts.api import BackupConfigurationBody
from contracts.names import Profile
from contracts.onboarding import NextStep, OnboardingCause, OnboardingStep, OnboardingView
from contracts.schedules import DEFAULT_SCHEDULE, DEFAULT_TIME_ZONE
from contracts.texts import Text
from tenantkeep.commands import settings
from tenantkeep.commands.apps_file import AppsFile
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.clock import Clock
from tenantkeep.commands.configurations import EVERYTHING
from tenantkeep.commands.errors import Refused
from tenantkeep.commands.onboarding.human_steps import ask_consent
from tenantkeep.commands.onboarding.sign_ins import SignIns
from tenantkeep.commands.output import Screen
from tenantkeep.commands.progress import RunProgress
from tenantkeep.commands.storage import embedded_target
from tenantkeep.commands.storage_bodies import tested
from tenantkeep.commands.waiting import wait_for_run

_INTERVAL = 1.0
_SIGN_IN_INTERVAL = 10.0
"""Microsoft throttles apps whose sign-in is refused again and again."""
_LOCAL = "local"
_PATIENT = frozenset(
    {
        OnboardingCause.CONSENT_AWAITED,
        OnboardingCause.CONSENT_NOT_EFFECTIVE,
        OnboardingCause.NO_TOKEN,
        OnboardingCause.BACKUP_GOES_ON,
        OnboardingCause.BACKUPS_UNKNOWN,
        OnboardingCause.PERMISSIONS_UNCHECKED,
    }
)
"""Causes that end by themselves, or by the person with the link."""


@dataclass(frozen=True)
class Means:
    """What the walk may use; without it a person does that step and walks on."""

    apps: AppsFile | None = None
    embedded: bool = False
    target: str | None = None
    configuration: str = "nightly"
    schedule: str = DEFAULT_SCHEDULE
    time_zone: str = DEFAULT_TIME_ZONE
    keep: str | None = None


@dataclass
class Walk:
    """One walk of one tenant, which is registered already."""

    gateway: Gateway
    screen: Screen
    tenant: str
    means: Means
    clock: Clock
    deadline: float
    _tried: set[NextStep] = field(default_factory=set)
    _shown: set[OnboardingStep] = field(default_factory=set)
    _last: OnboardingCause | None = None

    def __post_init__(self) -> None:
        self.sign_ins = SignIns(self.gateway, self.screen, self.tenant, self.means.apps)

    def run(self) -> OnboardingView:
        """Walk until productive, until a person is needed, or until the time is over; returns the last look."""
        while True:
            found = self.gateway.onboarding(self.tenant)
            self._tell(found)
            if not self._act(found):
                return found
            left = self.deadline - self.clock.now()
            if left <= 0:
                return self.gateway.onboarding(self.tenant)  # what came of the last thing that was done
            self.clock.pause(min(left, _SIGN_IN_INTERVAL if self.sign_ins.left else _INTERVAL))

    def is_done(self, found: OnboardingView) -> bool:
        """Tell whether the tenant is productive, and every app that was named signs in."""
        return found.cause is None and not self.sign_ins.left

    def waits(self, found: OnboardingView) -> bool:
        """Tell whether what is missing comes without anybody doing something here."""
        if self.sign_ins.left:
            return not self.sign_ins.refused and found.cause is not OnboardingCause.OFFBOARDED
        return found.cause in _PATIENT

    def _act(self, found: OnboardingView) -> bool:
        """Do something about what is missing; False when nothing is, or when only a person can."""
        if found.cause is OnboardingCause.OFFBOARDED:
            return False
        if self.sign_ins.left:
            self.sign_ins.bring()
            return not self.sign_ins.refused
        if found.cause is None:
            return False
        if found.cause is OnboardingCause.PERMISSIONS_UNCHECKED:
            self.check_permissions(found)
        foreign_link = found.cause is OnboardingCause.CONSENT_AWAITED and NextStep.ASK_CONSENT not in self._tried
        if self.waits(found) and not foreign_link:
            return True
        wanted = _ASKING.get(found.next_step or NextStep.NOTHING, found.next_step)
        action = _ACTIONS.get(wanted or NextStep.NOTHING)
        if action is None or wanted is None or wanted in self._tried:
            return False
        self._tried.add(wanted)
        return action(self, found)

    def ask_consent(self, found: OnboardingView) -> bool:
        """A link for the customer's administrator."""
        profile = found.profile or Profile.EXCHANGE_BACKUP
        apps = {} if self.means.apps is None else self.means.apps.apps
        client_id = apps[profile].client_id if profile in apps else None
        ask_consent(self.gateway, self.screen, self.tenant, profile, client_id)
        return True

    def check_permissions(self, found: OnboardingView) -> None:
        """Have it done now: it comes by itself, but one that could not tell comes back only after a while."""
        with contextlib.suppress(Refused):  # somebody else is at it, or Graph is slow: the next look shows
            self.gateway.check_permissions(self.tenant, found.profile or Profile.EXCHANGE_BACKUP)

    def add_storage(self, _: OnboardingView) -> bool:
        """A target in the embedded store; one of your own needs credentials, which `storage add` asks for."""
        if not self.means.embedded:
            return False
        body = embedded_target(settings.home(), self.tenant, self.means.target or _LOCAL)
        tested(self.gateway, self.tenant, body, self.screen.language)
        return True

    def configure(self, _: OnboardingView) -> bool:
        """Everything of every mailbox, each night, into the target named or the only one."""
        targets = self.gateway.storage_targets(self.tenant)
        chosen = [target for target in targets if self.means.target in (None, target.name, target.id)]
        if len(chosen) != 1:
            return False
        means = self.means
        kept = {} if means.keep is None else {"retention": means.keep}
        body = BackupConfigurationBody(
            name=means.configuration,
            target=chosen[0].id,
            sources=EVERYTHING,
            schedule=means.schedule,
            time_zone=means.time_zone,
            **kept,
        )
        self.gateway.create_configuration(self.tenant, body)
        return True

    def run_backup(self, found: OnboardingView) -> bool:
        """The test backup; of several configurations the one that is named, or the first."""
        known = self.gateway.configurations(self.tenant)
        chosen = next((one for one in known if one.name == self.means.configuration), known[0])
        run = self.gateway.start_backup(self.tenant, chosen.id, f"onboarding-{found.since.isoformat()}")
        left = max(0.0, self.deadline - self.clock.now())
        with RunProgress(self.screen) as bars:
            wait_for_run(self.gateway, self.tenant, run, clock=self.clock, timeout=left, watch=bars.show)
        return True

    def _tell(self, found: OnboardingView) -> None:
        """A line for each step that was reached and each new cause."""
        for step in found.steps:
            if step.reached_at is not None and step.step not in self._shown:
                self._shown.add(step.step)
                self.screen.say(Text("✓ {}", "✓ {}"), self.screen.text(onboarding_texts.STEPS[step.step]))
        if found.cause is not None and found.cause is not self._last:
            names = {"tenant": found.tenant, "profile": found.profile or ""}
            self.screen.say(
                Text("  {}", "  {}"), self.screen.text(onboarding_texts.CAUSES[found.cause]).format(**names)
            )
        self._last = found.cause


_ASKING = {
    NextStep.OPEN_CONSENT_LINK: NextStep.ASK_CONSENT,
    NextStep.ASK_HIGHER_ROLE: NextStep.ASK_CONSENT,
    NextStep.CHECK_REGISTRATION: NextStep.ASK_CONSENT,
    NextStep.LOOK_AT_RUN: NextStep.RUN_BACKUP,
}
"""What a walk that begins there does instead: links given out before are not known to it, nor why a run failed."""

_ACTIONS: dict[NextStep, Callable[[Walk, OnboardingView], bool]] = {
    NextStep.ASK_CONSENT: Walk.ask_consent,
    NextStep.ADD_STORAGE_TARGET: Walk.add_storage,
    NextStep.CONFIGURE_BACKUP: Walk.configure,
    NextStep.RUN_BACKUP: Walk.run_backup,
}
