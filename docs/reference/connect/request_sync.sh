#!/bin/sh
# Ask Tenantkeep for a directory sync with the `nats` command and follow what becomes of it. Prints what it receives.
# Usage: request_sync.sh SERVER CA SEED SOURCE TENANT KIND [binary|structured [USER]...]
# Exit code: 0 succeeded, 1 failed or rejected, 3 partial, 4 nothing more came within a minute.
set -eu
server=$1 ca=$2 seed=$3 source=$4 tenant=$5 kind=$6 mode=${7:-binary}
users=
if [ $# -gt 7 ]; then
    shift 7
    users=$(printf '"%s",' "$@") # Entra object ids
fi

bus() { nats --server "$server" --tlsca "$ca" --tlsfirst --nkey "$seed" --js-api-prefix m365.api --timeout 60s "$@"; }

id=$(cat /proc/sys/kernel/random/uuid) # one that nobody can guess; the same again is the same request
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
subject=m365.ext.v1.$source.$tenant.sync.requested
data='{"tenant":"'$tenant'","at":"'$now'","request":"'$id'","kind":"'$kind'","users":['${users%,}']}'
if [ "$mode" = structured ]; then
    data='{"specversion":"1.0","id":"'$id'","source":"/'$source'","type":"m365.sync.requested.v1","data":'$data'}'
    bus publish --jetstream "$subject" "$data" -H Nats-Msg-Id:"$id" -H content-type:application/cloudevents+json
else
    bus publish --jetstream "$subject" "$data" -H Nats-Msg-Id:"$id" -H content-type:application/json \
        -H ce-specversion:1.0 -H ce-id:"$id" -H ce-source:/"$source" -H ce-type:m365.sync.requested.v1 \
        -H ce-time:"$now"
fi

while event=$(bus consumer next M365_EVT "source-$source" --ack); do
    case $event in *'"causation":"'"$id"'"'*) printf '%s\n' "$event" ;; *) continue ;; esac
    case $event in *'ce-type: m365.request.rejected.v1'*) exit 1 ;; *'"scope":"run"'*) ;; *) continue ;; esac
    case $event in
    *'ce-type: m365.job.succeeded.v1'*) exit 0 ;;
    *'ce-type: m365.job.partial.v1'*) exit 3 ;;
    *'ce-type: m365.job.failed.v1'*) exit 1 ;;
    esac
done
exit 4
