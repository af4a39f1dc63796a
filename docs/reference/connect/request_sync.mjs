// Ask Tenantkeep for a directory sync over NATS and follow what becomes of it.
//
// Needs Node 18 and the package nats: npm install nats@2. Prints every event of the request as one line of JSON.
// Exit code: 0 succeeded, 1 failed or rejected, 3 partial, 4 nothing final within --wait seconds.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { connect, headers, nkeyAuthenticator, StringCodec } from "nats";

const ENDS = { "m365.job.succeeded.v1": 0, "m365.job.failed.v1": 1, "m365.job.partial.v1": 3 };
const text = StringCodec();
const named = ["server", "ca", "seed", "source", "tenant", "kind", "mode", "id", "wait"];
const { values: args } = parseArgs({
  options: { ...Object.fromEntries(named.map((name) => [name, { type: "string" }])), user: { type: "string", multiple: true } },
});

/** Body and headers of a SyncRequested, as a CloudEvent in binary or structured mode. */
function message(identity) {
  const now = new Date().toISOString();
  const data = { tenant: args.tenant, at: now, request: identity, kind: args.kind ?? "incremental", users: args.user ?? [] };
  const attributes = {
    specversion: "1.0", id: identity, source: `/${args.source}`, type: "m365.sync.requested.v1", time: now,
  };
  const head = headers();
  if (args.mode === "structured") {
    head.set("content-type", "application/cloudevents+json");
    return [{ ...attributes, datacontenttype: "application/json", data }, head];
  }
  for (const [name, value] of Object.entries(attributes)) head.set(`ce-${name}`, value);
  head.set("content-type", "application/json");
  return [data, head];
}

/** Read the durable until the request has come to its end. It is one durable per source: what is read is acked. */
async function follow(jetstream, identity) {
  const durable = await jetstream.consumers.get("M365_EVT", `source-${args.source}`);
  const deadline = Date.now() + 1000 * Number(args.wait ?? 600);
  while (Date.now() < deadline) {
    for await (const received of await durable.fetch({ max_messages: 50, expires: 2000 })) {
      received.ack();
      const kind = received.headers.get("ce-type");
      const event = JSON.parse(text.decode(received.data));
      if (event.causation !== identity) continue;
      console.log(JSON.stringify({ type: kind, ...event }));
      if (kind === "m365.request.rejected.v1") return 1;
      if (event.scope === "run" && kind in ENDS) return ENDS[kind];
    }
  }
  return 4;
}

const connection = await connect({
  servers: args.server,
  authenticator: nkeyAuthenticator(text.encode(readFileSync(args.seed, "utf8").trim())),
  tls: { caFile: args.ca, handshakeFirst: true },
});
const identity = args.id ?? randomUUID();
const jetstream = connection.jetstream({ apiPrefix: "m365.api" });
const [body, head] = message(identity);
const subject = `m365.ext.v1.${args.source}.${args.tenant}.sync.requested`;
// A repeat of this request has the same id and starts no second run. Nobody else can guess it, so that it is good
// as a message id too: the stream drops repeats whoever sends them.
const stored = await jetstream.publish(subject, text.encode(JSON.stringify(body)), { headers: head, msgID: identity });
console.log(JSON.stringify({ stored: stored.seq, id: identity, repeat: stored.duplicate }));
process.exitCode = await follow(jetstream, identity);
await connection.drain();
