"""An ingest service as one would write it in an afternoon: aiohttp in front, asyncpg behind, and PostgreSQL has committed the
request's events before it is answered. `insert` puts them there with one INSERT, `copy` with one COPY (FORMAT binary).

Nothing is kept outside PostgreSQL: while that is away, requests fail; an agent that resends after a lost answer doubles.
"""

import argparse
import datetime
import json
import os
import signal

import asyncpg
import uvloop
from aiohttp import web

COLUMNS = {
    "time": "timestamptz",
    "service": "text",
    "endpoint": "text",
    "method": "text",
    "status_code": "smallint",
    "latency_ms": "double precision",
    "request_bytes": "integer",
    "response_bytes": "integer",
    "trace_id": "text",
    "client_ip": "inet",
    "user_agent": "text",
    "tags": "jsonb",
}
NAMES = list(COLUMNS)
INSERT = "INSERT INTO apirequests ({}) SELECT * FROM unnest({})".format(
    ", ".join(NAMES),
    ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(COLUMNS.values(), 1)),
)


def row(line):
    event = json.loads(line)
    event["time"] = datetime.datetime.fromisoformat(event["time"])
    event["tags"] = json.dumps(event["tags"])
    return [event[name] for name in NAMES]


class Service:
    def __init__(self, mode):
        self.write = self.insert if mode == "insert" else self.copy

    async def open(self, app):
        # The connection is that of libpq's environment. Compiling the driver's own look at the types would take seconds.
        self.pool = await asyncpg.create_pool(min_size=4, max_size=4, server_settings={"jit": "off"})

    async def close(self, app):
        await self.pool.close()

    async def insert(self, connection, rows):
        await connection.execute(INSERT, *zip(*rows))

    async def copy(self, connection, rows):
        await connection.copy_records_to_table("apirequests", records=rows, columns=NAMES)

    async def ingest(self, request):
        rows = [row(line) for line in (await request.read()).splitlines()]
        async with self.pool.acquire() as connection:
            await self.write(connection, rows)
        return web.json_response({"accepted": len(rows)})

    async def health(self, request):
        return web.Response(text="ok")


def serve(mode, port):
    uvloop.install()
    service = Service(mode)
    app = web.Application(client_max_size=16 << 20)
    app.on_startup.append(service.open)
    app.on_cleanup.append(service.close)
    app.router.add_post("/v1/ingest/apirequests", service.ingest)
    app.router.add_get("/healthz", service.health)
    web.run_app(app, host="127.0.0.1", port=port, reuse_port=True, access_log=None, print=None)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["insert", "copy"])
    parser.add_argument("port", type=int)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()

    workers = []
    for _ in range(arguments.workers):
        worker = os.fork()
        if worker == 0:
            serve(arguments.mode, arguments.port)
            os._exit(0)
        workers.append(worker)

    def stop(*_):
        for worker in workers:
            os.kill(worker, signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for worker in workers:
        os.waitpid(worker, 0)


main()
