"""The command itself: prepare, run the steps, report, stop everything."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from contracts.texts import Text
from tenantkeep.commands import figures, session
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.clock import Clock, SystemClock
from tenantkeep.commands.demo import estimate, results
from tenantkeep.commands.demo.embedded import stack_in
from tenantkeep.commands.demo.results import Results
from tenantkeep.commands.demo.steps import STEPS, Demo
from tenantkeep.commands.demo.tenant_source import Mailboxes, TenantSource
from tenantkeep.commands.errors import CommandError, usage
from tenantkeep.commands.options import Json, Lang
from tenantkeep.commands.output import Screen, reported
from tenantkeep.commands.patience import Patience
from tenantkeep.exit_codes import ExitCode
from tenantkeep.stack.display import Display
from tenantkeep.stack.errors import StackError
from tenantkeep.stack.home import Home
from tenantkeep.stack.settings import load
from tenantkeep.stack.stack import names

_INTERRUPTED = 130
_PATIENCE_SECONDS = 600.0
"""A large mailbox is searchable, and so can be browsed, some time after its backup."""
_START = Text("Start the embedded stack", "Eingebetteten Stack starten")


@reported
def demo(
    *,
    generate: Annotated[int, typer.Option(min=1, help="Number of invented messages.")] = 2000,
    mbox: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Your own mail: an mbox file.")] = None,
    maildir: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Your own mail: a Maildir.")
    ] = None,
    mailboxes: Annotated[int, typer.Option(min=1, max=50, help="Number of mailboxes for invented mail.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed gives the same mail and the same changes.")] = 1,
    home: Annotated[Path | None, typer.Option(help="State folder of the demo. [default: a temporary one]")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the state folder at the end.")] = False,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Show the main job on a stack of its own: back up, verify, change, back up, export, restore, compare.

    Exit code 0 only if every comparison held. Nothing is left running.

    Example: tenantkeep demo --mbox archive.mbox
    """
    screen = Screen(lang, as_json=as_json)
    if mbox is not None and maildir is not None:
        raise usage("Give --mbox or --maildir, not both.", "--mbox oder --maildir angeben, nicht beide.")
    mail = Mailboxes(generate, mailboxes, mbox, maildir)
    _announce(screen, mail)
    with _place(home, keep=keep) as place, _ends_like_ctrl_c():
        found = _run(screen, place, mail, seed, SystemClock())
        _report(screen, found, place)
        if not found.held:
            raise typer.Exit(ExitCode.FAILED)


class _Place:
    """Folders of one demo."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = Home(root / "stack")
        self.folder = root / "demo"
        self.folder.mkdir(mode=0o700)


@contextmanager
def _place(wanted: Path | None, *, keep: bool) -> Iterator[_Place]:
    """A new folder, removed at the end; kept when asked for, and when a comparison failed (its logs are needed)."""
    if wanted is None:
        root = Path(tempfile.mkdtemp(prefix="tenantkeep-demo-"))
    else:
        root = wanted.absolute()
        if root.exists() and any(root.iterdir()):
            raise usage(f"{root} is not empty.", f"{root} ist nicht leer.")
        root.mkdir(parents=True, exist_ok=True)
    try:
        yield _Place(root)
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        if not keep:
            shutil.rmtree(root)
        typer.echo("interrupted; everything is stopped", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    if not keep:
        shutil.rmtree(root)


@contextmanager
def _ends_like_ctrl_c() -> Iterator[None]:
    """SIGTERM and SIGHUP stop the demo in order, too."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(screen: Screen, place: _Place, mail: Mailboxes, seed: int, clock: Clock) -> Results:
    """The stack around the steps. An error ends the demo as a comparison that failed."""
    found = Results()
    log = place.folder / "stack.log"
    try:
        began = clock.now()
        display = Display(screen.console, names(load(place.home.root)))
        screen.say(Text("{} …", "{} …"), screen.text(_START))
        with stack_in(place.home, log, clock, display.show):
            display.close()
            found.seconds[_START.en] = clock.now() - began
            access = session.access(place.home, session.EmbeddedSession(), None)
            with Gateway(access, Patience(clock, screen.notice, _PATIENCE_SECONDS)) as gateway:
                source = TenantSource(place.home, place.folder, seed)
                _steps(Demo(screen, clock, place.home, place.folder, gateway, source, mail, found))
    except CommandError as error:
        screen.error(error)
        found.check(error.message, held=False, detail=Text(error.code, error.code))
    except StackError as error:
        screen.error(CommandError(Text(error.message, error.message), Text(error.remedy, error.remedy)))
        found.check(
            Text("The embedded stack", "Der eingebettete Stack"), held=False, detail=Text(error.message, error.message)
        )
    return found


def _steps(demo: Demo) -> None:
    for number, (title, step) in enumerate(STEPS, 1):
        demo.screen.say(Text("{}/{} {}", "{}/{} {}"), number, len(STEPS), demo.screen.text(title))
        began = demo.clock.now()
        step(demo)
        demo.results.seconds[title.en] = demo.clock.now() - began
        demo.screen.say(Text("  done in {}", "  fertig in {}"), figures.duration(demo.results.seconds[title.en]))


def _announce(screen: Screen, mail: Mailboxes) -> None:
    """For somebody's own mail: what it will be, before anything starts."""
    if mail.mbox is not None:
        expected = estimate.of_mbox(mail.mbox)
    elif mail.maildir is not None:
        expected = estimate.of_maildir(mail.maildir)
    else:
        return
    if expected.messages == 0:
        raise usage("There is no mail in it.", "Darin ist keine Mail.")
    screen.say(
        Text("{} messages, {}: about {}", "{} Nachrichten, {}: etwa {}"),
        expected.messages,
        figures.size(expected.bytes),
        figures.duration(expected.seconds),
    )


def _report(screen: Screen, found: Results, place: _Place) -> None:
    if screen.as_json:
        screen.document({**found.document(), "logs": str(place.home.logs)})
        return
    results.show(screen, found)
    total = figures.duration(sum(found.seconds.values()))
    if found.held:
        screen.say(Text("Every comparison held ({}).", "Jeder Vergleich stimmt ({})."), total)
        return
    screen.say(
        Text(
            "NOT every comparison held ({}). Logs: {} and {}", "NICHT jeder Vergleich stimmt ({}). Protokolle: {}, {}"
        ),
        total,
        place.home.logs,
        place.folder,
    )
