"""Dead letters on the bus, read in place: the stream is the only copy, so none can be forgotten or left behind."""

import json
import re
from datetime import datetime

from faststream.exceptions import FastStreamException
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from chassis.bus import MESSAGE_NOT_FREE, Bus, BusUnreachable
from contracts import dead_letters, subjects
from contracts.streams import DLQ, taking
from monitor_service.ports import BusUnavailable, Letter, Refused

_READ = f"$JS.API.DIRECT.GET.{DLQ.name}"
"""Direct get (docs.nats.io, JetStream wire API): headers of the message and `Nats-Sequence`, `Nats-Time-Stamp`."""

_NANOSECONDS = re.compile(r"(\.\d{6})\d+")
_TIMEOUT = 2.0


class BusLetters:
    """Implements `ports.Letters`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def next(self, sequence: int, durable: str | None = None) -> Letter | None:
        wanted = {"seq": max(sequence, 1), "next_by_subj": subjects.dead_letter(durable or "*", "*")}
        try:
            answer = await self._bus.broker.request(json.dumps(wanted).encode(), _READ, timeout=_TIMEOUT)
        except (NatsError, FastStreamException, TimeoutError) as error:
            raise BusUnavailable(str(error)) from error
        headers = dict(answer.raw_message.headers or {})
        return _letter(headers, answer.raw_message.data) if "Nats-Sequence" in headers else None

    async def publish_again(self, letter: Letter) -> None:
        subject = letter.headers.get(dead_letters.SUBJECT, "")
        stream = taking(subject)
        if stream is None:
            raise Refused("it does not say which subject it came from")
        kept = {n: v for n, v in letter.headers.items() if n.lower().startswith(dead_letters.KEPT_HEADERS)}
        try:
            await self._bus.publish_raw(subject, letter.payload, {**kept, "Nats-Msg-Id": f"replay-{letter.id}"}, stream)
        except BusUnreachable as error:
            raise BusUnavailable(str(error)) from error
        except APIError as error:
            if error.err_code != MESSAGE_NOT_FREE:  # otherwise the same wake-up waits already: that is as good
                raise Refused(error.description or str(error)) from error


def _letter(headers: dict[str, str], payload: bytes) -> Letter:
    sequence = int(headers["Nats-Sequence"])
    at = datetime.fromisoformat(_NANOSECONDS.sub(r"\1", headers["Nats-Time-Stamp"]))
    *_, durable, tenant = headers["Nats-Subject"].split(".")
    # The time is part of the id: after a loss of the bus, places are given out again from 1.
    return Letter(sequence, f"{sequence}-{int(at.timestamp() * 1e6)}", durable, tenant, at, headers, payload)
