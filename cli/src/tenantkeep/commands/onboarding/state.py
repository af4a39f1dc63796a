"""How far the onboarding of a tenant is, as people read it."""

from typing import Annotated

import typer

from contracts import onboarding_texts
from contracts.onboarding import OnboardingView, StepView
from contracts.texts import Text
from tenantkeep.commands import figures, labels
from tenantkeep.commands.client import connect
from tenantkeep.commands.options import Json, Lang
from tenantkeep.commands.output import Screen, reported

_LOST = Text("lost, reached first {}", "verloren, zuerst erreicht {}")
_OPEN = Text("open", "offen")


@reported
def onboarding(
    *,
    tenant: Annotated[str, typer.Argument(help="Slug of the tenant.")],
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Show how far a tenant is on its way to regular backups: each step, what is missing, why, and the next step.

    Example: tenantkeep tenant onboarding contoso
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = gateway.onboarding(tenant)
    if as_json:
        screen.document(found)
        return
    show_onboarding(screen, found)


def show_onboarding(screen: Screen, found: OnboardingView) -> None:
    """The steps with their times, then cause and next step of the first that is not reached."""
    rows = [(screen.text(onboarding_texts.STEPS[step.step]), _when(screen, step)) for step in found.steps]
    screen.table((labels.STEP, labels.SINCE), rows)
    show_missing(screen, found)


def show_missing(screen: Screen, found: OnboardingView) -> None:
    """Cause and next step, in words."""
    if found.cause is None or found.next_step is None:
        return
    names = {"tenant": found.tenant, "profile": found.profile or ""}
    cause = screen.text(onboarding_texts.CAUSES[found.cause]).format(**names)
    screen.say(Text("Missing: {} {}", "Es fehlt: {} {}"), cause, f"({found.detail})" if found.detail else "")
    screen.say(Text("Next: {}", "Weiter: {}"), screen.text(onboarding_texts.NEXT[found.next_step]).format(**names))


def _when(screen: Screen, step: StepView) -> str:
    if step.reached_at is not None:
        return figures.moment(step.reached_at)
    if step.first_reached_at is not None:
        return screen.text(_LOST).format(figures.moment(step.first_reached_at))
    return screen.text(_OPEN)
