import ArgumentParser
import Foundation
import Glibc
import ProvingGround

/// Real input: the access log of nginx under load, followed by `tail -F` and piped into `forebay send`.
struct Nginx: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "nginx's JSON access log under load, through tail -F and forebay send."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many requests nginx answers.")
    var requests = 50_000

    func run() throws {
        try options.run("nginx (\(requests) requests)", Yard.Plan()) { yard, _ in
            try yard.startProxy()
            try yard.waitForStreams()
            let port = try startNginx(in: yard)
            let log = "\(yard.directory)/access.json"
            let lines = Pipe()
            let tail = try ChildProcess(
                "/usr/bin/env",
                ["tail", "-n", "+1", "-F", log],
                name: "tail",
                log: "\(yard.directory)/tail.log",
                output: lines
            )
            yard.onRemoval { if tail.isRunning { tail.crash() } }
            let sender = try ChildProcess(
                "\(yard.programs)/forebay",
                ["send", "--stream", "apirequests", "--url", "http://127.0.0.1:\(yard.httpPort)"],
                name: "send",
                log: "\(yard.directory)/send.log",
                input: lines
            )
            yard.onRemoval { if sender.isRunning { sender.crash() } }
            // Both have ends of their own; with ours closed, the end of tail is seen by send.
            try lines.fileHandleForReading.close()
            try lines.fileHandleForWriting.close()
            let each = requests / 4
            let load = try (1...4).map { part in
                try ChildProcess(
                    "/usr/bin/env",
                    [
                        "curl", "-s", "-o", "/dev/null", "-A", "drill \"\(part)\"",
                        "http://127.0.0.1:\(port)/item/[1-\(each)]",
                    ],
                    name: "curl",
                    log: "\(yard.directory)/curl.log"
                )
            }
            for program in load where program.wait() != 0 {
                throw YardFault("curl failed; see \(yard.directory)/curl.log")
            }
            let written = Int(
                try capture("/bin/sh", ["-c", "wc -l < \(log)"]).trimmingCharacters(in: .whitespacesAndNewlines)
            )
            try waitUntil("every line of the log is in PostgreSQL", within: 60) {
                let rows = Int(try yard.query("SELECT count(*) FROM apirequests WHERE service = 'nginx'"))
                if rows != written { usleep(200_000) }
                return rows == written
            }
            tail.crash()
            guard sender.wait() == 0 else { throw YardFault("forebay send failed; see \(yard.directory)/send.log") }
            let distinct = Int(try yard.query("SELECT count(DISTINCT trace_id) FROM apirequests"))
            print(
                "requests \(each * 4), lines in the log \(written ?? -1), distinct request ids in PostgreSQL \(distinct ?? -1)"
            )
            // One more than curl sent: the request that found nginx ready.
            guard written == each * 4 + 1, distinct == written else { throw YardFault("the counts differ") }
            print(
                try yard.query(
                    "SELECT endpoint, status_code, round(avg(latency_ms)::numeric, 3), count(*) FROM apirequests GROUP BY 1, 2 ORDER BY 4 DESC LIMIT 3"
                )
            )
            return nil
        }
    }

    /// Starts Debian's nginx with the log format that README shows, and returns its port. It ends with this process.
    private func startNginx(in yard: Yard) throws -> Int {
        let port = 20_000 + Int(getpid()) % 20_000
        let text = """
            daemon off;
            pid \(yard.directory)/nginx.pid;
            error_log \(yard.directory)/nginx-error.log;
            worker_processes 1;
            events { worker_connections 256; }
            http {
                map $request_time $request_milliseconds {
                    default                       0;
                    "~^0\\.0*(?<part>[1-9]\\d*)$"   $part;
                    "~^(?<s>[1-9]\\d*)\\.(?<ms>\\d+)$" $s$ms;
                }
                log_format forebay escape=json
                    '{"time":"$time_iso8601","service":"nginx","endpoint":"$uri","method":"$request_method",'
                    '"status_code":$status,"latency_ms":$request_milliseconds,"request_bytes":$request_length,'
                    '"response_bytes":$bytes_sent,"trace_id":"$request_id","client_ip":"$remote_addr",'
                    '"user_agent":"$http_user_agent"}';
                server {
                    listen 127.0.0.1:\(port);
                    access_log \(yard.directory)/access.json forebay;
                    location / { return 200 "ok\\n"; }
                }
            }

            """
        let file = "\(yard.directory)/nginx.conf"
        try Data(text.utf8).write(to: URL(filePath: file))
        let nginx = try ChildProcess(
            "/usr/sbin/nginx",
            ["-c", file],
            name: "nginx",
            log: "\(yard.directory)/nginx.log"
        )
        try waitUntil("nginx answers", within: 10) {
            guard nginx.isRunning else { throw YardFault("nginx did not start; see \(yard.directory)/nginx.log") }
            return LoopbackHTTP(port: port).get("/")?.status == 200
        }
        yard.onRemoval {
            nginx.signal(SIGTERM)
            nginx.wait()
        }
        return port
    }
}
