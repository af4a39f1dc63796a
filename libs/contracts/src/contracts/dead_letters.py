"""Dead letters: what `m365.dlq.v1.<durable>.<tenant>` tells besides the unchanged payload, and how people see it."""

from pydantic import AwareDatetime, Field

from contracts.names import Token
from contracts.views import View

KEPT_HEADERS = ("ce-", "content-type", "traceparent")
"""Beginnings of the headers a dead letter keeps of its message, in lower case."""

REASON = "m365-dlq-reason"
"""Why, in one line; never a value of the payload."""

SUBJECT = "m365-dlq-subject"
"""The subject the message had."""

STREAM = "m365-dlq-stream"
SEQUENCE = "m365-dlq-sequence"
"""The stream the durable read, and the message's place in it."""

DELIVERIES = "m365-dlq-deliveries"
"""How often it was delivered before it was given up."""


class DeadLetter(View):
    """A message that could not be processed, kept with the reason. `tenant` is `_` when its subject names none."""

    id: Token
    durable: Token
    tenant: Token
    subject: str
    reason: str
    deliveries: int
    size: int = Field(description="bytes of the payload")
    buried_at: AwareDatetime
    replayed_at: AwareDatetime | None = None
    replayed_by: str | None = None


class DeadLetterContent(View):
    """A dead letter with what it holds; the payload is in base64, because it need not be text."""

    letter: DeadLetter
    headers: dict[str, str]
    payload: str
