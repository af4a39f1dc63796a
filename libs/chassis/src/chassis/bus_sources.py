"""The durables of foreign sources: made and deleted as their register says (ADR 0020). Part of the bootstrap."""

from pathlib import Path

from nats.js import JetStreamContext, api
from pydantic import ValidationError

from chassis.settings import SettingsRefused
from contracts import foreign_sources
from contracts.foreign_sources import ForeignSource, Register


def read(path: Path) -> Register:
    """The register in this file. Raises SettingsRefused."""
    try:
        return Register.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsRefused([f"TENANTKEEP_BUS_SOURCES names a file that cannot be read: {error.strerror}."]) from None
    except ValidationError as error:
        places = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False))
        raise SettingsRefused([f"TENANTKEEP_BUS_SOURCES names a file that is no register: {places}."]) from None


def consumer_config(source: ForeignSource) -> api.ConsumerConfig:
    """What a source hears: events of its tenants, from its registration on."""
    return api.ConsumerConfig(
        durable_name=source.durable,
        filter_subjects=list(source.filters),
        ack_policy=api.AckPolicy.EXPLICIT,
        deliver_policy=api.DeliverPolicy.NEW,
        ack_wait=30,
        max_deliver=-1,
        max_ack_pending=1000,
    )


async def ensure(js: JetStreamContext, register: Register) -> None:
    """Make the durables of these sources and delete those of others."""
    stream = foreign_sources.EVENTS.name
    for source in register.sources:
        await js.add_consumer(stream, consumer_config(source))
    wanted = {source.durable for source in register.sources}
    for name in await _durables(js, stream) - wanted:
        await js.delete_consumer(stream, name)


async def differences(js: JetStreamContext, register: Register) -> list[tuple[str, str]]:
    """(durable, what is wrong with it) for everything that is not as the register says."""
    there = await _durables(js, foreign_sources.EVENTS.name)
    wanted = {source.durable for source in register.sources}
    missing = [(name, "missing") for name in sorted(wanted - there)]
    return missing + [(name, "of no registered source") for name in sorted(there - wanted)]


async def _durables(js: JetStreamContext, stream: str) -> set[str]:
    """Those of foreign sources."""
    found: list[str] = []
    while True:
        page = await js.consumers_info(stream, offset=len(found))
        if not page:
            return {name for name in found if foreign_sources.is_durable(name)}
        found += [info.name for info in page]
