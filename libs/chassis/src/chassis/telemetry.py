"""Traces: one from the request of a person to the snapshot, over processes, retries and nights (ADR 0012).

    with telemetry.span("snapshot", tenant=claim.tenant) as current:
        current.set_attribute("items", 12)

Where a trace goes on in another process, its W3C `traceparent` travels: in the headers of messages, and in the
documents of runs and jobs for whatever happens later. Without TENANTKEEP_OTLP_ENDPOINT nothing is recorded or sent, but
the `traceparent` of a stranger is still handed on. Attributes are ids and counts: no content, no error texts.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from opentelemetry import trace
from opentelemetry.trace import NoOpTracer, Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chassis import tls
from chassis.settings import ProcessSettings

HEADER = "traceparent"

_W3C = TraceContextTextMapPropagator()
_KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
_EXPORT_SECONDS = 3.0
"""A collector that is away costs traces and, at the end of a process, at most this."""

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attribute = str | int | float | bool


class _Recording:
    """The tracer of this process; OpenTelemetry's own global can be set only once and would make libraries record."""

    tracer: Tracer = NoOpTracer()


def configure(settings: ProcessSettings, service: str) -> Callable[[], None]:
    """Send the traces of this process, as `service`, to TENANTKEEP_OTLP_ENDPOINT; does nothing without it.

    What is left is sent when the interpreter ends, or when the returned function is called.
    """
    if settings.otlp_endpoint is None:
        return _nothing
    # Imported here: these cost every start a quarter of a second, and most processes do not send traces.
    import requests  # noqa: PLC0415 - see above
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - see above
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON  # noqa: PLC0415 - see above

    session = requests.Session()
    session.trust_env = False  # neither proxies nor bundles of other programs
    exporter = OTLPSpanExporter(
        endpoint=settings.otlp_endpoint,
        certificate_file=str(settings.ca_file or tls.system_ca_file()),
        timeout=_EXPORT_SECONDS,
        session=session,
    )
    provider = TracerProvider(sampler=ALWAYS_ON, resource=Resource({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    _Recording.tracer = provider.get_tracer("tenantkeep")
    return provider.shutdown


def _nothing() -> None:
    """There is nothing to send."""


@contextmanager
def span(name: str, kind: Kind = "internal", parent: str | None = None, **attributes: Attribute) -> Iterator[Span]:
    """Record what happens inside; `parent` is the `traceparent` of where it began, otherwise the span around it."""
    opened = _Recording.tracer.start_span(
        name,
        context=_W3C.extract({HEADER: parent}) if parent else None,
        kind=_KINDS[kind],
        attributes={f"tenantkeep.{key}": value for key, value in attributes.items()},
    )
    with trace.use_span(opened, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield opened
        except BaseException as error:
            # The class and not the text, which may quote what was sent.
            opened.set_attribute("error.type", type(error).__name__)
            opened.set_status(Status(StatusCode.ERROR))
            raise


def traceparent() -> str | None:
    """Where the trace stands now, for a message or a document; None outside of any."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get(HEADER)
