"""Ask Tenantkeep for a directory sync over NATS and follow what becomes of it.

Needs nats-py with nkeys: pip install "nats-py[nkeys]". Prints every event of the request as one line of JSON.
Exit code: 0 succeeded, 1 failed or rejected, 3 partial, 4 nothing final within --wait seconds.
"""

import argparse
import asyncio
import json
import ssl
import sys
import uuid
from datetime import datetime, timezone

import nats

ENDS = {"m365.job.succeeded.v1": 0, "m365.job.failed.v1": 1, "m365.job.partial.v1": 3}


def message(args, identity):
    """Body and headers of a SyncRequested, as a CloudEvent in binary or structured mode."""
    now = datetime.now(timezone.utc).isoformat()
    data = {"tenant": args.tenant, "at": now, "request": identity, "kind": args.kind, "users": args.user}
    attributes = {"specversion": "1.0", "id": identity, "source": f"/{args.source}", "type": "m365.sync.requested.v1"}
    # A repeat of this request has the same id and starts no second run. Nobody else can guess it, so that it is good
    # as a message id too: the stream drops repeats whoever sends them.
    headers = {"Nats-Msg-Id": identity}
    if args.mode == "structured":
        body = {**attributes, "time": now, "datacontenttype": "application/json", "data": data}
        return json.dumps(body).encode(), {**headers, "content-type": "application/cloudevents+json"}
    ce = {f"ce-{name}": value for name, value in {**attributes, "time": now}.items()}
    return json.dumps(data).encode(), {**headers, **ce, "content-type": "application/json"}


async def main(args):
    identity = args.id or str(uuid.uuid4())
    tls = ssl.create_default_context(cafile=args.ca)
    connection = await nats.connect(args.server, nkeys_seed=args.seed, tls=tls, tls_handshake_first=True)
    try:
        jetstream = connection.jetstream(prefix="m365.api")
        body, headers = message(args, identity)
        subject = f"m365.ext.v1.{args.source}.{args.tenant}.sync.requested"
        stored = await jetstream.publish(subject, body, headers=headers)
        print(json.dumps({"stored": stored.seq, "id": identity, "repeat": bool(stored.duplicate)}), flush=True)
        return await follow(jetstream, args, identity)
    finally:
        await connection.close()


async def follow(jetstream, args, identity):
    """Read the durable until the request has come to its end. It is one durable per source: what is read is acked."""
    durable = await jetstream.pull_subscribe_bind(durable=f"source-{args.source}", stream="M365_EVT")
    loop = asyncio.get_running_loop()
    deadline = loop.time() + args.wait
    while loop.time() < deadline:
        try:
            messages = await durable.fetch(50, timeout=2)
        except nats.errors.TimeoutError:
            continue
        for received in messages:
            await received.ack()
            kind, event = received.headers["ce-type"], json.loads(received.data)
            if event.get("causation") != identity:
                continue
            print(json.dumps({"type": kind, **event}), flush=True)
            if kind == "m365.request.rejected.v1":
                return 1
            if event.get("scope") == "run" and kind in ENDS:
                return ENDS[kind]
    return 4


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="tls://host:port")
    parser.add_argument("--ca", required=True, help="PEM file of the bus' certificate authority")
    parser.add_argument("--seed", required=True, help="file with the nkey seed of the source")
    parser.add_argument("--source", required=True)
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--kind", choices=["full", "incremental", "users", "profile"], default="incremental")
    parser.add_argument("--user", action="append", default=[], help="Entra object id, if the kind needs one; repeat it")
    parser.add_argument("--mode", choices=["binary", "structured"], default="binary")
    parser.add_argument("--id", help="id of an earlier request, to repeat it")
    parser.add_argument("--wait", type=float, default=600)
    sys.exit(asyncio.run(main(parser.parse_args())))
