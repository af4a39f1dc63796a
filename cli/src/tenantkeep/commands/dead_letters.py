"""`tenantkeep dead-letters …`: messages that nobody could process, and sending them again."""

import base64
from typing import Annotated

import typer

from contracts.dead_letters import DeadLetter
from contracts.texts import Text
from tenantkeep.commands import figures, labels
from tenantkeep.commands.client import connect
from tenantkeep.commands.options import Json, Lang
from tenantkeep.commands.output import Screen, reported

app = typer.Typer(help="Messages that nobody could process, and sending them again.", no_args_is_help=True)

Letter = Annotated[str, typer.Argument(help="Id of the dead letter.")]


@app.command("list")
@reported
def list_(
    *,
    durable: Annotated[str | None, typer.Option(help="Only of this durable consumer.")] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those not replayed yet.")] = False,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """List dead letters, oldest first; they are kept for 30 days.

    Example: tenantkeep dead-letters list --waiting
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = gateway.dead_letters(durable)
    shown = [letter for letter in found if not (waiting and letter.replayed_at)]
    if as_json:
        screen.document({"items": shown})
        return
    headers = (labels.ID, labels.TENANT, labels.DURABLE, labels.BURIED, labels.DELIVERIES, labels.REASON)
    screen.table((*headers, labels.REPLAYED), [_row(letter) for letter in shown])


@app.command("show")
@reported
def show(*, letter: Letter, lang: Lang = "en", as_json: Json = False) -> None:
    """Show a dead letter: where it came from, why it is one, its headers and its payload.

    Example: tenantkeep dead-letters show 17-1772438650123456
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = gateway.dead_letter(letter)
    if as_json:
        screen.document(found)
        return
    rows = [
        (screen.text(labels.SUBJECT), found.letter.subject),
        (screen.text(labels.DURABLE), found.letter.durable),
        (screen.text(labels.BURIED), figures.moment(found.letter.buried_at)),
        (screen.text(labels.DELIVERIES), str(found.letter.deliveries)),
        (screen.text(labels.REASON), found.letter.reason),
        (screen.text(labels.REPLAYED), _replayed(found.letter)),
        *found.headers.items(),
    ]
    screen.table((Text("", ""), Text("", "")), rows)
    payload = base64.b64decode(found.payload).decode(errors="backslashreplace")
    screen.console.print("".join(c if c.isprintable() or c == "\n" else " " for c in payload), markup=False)


@app.command("replay")
@reported
def replay(
    *,
    letters: Annotated[list[str], typer.Argument(help="Ids of dead letters.")],
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Send dead letters again to where they came from, each once, after the cause is gone.

    Example: tenantkeep dead-letters replay 17-1772438650123456
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        done = [gateway.replay_dead_letter(letter) for letter in letters]
    if as_json:
        screen.document({"items": done})
        return
    for letter in done:
        screen.say(Text("{} was sent to {} again.", "{} ging noch einmal an {}."), letter.id, letter.subject)


def _row(letter: DeadLetter) -> tuple[str, ...]:
    return (
        letter.id,
        letter.tenant,
        letter.durable,
        figures.moment(letter.buried_at),
        str(letter.deliveries),
        letter.reason,
        _replayed(letter),
    )


def _replayed(letter: DeadLetter) -> str:
    return "" if letter.replayed_at is None else f"{figures.moment(letter.replayed_at)} {letter.replayed_by}"
