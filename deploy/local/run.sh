#!/bin/bash
# Starts the disposable local cluster and Forebay in front of it, everything below .forebay/ and on loopback.
# Run by `make run`; can be run again at any time, and finds what already runs.
set -euo pipefail
cd "$(dirname "$0")/../.."

forebay=.build/release/forebay
.build/release/local-cluster up --directory .forebay --replicas 2

set -a
# shellcheck source=/dev/null
source .forebay/cluster.env
set +a

http=${FOREBAY_INGEST_HTTP:-127.0.0.1:4318}
ops=${FOREBAY_OPS_LISTEN:-127.0.0.1:8480}
read=${FOREBAY_READ_LISTEN:-127.0.0.1:6432}

cat >.forebay/forebay.yaml <<YAML
# Written by \`make run\` for the local cluster; deploy/forebay.yaml explains every key.
queue:
  path: $PWD/.forebay/queue
  max_bytes: 8GiB
postgres:
  nodes: [${FOREBAY_POSTGRES_NODES//,/, }]
  database: $PGDATABASE
  writer: { user: apm_writer, password_file: $FOREBAY_POSTGRES_WRITER_PASSWORD_FILE }
  reader: { user: apm_reader, password_file: $FOREBAY_POSTGRES_READER_PASSWORD_FILE }
streams:
  apirequests: { table: public.apirequests }
ingest:
  http: ["$http"]
  tcp: ["${FOREBAY_INGEST_TCP:-127.0.0.1:5170}"]
read:
  listen: ["$read"]
ops:
  listen: "$ops"
YAML

"$forebay" init --config .forebay/forebay.yaml

running() { [ -s .forebay/forebay.pid ] && kill -0 "$(cat .forebay/forebay.pid)" 2>/dev/null; }

if running; then
    echo "Forebay runs already (process $(cat .forebay/forebay.pid))"
else
    setsid "$forebay" serve --config .forebay/forebay.yaml >>.forebay/forebay.log 2>&1 </dev/null &
    echo $! >.forebay/forebay.pid
fi

for _ in $(seq 100); do
    if curl -fs -o /dev/null "http://$ops/readyz"; then break; fi
    running || { echo "Forebay did not start; the end of .forebay/forebay.log:" >&2; tail -n 20 .forebay/forebay.log >&2; exit 1; }
    sleep 0.1
done
curl -fs -o /dev/null "http://$ops/readyz" || { echo "Forebay is not ready after 10 s; see .forebay/forebay.log" >&2; exit 1; }

cat <<TEXT

Forebay runs in front of one primary and two replicas (PostgreSQL on $FOREBAY_POSTGRES_NODES).

Send an event:
  curl -sS http://$http/v1/ingest/apirequests -H 'Content-Type: application/json' -d '{
    "time": "$(date -u +%FT%TZ)", "service": "checkout", "endpoint": "/cart/{id}", "method": "GET",
    "status_code": 200, "latency_ms": 12.5, "client_ip": "192.0.2.7", "tags": {"region": "eu"}}'

Read it:
  PGPASSWORD=$(cat $FOREBAY_POSTGRES_READER_PASSWORD_FILE) \\
    psql "host=${read%:*} port=${read##*:} dbname=$PGDATABASE user=apm_reader" \\
    -c 'SELECT time, service, endpoint, status_code, latency_ms FROM apirequests ORDER BY time DESC LIMIT 5'
  (From a replica, through Forebay; any client of PostgreSQL can connect there as apm_reader.)

Look around:
  http://$ops/                             the dashboard
  curl -s http://$ops/metrics              metrics for Prometheus
  $forebay status --config .forebay/forebay.yaml
  $forebay check --config .forebay/forebay.yaml

Put load on it:
  make seed COUNT=1000000
  make bench

Stop it:
  make stop
TEXT
