"""What a command says when it cannot do its work: what happened, what to do next, and the exit code."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.employee_changes import REFUSALS, Refusal, refusal_of
from contracts.problem import Problem
from contracts.texts import Text
from tenantkeep.exit_codes import ExitCode


@dataclass(eq=False)
class CommandError(Exception):
    """Ends a command. `remedy` is the next step for the person who reads it; `lines` are details without language."""

    message: Text
    remedy: Text
    exit_code: ExitCode = ExitCode.FAILED
    lines: Sequence[str] = ()
    code: str = "failed"

    def __str__(self) -> str:
        return f"{self.message.en} {self.remedy.en}"

    def body(self, text: str, remedy: str) -> dict[str, Any]:
        """The error as one JSON object, in the shape of a problem."""
        return {"code": self.code, "title": text, "detail": remedy, "errors": list(self.lines)}


class Unreachable(CommandError):
    """The server did not answer, or said that it cannot now: the same request may succeed later."""


class Refused(CommandError):
    """The gateway answered with a problem."""

    def __init__(self, problem: Problem, message: Text, remedy: Text, exit_code: ExitCode) -> None:
        super().__init__(message, remedy, exit_code, lines=tuple(_lines(problem)), code=problem.code)
        self.problem = problem


def usage(en: str, de: str) -> CommandError:
    """The command line itself is wrong."""
    remedy = Text("See the command's --help for an example.", "Beispiele zeigt die Hilfe des Befehls: --help")
    return CommandError(Text(en, de), remedy, ExitCode.USAGE, code="usage")


def refused(problem: Problem) -> CommandError:
    """The error for a problem: the text by its code, the exit code by its status."""
    refusal = None if problem.code in _BY_CODE else refusal_of(problem.code)
    message, remedy = _BY_CODE.get(problem.code) or _by_refusal(refusal) or _by_status(problem)
    if problem.detail and refusal is None:
        message = Text(f"{message.en} {problem.detail}", f"{message.de} {problem.detail}")
    if problem.status in _TRANSIENT:
        return Unreachable(message, remedy, lines=tuple(_lines(problem)), code=problem.code)
    exit_code = ExitCode.FAILED if problem.code in _NOT_USAGE else _EXIT_CODES.get(problem.status, ExitCode.FAILED)
    return Refused(problem, message, remedy, exit_code)


def _lines(problem: Problem) -> list[str]:
    return [": ".join(str(value) for value in error.values() if value != "") for error in problem.errors]


def _by_refusal(refusal: Refusal | None) -> tuple[Text, Text] | None:
    if refusal is None:
        return None
    known = REFUSALS[refusal]
    return _sentence(known.cause), _sentence(known.remedy)


def _sentence(text: Text) -> Text:
    return Text(*(f"{words[:1].upper()}{words[1:]}." for words in text))


def _by_status(problem: Problem) -> tuple[Text, Text]:
    title = Text(f"{problem.title.rstrip('.')}.", f"{problem.title.rstrip('.')}.")
    return title, _REMEDIES.get(problem.status, _SUPPORT)


_TRANSIENT = frozenset({429, 502, 503, 504})
_NOT_USAGE = frozenset({"connection-test-failed"})
_EXIT_CODES = {
    400: ExitCode.USAGE,
    401: ExitCode.NOT_AUTHORISED,
    403: ExitCode.NOT_AUTHORISED,
    422: ExitCode.USAGE,
}
_SIGN_IN = Text("Sign in: tenantkeep login", "Anmelden: tenantkeep login")
_LATER = Text(
    "Try again in a moment; `tenantkeep status` shows the processes of the embedded stack.",
    "Gleich noch einmal versuchen; `tenantkeep status` zeigt die Prozesse des eingebetteten Stacks.",
)
_SUPPORT = Text(
    "Look into the gateway's log; `tenantkeep status` names the log of each process.",
    "Das Protokoll des Gateways ansehen; `tenantkeep status` nennt das Protokoll jedes Prozesses.",
)
_CORRECT = Text("Correct the values and run the command again.", "Werte berichtigen und den Befehl wiederholen.")
_REMEDIES: dict[int, Text] = {
    401: _SIGN_IN,
    403: Text(
        "Ask an operator for the role this needs, then sign in again: tenantkeep login",
        "Eine berechtigte Person um die nötige Rolle bitten, dann neu anmelden: tenantkeep login",
    ),
    404: Text(
        "List what exists: tenantkeep tenant list, storage list, backup list, jobs list",
        "Vorhandenes anzeigen: tenantkeep tenant list, storage list, backup list, jobs list",
    ),
    409: Text("Look at what exists already, or choose another name.", "Vorhandenes ansehen oder anderen Namen wählen."),
    422: _CORRECT,
    400: _CORRECT,
    429: _LATER,
    502: _LATER,
    503: _LATER,
    504: _LATER,
}
_BY_CODE: dict[str, tuple[Text, Text]] = {
    "not-found": (Text("Not found.", "Nicht gefunden."), _REMEDIES[404]),
    "conflict": (Text("This contradicts what exists.", "Das widerspricht Vorhandenem."), _REMEDIES[409]),
    "invalid": (Text("The request is not valid.", "Die Anfrage ist nicht gültig."), _CORRECT),
    "connection-test-failed": (
        Text(
            "The connection test failed; nothing was saved.",
            "Der Verbindungstest ist fehlgeschlagen; nichts wurde gespeichert.",
        ),
        Text(
            "Correct what the failed step names, then add the target again.",
            "Beheben, was der fehlgeschlagene Schritt nennt, dann das Ziel erneut anlegen.",
        ),
    ),
    "retention-below-floor": (
        Text(
            "The retention is shorter than this tenant allows.", "Die Aufbewahrung ist kürzer, als der Mandant erlaubt."
        ),
        Text(
            "Choose a longer one, or see the floor: tenantkeep backup retention floor",
            "Eine längere wählen oder das Mindestmaß ansehen: tenantkeep backup retention floor",
        ),
    ),
    "token-in-use": (
        Text(
            "This is the last valid token of a profile in use.",
            "Das ist das letzte gültige Token eines Profils, das gebraucht wird.",
        ),
        Text(
            "First the new one, then the old one off: tenantkeep token generate",
            "Zuerst das neue, dann das alte aus: tenantkeep token generate",
        ),
    ),
    "shredding-refused": (
        Text("What is stored must not be made unreadable now.", "Das Gespeicherte darf jetzt nicht vernichtet werden."),
        Text(
            "See what is held and until when: tenantkeep offboard TENANT",
            "Ansehen, was wie lange gehalten wird: tenantkeep offboard TENANT",
        ),
    ),
    "unavailable": (Text("Not available at the moment.", "Derzeit nicht verfügbar."), _LATER),
}
