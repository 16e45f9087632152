import HTTPTypes

/// The page at `/`: one document without anything from elsewhere, which asks `/v1/status` every two seconds.
///
/// It builds every text as a text node, so that no name from the status becomes markup.
enum Dashboard {
    /// Nothing from elsewhere, in no frame; the page's own style and script are let in by name of being inline.
    static let headers: HTTPFields = [
        .contentSecurityPolicy:
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
            + "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        .xContentTypeOptions: "nosniff",
    ]

    static let page = #"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Forebay</title>
        <style>
        :root { color-scheme: light dark; --ink: #1c2430; --soft: #5d6b7c; --page: #f5f7f9; --card: #fff; --line: #dde3ea;
          --water: #1f7a8c; --good: #1b7f4b; --bad: #b3261e; --warn: #9a6700; }
        @media (prefers-color-scheme: dark) { :root { --ink: #e4e9ef; --soft: #93a1b1; --page: #12171d; --card: #1a2129;
          --line: #2c3642; --water: #58b6c9; --good: #56c68b; --bad: #ff8a80; --warn: #e3b341; } }
        * { box-sizing: border-box; }
        body { margin: 0; padding: 1.5rem; background: var(--page); color: var(--ink);
          font: 15px/1.45 system-ui, sans-serif; }
        main { max-width: 70rem; margin: 0 auto; }
        header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem; margin-bottom: 1rem; }
        h1 { font-size: 1.35rem; margin: 0; color: var(--water); }
        h2 { font-size: .8rem; margin: 0 0 .5rem; color: var(--soft); text-transform: uppercase; letter-spacing: .05em; }
        header span { color: var(--soft); }
        #health { font-weight: 600; }
        .good { color: var(--good) !important; } .bad { color: var(--bad) !important; } .warn { color: var(--warn) !important; }
        .grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; margin-bottom: .75rem; }
        .card, section { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; }
        .card b { display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
        .card small { color: var(--soft); }
        section { margin-bottom: .75rem; overflow-x: auto; }
        table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
        th { text-align: right; font-weight: 500; color: var(--soft); }
        td { text-align: right; border-top: 1px solid var(--line); }
        th, td { padding: .3rem .6rem; white-space: nowrap; }
        th:first-child, td:first-child { text-align: left; }
        .fault { color: var(--bad); white-space: normal; text-align: left; border: 0; }
        .bar { height: .4rem; border-radius: .2rem; background: var(--line); overflow: hidden; margin-top: .4rem; }
        .bar i { display: block; height: 100%; background: var(--water); }
        </style>
        </head>
        <body>
        <main>
        <header><h1>Forebay</h1><span id="health">connecting …</span><span id="about"></span></header>
        <div class="grid" id="cards"></div>
        <section><h2>Lanes</h2><table id="lanes"></table></section>
        <section><h2>Latency</h2><table id="times"></table></section>
        <section><h2>Trouble</h2><table id="trouble"></table></section>
        </main>
        <script>
        "use strict";
        const whole = new Intl.NumberFormat("en"), short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
        const by = id => document.getElementById(id);
        const make = (tag, text, kind) => {
          const node = document.createElement(tag);
          if (text !== undefined && text !== null) node.textContent = text;
          if (kind) node.className = kind;
          return node;
        };
        const size = n => {
          const units = ["B", "KiB", "MiB", "GiB", "TiB"]; let i = 0;
          while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
          return (i === 0 ? n : n.toFixed(1)) + " " + units[i];
        };
        const span = s => s < 1 ? Math.round(s * 1000) + " ms" : s < 120 ? s.toFixed(1) + " s" : s < 7200 ? Math.round(s / 60) + " min"
          : s < 172800 ? Math.round(s / 3600) + " h" : Math.round(s / 86400) + " d";
        const micro = n => n === null || n === undefined ? "–" : n < 1000 ? n + " µs" : n < 1e6 ? (n / 1000).toFixed(1) + " ms" : (n / 1e6).toFixed(2) + " s";
        const row = (tag, cells) => { const line = make("tr"); for (const cell of cells) line.append(make(tag, cell)); return line; };
        let before = null;
        const rate = (now, pick) => {
          if (!before || now.uptime_seconds <= before.uptime_seconds) return "–";
          return short.format(Math.max(0, (pick(now) - pick(before)) / (now.uptime_seconds - before.uptime_seconds))) + "/s";
        };
        const card = (title, value, note, kind, part) => {
          const box = make("div", null, "card");
          box.append(make("h2", title), make("b", value, kind), make("small", note));
          if (part !== undefined) {
            const bar = make("div", null, "bar"), fill = make("i");
            fill.style.width = Math.min(100, 100 * part).toFixed(1) + "%"; bar.append(fill); box.append(bar);
          }
          return box;
        };
        function show(now) {
          const health = by("health"), troubles = [now.health.ingest, now.health.streams, now.health.primary].filter(check => !check.ok).map(check => check.reason);
          health.textContent = troubles.length ? troubles.join("; ") : "ready";
          health.className = !now.health.ingest.ok ? "bad" : troubles.length ? "warn" : "good";
          by("about").textContent = "version " + now.version + ", up " + span(now.uptime_seconds) + ", queue " + now.queue;
          const oldest = Math.max(0, ...now.lanes.map(lane => lane.oldest_unflushed_seconds));
          const law = now.conservation, unaccounted = law.difference;
          by("cards").replaceChildren(
            card("Accepted", rate(now, s => s.ingest.accepted_events), whole.format(now.ingest.accepted_events) + " since the start"),
            card("Committed", rate(now, s => s.delivery.committed_rows), whole.format(now.delivery.committed_rows) + " since the start"),
            card("Queued", short.format(law.queued), oldest > 0 ? "oldest " + span(oldest) : "nothing waits"),
            card("Disk", size(now.disk.bytes), "of " + size(now.disk.max_bytes), now.disk.is_full ? "bad" : "", now.disk.max_bytes ? now.disk.bytes / now.disk.max_bytes : 0),
            card("Dead letters", whole.format(now.delivery.dead_letters), whole.format(now.delivery.parked_events) + " parked", now.delivery.dead_letters + now.delivery.parked_events > 0 ? "warn" : ""),
            card("Unaccounted", whole.format(unaccounted), "accepted less committed, dead-lettered, queued", unaccounted !== 0 ? "bad" : "good"),
            card("Memory", size(now.process.resident_bytes), "CPU " + (before && now.uptime_seconds > before.uptime_seconds
              ? (100 * (now.process.cpu_seconds - before.process.cpu_seconds) / (now.uptime_seconds - before.uptime_seconds)).toFixed(0) + " %" : "–")),
            card("Connections", whole.format(Object.values(now.ingest.connections).reduce((a, b) => a + b, 0)), size(now.ingest.in_flight_bytes) + " in flight"));
          const lanes = by("lanes");
          lanes.replaceChildren(row("th", ["lane", "state", "epoch", "durable", "committed", "replicated", "trimmed", "queued", "oldest"]));
          for (const lane of now.lanes) {
            const name = (lane.queue === now.queue ? "" : lane.queue.slice(0, 8) + ".") + lane.lane;
            lanes.append(row("td", [name, lane.state, lane.epoch, ...[lane.durable, lane.committed, lane.replicated, lane.trimmed,
              Math.max(0, lane.durable - lane.committed)].map(n => n === undefined || n === null ? "–" : whole.format(n)), span(lane.oldest_unflushed_seconds)]));
            if (lane.fault) { const line = make("tr"), cell = make("td", lane.fault, "fault"); cell.colSpan = 9; line.append(cell); lanes.append(line); }
          }
          const times = by("times");
          times.replaceChildren(row("th", ["", "count", "p50", "p99", "p99.9"]));
          for (const [name, h] of [["answer", now.ingest.ack_microseconds], ["sync", now.disk.fsync_microseconds], ["flush", now.delivery.flush_microseconds]])
            times.append(row("td", [name, whole.format(h.count), micro(h.p50), micro(h.p99), micro(h.p999)]));
          for (const [name, h] of [["events per group commit", now.disk.group_commit_events], ["rows per flush", now.delivery.flush_rows]])
            times.append(row("td", [name, whole.format(h.count), ...[h.p50, h.p99, h.p999].map(n => n === null || n === undefined ? "–" : whole.format(n))]));
          const trouble = by("trouble"), lines = [
            ...Object.entries(now.ingest.refused_events).map(([k, n]) => ["events refused: " + k, n]),
            ...Object.entries(now.ingest.http_requests).filter(([k]) => k >= "4").map(([k, n]) => ["HTTP " + k, n]),
            ...Object.entries(now.delivery.faults).map(([k, n]) => ["flush faults: " + k, n]),
            ["claims lost", now.delivery.fenced], ["idempotency keys forgotten early", now.idempotency.evicted_early]].filter(line => line[1] > 0);
          trouble.replaceChildren(...(lines.length ? lines.map(line => row("td", [line[0], whole.format(line[1])])) : [row("td", ["none since the start"])]));
          before = now;
        }
        async function ask() {
          try {
            const answer = await fetch("v1/status", { cache: "no-store" });
            if (!answer.ok) throw new Error("status " + answer.status);
            show(await answer.json());
          } catch (error) {
            by("health").textContent = "no answer (" + error.message + ")"; by("health").className = "bad";
          }
          setTimeout(ask, 2000);
        }
        ask();
        </script>
        </body>
        </html>
        """#
}
