"""Patience with a server that restarts: the same question again, with a notice, for a bounded time."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from contracts.texts import Text
from tenantkeep.commands.clock import Clock
from tenantkeep.commands.errors import Unreachable

NOBODY_LISTENS = 15.0
"""Seconds a server that takes no connection is waited for: a gateway restarts in less, a stack that is down never."""

_RESTARTING = frozenset({502, 503, 504})
_PAUSE = 1.0
_LONGEST_PAUSE = 10.0

Question = Callable[[], httpx.Response]


@dataclass(frozen=True)
class Patience:
    """Asks for at most `seconds`; `notice` is told once, before the first repeat."""

    clock: Clock
    notice: Callable[[Text], None]
    seconds: float

    def ask(self, question: Question) -> httpx.Response:
        """Give the first answer that is no 502, 503 or 504; when the time is over the last one, or its error.

        Every request of this client may be repeated: it reads, replaces, has effect once, or carries an idempotency
        key. The server's Retry-After is kept to.
        """
        begun, repeated = self.clock.now(), False
        while True:
            outcome = _outcome(question)
            pause = _pause(outcome)
            if pause is None or self.clock.now() + pause > begun + self._limit(outcome):
                return _settled(outcome)
            if not repeated:
                self.notice(_notice(outcome, self._limit(outcome)))
                repeated = True
            self.clock.pause(pause)

    def _limit(self, outcome: httpx.Response | Exception) -> float:
        return self.seconds if isinstance(outcome, httpx.Response) else min(self.seconds, NOBODY_LISTENS)


def _outcome(question: Question) -> httpx.Response | Exception:
    try:
        return question()
    except (httpx.TransportError, Unreachable) as error:
        return error


def _settled(outcome: httpx.Response | Exception) -> httpx.Response:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _pause(outcome: httpx.Response | Exception) -> float | None:
    """Seconds until asking again may help; None when it will not."""
    if isinstance(outcome, Exception):
        return None if _stays(outcome) else _PAUSE
    if outcome.status_code not in _RESTARTING:
        return None
    after = outcome.headers.get("retry-after", "")
    return min(float(after), _LONGEST_PAUSE) if after.isascii() and after.isdigit() else _PAUSE


def _stays(error: BaseException | None) -> bool:
    """True for a wrong certificate and for a name nobody knows: no restart heals them."""
    while error is not None:
        if isinstance(error, ssl.SSLError | socket.gaierror):
            return True
        error = error.__cause__ or error.__context__
    return False


def _notice(outcome: httpx.Response | Exception, seconds: float) -> Text:
    if isinstance(outcome, httpx.Response) and b'"preparing"' in outcome.content:
        return Text(
            f"This mailbox is being made searchable. Asking again for up to {seconds:.0f} s.",
            f"Dieses Postfach wird durchsuchbar gemacht. Es wird bis zu {seconds:.0f} s lang weiter gefragt.",
        )
    return Text(
        f"No answer at the moment: something restarts. Asking again for up to {seconds:.0f} s.",
        f"Derzeit keine Antwort: etwas startet neu. Es wird bis zu {seconds:.0f} s lang weiter gefragt.",
    )
