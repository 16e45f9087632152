import AgentKit
import Foundation
import Glibc
import LocalPostgres
import ProvingGround

/// rsyslog with a synced disk queue, its action into PostgreSQL suspended because that is away. It acknowledges nothing; that it
/// has queued a connection's lines shows when it closes the connection after its end.
final class Rsyslog: Contender {
    let name = "rsyslog"
    let note = """
        a synced disk queue in front of ompgsql; acknowledges nothing, so an agent can not know what arrived; \
        a transaction that is repeated after a crash doubles
        """
    private let yard: Yard
    private let template: String
    private let connections: Int
    private let lines: [[UInt8]]
    private let events: Int

    init(_ conditions: Conditions, _ yard: Yard, connections: Int, events: Int) {
        self.yard = yard
        self.connections = connections
        self.events = events
        template = "\(conditions.rivals)/rsyslog.conf"
        let now = Timestamp.now
        var generator = RequestGenerator(
            seed: 1,
            count: events,
            from: Timestamp(microseconds: now.microseconds - 60 * Timestamp.microsecondsPerSecond),
            to: now
        )
        var lines = [[UInt8]](repeating: [], count: connections)
        var number = 0
        while let request = generator.next() {
            generator.catalog.appendLine(request, to: &lines[number % connections])
            number += 1
        }
        self.lines = lines
    }

    func round(isLast: Bool) async throws -> Sample {
        let port = try LoopbackPort.free()
        let directory = "\(yard.directory)/rsyslog"
        try? FileManager.default.removeItem(atPath: directory)
        try FileManager.default.createDirectory(atPath: "\(directory)/spool", withIntermediateDirectories: true)
        let address = yard.administrator
        try Template.fill(
            template,
            [
                "DIRECTORY": directory, "PORT": "\(port)", "DBPORT": address["PGPORT"] ?? "",
                "DBUSER": address["PGUSER"] ?? "", "DBPASSWORD": address["PGPASSWORD"] ?? "",
                "DBNAME": address["PGDATABASE"] ?? "",
            ],
            to: "\(directory)/rsyslog.conf"
        )
        try yard.query("TRUNCATE apirequests")
        try yard.cluster.primary.stop(.fast)
        let rsyslog = try ChildProcess(
            "/usr/sbin/rsyslogd",
            ["-n", "-f", "\(directory)/rsyslog.conf", "-i", "\(directory)/pid"],
            name: "rsyslogd",
            log: "\(directory)/log"
        )
        defer {
            if rsyslog.isRunning { rsyslog.crash() }
        }
        try waitUntil("rsyslog listens", within: 10) {
            guard rsyslog.isRunning else { throw YardFault("rsyslog ended; see \(directory)/log") }
            return LineFeed.canConnect(to: port)
        }
        guard let before = ProcessUsage(pid: Int(rsyslog.pid)) else { throw YardFault("rsyslog has ended") }
        let start = ContinuousClock.now
        try await LineFeed.send(lines, to: port)
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        guard let after = ProcessUsage(pid: Int(rsyslog.pid)) else { throw YardFault("rsyslog has ended") }
        try yard.cluster.primary.start()
        if isLast {
            try waitUntil("rsyslog has delivered", within: 300) {
                let rows = Int(try yard.query("SELECT count(*) FROM apirequests"))
                if rows != events { usleep(500_000) }
                return rows == events
            }
        }
        return [
            Measure.events.key: Double(events) / seconds,
            Measure.cpu.key: (after.cpu - before.cpu) / .seconds(1) / (Double(events) / 1e6),
            Measure.memory.key: Double(after.peakResidentBytes) / Double(1 << 20),
        ]
    }
}
