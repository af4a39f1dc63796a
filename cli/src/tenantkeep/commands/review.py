"""`tenantkeep review …`: the daily, weekly and monthly reviews of a tenant."""

from typing import Annotated

import typer

from contracts.api import ReviewCompletionBody
from contracts.review_texts import REVIEW_ANSWERS, REVIEW_KINDS, REVIEW_MEASURES, REVIEW_STATES, REVIEW_SUBJECTS
from contracts.reviews import Review, ReviewAnswer, ReviewCheck, ReviewState
from contracts.texts import Text
from tenantkeep.commands import figures, labels
from tenantkeep.commands.choose import tenant_of
from tenantkeep.commands.client import connect
from tenantkeep.commands.options import Json, Lang, TenantName
from tenantkeep.commands.output import Screen, reported

app = typer.Typer(help="Daily, weekly and monthly reviews of a tenant.", no_args_is_help=True)

ReviewId = Annotated[str, typer.Argument(metavar="REVIEW", help="Id of the review, as daily-2026-11-22.")]

_KIND = Text("Review", "Prüfung")
_OWNER = Text("Owner", "Zuständig")
_UNTIL = Text("Due until", "Fällig bis")
_OVERDUE = Text("overdue", "überfällig")
_DONE_BY = Text("Done by", "Erledigt von")
_NOTE = Text("Note", "Notiz")
_QUESTION = Text("Question", "Frage")
_ANSWER = Text("Answer", "Antwort")
_FOUND = Text("Found", "Gefunden")
_MEASURE = Text("What to do", "Was zu tun ist")


@app.command("list")
@reported
def list_(
    *,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that wait for a person.")] = False,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """List reviews, newest first.

    Example: tenantkeep review list --open
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = gateway.reviews(tenant_of(gateway, tenant), open_only=open_only)
    if as_json:
        screen.document({"items": found})
        return
    headers = (labels.ID, _KIND, labels.STATE, _OWNER, _UNTIL, _DONE_BY)
    screen.table(headers, [_row(screen, review) for review in found])


@app.command("show")
@reported
def show(*, review: ReviewId, tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """Show what a review checked, what it found and what to do about it.

    Example: tenantkeep review show daily-2026-11-22
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = gateway.review(tenant_of(gateway, tenant), review)
    if as_json:
        screen.document(found)
        return
    _print(screen, found)


@app.command("done")
@reported
def done(
    *,
    review: ReviewId,
    note: Annotated[str, typer.Option(help="What you found and did; it stays on record.")] = "",
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Say that you have looked. The first one counts.

    Example: tenantkeep review done monthly-2026-11 --note "Permissions are those of the contract"
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = gateway.complete_review(tenant_of(gateway, tenant), review, ReviewCompletionBody(note=note))
    if as_json:
        screen.document(found)
        return
    screen.say(Text("{}: done by {}.", "{}: erledigt von {}."), found.id, found.completed_by)


def _row(screen: Screen, review: Review) -> tuple[str, ...]:
    waits = review.state is ReviewState.OPEN
    state = _OVERDUE if waits and review.overdue else REVIEW_STATES[review.state]
    until = figures.moment(review.overdue_at) if waits else ""
    kind = screen.text(REVIEW_KINDS[review.kind])
    return review.id, kind, screen.text(state), review.owner.value, until, review.completed_by


def _print(screen: Screen, review: Review) -> None:
    _, kind, state, owner, until, by = _row(screen, review)
    facts = [(screen.text(labels.STATE), state), (screen.text(_OWNER), owner)]
    if review.state is ReviewState.OPEN:
        facts.append((screen.text(_UNTIL), until))
    else:
        facts.append((screen.text(_DONE_BY), f"{by} {figures.moment(review.completed_at)}"))
        facts.append((screen.text(_NOTE), review.note))
    screen.say(Text("{} {}", "{} {}"), kind, review.id)
    screen.table((Text("", ""), Text("", "")), facts)
    screen.table((_QUESTION, _ANSWER, _FOUND, _MEASURE), [_check(screen, check) for check in review.checks])


def _check(screen: Screen, check: ReviewCheck) -> tuple[str, ...]:
    found = "; ".join(f"{name}: {fact}" for name, fact in check.facts.items())
    measure = "" if check.answer is ReviewAnswer.GOOD else screen.text(REVIEW_MEASURES[check.subject])
    return screen.text(REVIEW_SUBJECTS[check.subject]), screen.text(REVIEW_ANSWERS[check.answer]), found, measure
