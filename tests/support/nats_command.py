"""A stand-in for the `nats` command, as far as docs/reference/connect/request_backup.sh uses it.

It takes the arguments that natscli takes (nats/main.go, cli/pub_command.go, cli/consumer_command.go) and puts the same
subject, headers and body on the wire: `publish --jetstream` is a request whose answer is the PubAck, a header is split
at its first colon, `consumer next` asks `<js-api-prefix>.CONSUMER.MSG.NEXT.<stream>.<consumer>` for one message, prints
headers and data and acknowledges.
"""

import argparse
import asyncio
import json
import ssl
import sys
from typing import Any

import nats
from nats.errors import TimeoutError as NatsTimeoutError


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nats", allow_abbrev=False)
    for flag in ("--server", "--tlsca", "--nkey", "--js-api-prefix", "--timeout"):
        parser.add_argument(flag, required=True)
    parser.add_argument("--tlsfirst", action="store_true", required=True)
    commands = parser.add_subparsers(dest="command", required=True)
    publish = commands.add_parser("publish")
    publish.add_argument("--jetstream", "-J", action="store_true", required=True)
    publish.add_argument("--header", "-H", action="append", default=[])
    publish.add_argument("subject")
    publish.add_argument("body")
    actions = commands.add_parser("consumer").add_subparsers(dest="action", required=True)
    following = actions.add_parser("next")
    following.add_argument("stream")
    following.add_argument("consumer")
    following.add_argument("--ack", action="store_true", required=True)
    return parser.parse_args()


async def run(given: argparse.Namespace) -> int:
    tls = ssl.create_default_context(cafile=given.tlsca)
    connection = await nats.connect(given.server, nkeys_seed=given.nkey, tls=tls, tls_handshake_first=True)
    try:
        return await {"publish": publish, "consumer": following}[given.command](connection, given)
    finally:
        await connection.close()


async def publish(connection: Any, given: argparse.Namespace) -> int:
    pairs = [header.split(":", 1) for header in given.header]
    headers = {name.strip(): value.strip() for name, value in pairs}
    answer = await connection.request(given.subject, given.body.encode(), timeout=5, headers=headers or None)
    ack = json.loads(answer.data)
    print(f"Stored in Stream: {ack['stream']} Sequence: {ack['seq']}")
    return 0


async def following(connection: Any, given: argparse.Namespace) -> int:
    jetstream = connection.jetstream(prefix=given.js_api_prefix)
    durable = await jetstream.pull_subscribe_bind(durable=given.consumer, stream=given.stream)
    try:
        [message] = await durable.fetch(1, timeout=float(given.timeout.removesuffix("s")))
    except NatsTimeoutError:
        print("nats: error: no message received", file=sys.stderr)
        return 1
    print(f"--- subject: {message.subject}\n\nHeaders:\n")
    for name, value in message.headers.items():
        print(f"  {name}: {value}")
    print(f"\nData:\n\n{message.data.decode()}")
    await message.ack_sync()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(run(arguments())))
