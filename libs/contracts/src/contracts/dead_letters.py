"""Headers of a dead letter: what `m365.dlq.v1.<durable>.<tenant>` tells besides the payload it carries unchanged."""

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
