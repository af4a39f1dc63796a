"""`python -m chassis.bootstrap`: create or update every stream and durable of contracts, with its own bus user.

Idempotent; the only process that may change the bus. Services bind to what it made. With `--check` it changes
nothing and prints what differs, as one JSON document; the exit code is 1 when something does. The durables of foreign
sources follow the register that TENANTKEEP_BUS_SOURCES names; with `--sources` nothing else is touched.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import structlog
from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis import bus_sources, closing, logs, tls
from chassis.settings import NATS, USAGE, ProcessSettings, SettingsRefused, load
from contracts.bus_users import BOOTSTRAP, inbox_prefix
from contracts.streams import DURABLES, STREAMS, Durable, Stream

log = structlog.get_logger()


class BootstrapSettings(ProcessSettings):
    """What the bootstrap command reads."""

    model_config = SettingsConfigDict(frozen=True)

    health_port: int = Field(0, description="Unused: the command serves no probes.")
    nats_url: str = Field(pattern=NATS, description="URL of NATS, tls://host:port; several are separated by commas.")
    nats_nkey: SecretStr = Field(description="nkey seed of the bus user `bootstrap`.")
    ack_wait: float | None = Field(
        None, gt=0, description="Seconds of every durable's ack wait; unset: each durable's own."
    )
    bus_replicas: int = Field(1, ge=1, le=5, description="Replicas of every stream; 3 on a cluster.")
    bus_sources: Path | None = Field(
        None,
        description="Register of the foreign sources (`tenantkeep source`): their durables are made, those of removed "
        "ones deleted; unset: they are left as they are.",
    )


def stream_config(stream: Stream, replicas: int) -> api.StreamConfig:
    """The declaration as JetStream's configuration."""
    workqueue = stream.retention == "workqueue"
    return api.StreamConfig(
        name=stream.name,
        subjects=list(stream.subjects) or None,
        retention=api.RetentionPolicy.WORK_QUEUE if workqueue else api.RetentionPolicy.LIMITS,
        discard=api.DiscardPolicy.NEW if workqueue else api.DiscardPolicy.OLD,
        discard_new_per_subject=workqueue,
        max_msgs_per_subject=1 if workqueue else -1,
        max_age=stream.max_age,
        max_bytes=stream.max_bytes or -1,
        max_msg_size=stream.max_msg_size or -1,
        duplicate_window=stream.duplicate_window,
        compression=api.StoreCompression.S2 if stream.compression else api.StoreCompression.NONE,
        storage=api.StorageType.FILE,
        allow_direct=True,
        num_replicas=replicas,
        sources=[api.StreamSource(name=name, filter_subject=subject) for name, subject in stream.sources] or None,
    )


def consumer_config(durable: Durable) -> api.ConsumerConfig:
    """The declaration as JetStream's configuration; attempts are counted by us, hence no max_deliver."""
    return api.ConsumerConfig(
        durable_name=durable.name,
        filter_subject=durable.filter,
        ack_policy=api.AckPolicy.EXPLICIT,
        deliver_policy=api.DeliverPolicy.ALL,
        ack_wait=durable.ack_wait,
        max_deliver=-1,
        max_ack_pending=durable.max_ack_pending,
    )


async def ensure(js: JetStreamContext, replicas: int = 1, ack_wait: float | None = None) -> None:
    """Create or update everything; running it twice changes nothing. `ack_wait` shortens the wait in tests."""
    for stream in STREAMS:
        config = stream_config(stream, replicas)
        try:
            await js.stream_info(stream.name)
            await js.update_stream(config)
        except NotFoundError:
            await js.add_stream(config)
    for durable in DURABLES:
        consumer = consumer_config(durable)
        if ack_wait is not None:
            consumer.ack_wait = ack_wait
        await js.add_consumer(durable.stream.name, consumer)


async def differences(js: JetStreamContext) -> list[tuple[str, str]]:
    """(stream or durable, what is wrong with it) for everything that is not as declared; ack waits may be shorter."""
    found = []
    for stream in STREAMS:
        try:
            there = (await js.stream_info(stream.name)).config
        except NotFoundError:
            found.append((stream.name, "missing"))
            continue
        if sorted(there.subjects or []) != sorted(stream.subjects):
            found.append((stream.name, f"takes {there.subjects}"))
    for durable in DURABLES:
        try:
            consumer = (await js.consumer_info(durable.stream.name, durable.name)).config
        except NotFoundError:
            found.append((durable.name, "missing"))
            continue
        if consumer.filter_subject != durable.filter:
            found.append((durable.name, f"filters {consumer.filter_subject}"))
    return found


@asynccontextmanager
async def _connected(settings: BootstrapSettings) -> AsyncIterator[JetStreamContext]:
    closing.bound()
    connection = await nats.connect(
        settings.nats_url.split(","),
        nkeys_seed_str=settings.nats_nkey.get_secret_value(),
        tls=tls.client_context(settings.ca_file),
        tls_handshake_first=True,  # as in chassis.bus.connect
        inbox_prefix=inbox_prefix(BOOTSTRAP.name).encode(),
        connect_timeout=closing.HANDSHAKE,
        max_reconnect_attempts=5,
        reconnect_time_wait=1,
    )
    try:
        yield connection.jetstream()
    finally:
        await connection.close()


async def main(settings: BootstrapSettings) -> int:
    """Create or update everything; the exit code."""
    register = bus_sources.read(settings.bus_sources) if settings.bus_sources else None
    async with _connected(settings) as js:
        await ensure(js, settings.bus_replicas, settings.ack_wait)
        if register is not None:
            await bus_sources.ensure(js, register)
    log.info(
        "bus is ready", streams=len(STREAMS), durables=len(DURABLES), sources=len(register.sources) if register else 0
    )
    return 0


async def follow_sources(settings: BootstrapSettings) -> int:
    """Make the durables of foreign sources follow their register, and leave everything else; the exit code."""
    if settings.bus_sources is None:
        raise SettingsRefused(["TENANTKEEP_BUS_SOURCES is required for --sources."])
    register = bus_sources.read(settings.bus_sources)
    async with _connected(settings) as js:
        await bus_sources.ensure(js, register)
    log.info("bus follows the register", sources=len(register.sources))
    return 0


async def check(settings: BootstrapSettings) -> int:
    """Print what differs from the declarations; the exit code."""
    register = bus_sources.read(settings.bus_sources) if settings.bus_sources else None
    async with _connected(settings) as js:
        found = await differences(js)
        if register is not None:
            found += await bus_sources.differences(js, register)
    json.dump({"streams": len(STREAMS), "durables": len(DURABLES), "differences": found}, sys.stdout)
    return 1 if found else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_const", dest="wanted", const=check, help="only print what differs")
    choice.add_argument("--sources", action="store_const", dest="wanted", const=follow_sources, help="these alone")
    parser.set_defaults(wanted=main)
    wanted = parser.parse_args().wanted
    found = load(BootstrapSettings)
    logs.configure(found.log_level, "bootstrap")
    try:
        sys.exit(asyncio.run(wanted(found)))
    except SettingsRefused as refused:
        sys.stderr.write(f"{refused}\n")
        sys.exit(USAGE)
