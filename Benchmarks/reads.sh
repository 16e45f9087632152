#!/bin/bash
# The read port beside pgbouncer and beside no proxy at all: `pgbench -S` against one replica of a cluster of its own, contenders in turn,
# round by round. Prints each round, then medians with minimum and maximum. Run by `make bench-reads`.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${ROUNDS:-5}
duration=${DURATION:-3}
directory=$PWD/.forebay/bench-reads
port=${PORT:-17432}
replica=$((port + 1))
forebay_port=$((port + 10))
pgbouncer_port=$((port + 11))
# Both pools and 64 connections beside them have to find room below the server's max_connections of 100.
pool=15
forebay=.build/release/forebay

mkdir -p "$directory"
.build/release/local-cluster up --directory "$directory" --replicas 1 --port "$port" >"$directory/cluster.log"
set -a
# shellcheck source=/dev/null
source "$directory/cluster.env"
set +a
database=$PGDATABASE
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    .build/release/local-cluster down --directory "$directory" >>"$directory/cluster.log"
    rm -rf "$directory"
}
trap finish EXIT

cat >"$directory/forebay.yaml" <<YAML
queue: { path: $directory/queue, max_bytes: 1GiB }
postgres:
  nodes: [${FOREBAY_POSTGRES_NODES//,/, }]
  database: $database
  writer: { user: apm_writer, password_file: $FOREBAY_POSTGRES_WRITER_PASSWORD_FILE }
  reader: { user: apm_reader, password_file: $FOREBAY_POSTGRES_READER_PASSWORD_FILE }
ingest: { http: ["127.0.0.1:$((port + 12))"], tcp: [] }
read: { listen: ["127.0.0.1:$forebay_port"], pool_size: $pool }
ops: { listen: "127.0.0.1:$((port + 13))" }
YAML
"$forebay" init --config "$directory/forebay.yaml" >"$directory/init.log"
pgbench -i -q -s 10 2>"$directory/pgbench.log"
psql -qc 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO apm_reader'

unset PGPASSFILE
PGPASSWORD=$(cat "$FOREBAY_POSTGRES_READER_PASSWORD_FILE")
export PGPASSWORD PGUSER=apm_reader PGHOST=127.0.0.1
cat >"$directory/pgbouncer.ini" <<INI
[databases]
$database = host=127.0.0.1 port=$replica dbname=$database
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $pgbouncer_port
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $directory/userlist.txt
pool_mode = transaction
default_pool_size = $pool
max_client_conn = 1000
ignore_startup_parameters = extra_float_digits
INI
echo "\"apm_reader\" \"$PGPASSWORD\"" >"$directory/userlist.txt"
# pgbouncer refuses root, as PostgreSQL does.
as=()
if [ "$(id -u)" = 0 ]; then
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    chown postgres "$directory/pgbouncer.ini" "$directory/userlist.txt"
    chmod o+x "$directory"
fi
"$forebay" serve --config "$directory/forebay.yaml" >"$directory/forebay.log" 2>&1 &
forebay_pid=$!
"${as[@]}" pgbouncer "$directory/pgbouncer.ini" >"$directory/pgbouncer.log" 2>&1 &
pgbouncer_pid=$!
pids=("$forebay_pid" "$pgbouncer_pid")
for there in "$forebay_port" "$pgbouncer_port"; do
    for _ in $(seq 100); do
        PGPORT=$there psql -d "$database" -Atqc 'SELECT 1' >/dev/null 2>&1 && continue 2
        sleep 0.1
    done
    echo "nothing answers on port $there:" >&2
    cat "$directory/forebay.log" "$directory/pgbouncer.log" >&2
    exit 1
done

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
measure() { # name, port, process or none, clients, mode
    local before after out
    before=$([ "$3" = none ] && echo 0 || ticks "$3")
    out=$(PGPORT=$2 pgbench -S -n -M "$5" -c "$4" -j 2 -T "$duration" "$database" 2>&1) || {
        echo "pgbench through $1 failed: $out" >&2
        return 1
    }
    after=$([ "$3" = none ] && echo 0 || ticks "$3")
    awk -v name="$1" -v clients="$4" -v mode="$5" -v ticks="$((after - before))" -v hz="$(getconf CLK_TCK)" '
        /actually processed/ { split($NF, parts, "/"); count = parts[1] }
        /failed transactions/ { failed = $5 }
        /^tps/ { printf "%s %s %d %.0f %.2f %d\n", name, mode, clients, $3, ticks / hz * 100000 / count, failed }
    ' <<<"$out" | tee -a "$directory/rounds.txt"
}

echo "contender mode clients statements/s CPU-seconds/100,000 failed"
for _ in $(seq "$rounds"); do
    for clients in 8 64; do
        measure forebay "$forebay_port" "$forebay_pid" "$clients" simple
        measure pgbouncer "$pgbouncer_port" "$pgbouncer_pid" "$clients" simple
        measure direct "$replica" none "$clients" simple
        # Debian 12's pgbouncer keeps no prepared statements in transaction mode.
        measure forebay "$forebay_port" "$forebay_pid" "$clients" prepared
        measure direct "$replica" none "$clients" prepared
    done
done

python3 - "$directory/rounds.txt" <<'PYTHON'
import statistics
import sys

rounds = {}
failures = 0
for line in open(sys.argv[1]):
    name, mode, clients, rate, cost, failed = line.split()
    failures += int(failed)
    rounds.setdefault((mode, int(clients), name), []).append((float(rate), float(cost)))


def spread(values, form):
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


print("\n| pgbench -S -M | clients | contender | statements a second | CPU seconds per 100,000 | Forebay's part of it |\n| --- | --- | --- | --- | --- | --- |")
for (mode, clients, name), values in sorted(rounds.items()):
    own = rounds[(mode, clients, "forebay")]
    part = "" if name == "forebay" else spread([mine[0] / theirs[0] for mine, theirs in zip(own, values)], ".2f")
    cost = "" if name == "direct" else spread([cost for _, cost in values], ".2f")
    print(f"| {mode} | {clients} | {name} | {spread([rate for rate, _ in values], ',.0f')} | {cost} | {part} |")
sys.exit(f"{failures} transactions failed" if failures else 0)
PYTHON
