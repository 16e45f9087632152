import ArgumentParser
import DurableQueue
import ForebayRuntime
import Foundation
import Records
import SegmentedLog

/// `forebay queue …`: looks into the queue on disk, also while a proxy is running on it, or in a copy of its directory; takes over another's.
struct QueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Look into the queue on disk, mend it, empty it, and take over that of a dead proxy.",
        discussion: """
            ls, verify, cat and export only read. They work while the proxy is running, and on a copy of the directory.

            Exit codes: 0; 1 damage was found, or something can't be read; 64 wrong usage; 78 faults in the configuration.
            """,
        subcommands: [
            QueueListCommand.self, QueueVerifyCommand.self, QueueCatCommand.self, QueueExportCommand.self,
            QueueAdoptCommand.self, QueueDrainCommand.self, QueueRepairCommand.self,
        ]
    )
}

/// Which queue, and which of its lanes.
struct QueueSelection: ParsableArguments {
    @Option(
        help: """
            The queue directory, or a copy of it. Default: queue.path of the configuration. With it, a configuration is read only \
            if --config names one, which a queue with encryption needs for its keys.
            """
    )
    var path: String?

    @Option(help: "Configuration file. Default: forebay.yaml, then /etc/forebay/forebay.yaml.")
    var config: String?

    @Option(help: "A lane, as 'forebay queue ls' prints it: a number, or <queue id>.<number>. Default: all.")
    var lane: String?

    /// Opens the directory for looking; says what is wrong, and exits, if that can't be done.
    func inspector() throws -> QueueInspector {
        let environment = ProcessInfo.processInfo.environment
        var configuration = ForebayConfiguration()
        if path == nil || config != nil {
            do throws(ConfigurationFaults) {
                configuration = try ForebayConfiguration.load(path: config, environment: environment).configuration
            } catch {
                printError("\(error)")
                throw ExitCode(78)
            }
        }
        do {
            return try QueueInspector(
                path: path ?? configuration.queue.path,
                keyRing: try configuration.keyRing(environment: environment)
            )
        } catch {
            printError("\(error)")
            throw ExitCode.failure
        }
    }

    /// The lanes meant, those of the queue's present id first.
    func lanes(of inspector: QueueInspector) throws -> [LaneKey] {
        let current = try inspector.identity()
        let all = try inspector.lanes().sorted { left, right in
            left.queue != right.queue && (left.queue == current || right.queue == current)
                ? left.queue == current : (left.queue.description, left.lane) < (right.queue.description, right.lane)
        }
        guard let lane else { return all }
        let chosen = all.filter { $0.description == lane || ($0.queue == current && $0.lane.description == lane) }
        guard !chosen.isEmpty else {
            printError("there is no lane \(lane) here; there are: \(all.map(\.description).joined(separator: ", "))")
            throw ExitCode.failure
        }
        return chosen
    }
}

/// `forebay queue ls`
struct QueueListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List lanes and segments: offsets, sizes, watermarks.",
        discussion: """
            The watermarks are hints that a running proxy writes every two seconds.

            Examples:
              forebay queue ls
              forebay queue ls --path /mnt/copy-of-queue --lane 0
            """
    )

    @OptionGroup var selection: QueueSelection

    func run() async throws {
        let inspector = try selection.inspector()
        let current = try inspector.identity()
        print("queue \(current.map(\.description) ?? "?") in \(inspector.directory.path)")
        for key in try selection.lanes(of: inspector) {
            let lane = try inspector.snapshot(key)
            let first = lane.segments.first?.base ?? lane.end.advanced(by: 1)
            let name = key.queue == current ? "\(key.lane)" : "\(key) (of an earlier queue id)"
            print(
                """

                lane \(name): \(first <= lane.end ? "offsets \(first) to \(lane.end)" : "empty, next offset \(first)"), \
                \(Self.size(lane.bytes)), committed \(lane.hints.committed), replicated \(lane.hints.replicated), \
                \(lane.spares) spare files, \(lane.sidecars) files of keys
                """
            )
            for segment in lane.segments {
                let rows = Int(segment.last.rawValue + 1 - segment.base.rawValue)
                let key = segment.header?.keyID.map { "  key \($0)" } ?? ""
                let complaint = segment.complaint.map { "  DAMAGED: \($0)" } ?? ""
                print(
                    "  \(segment.name)  to \(segment.last)  \(rows) rows  \(Self.size(segment.bytes))\(key)\(complaint)"
                )
            }
            for name in lane.quarantined { print("  quarantine/\(name)") }
        }
    }

    static func size(_ bytes: Int) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var (value, unit) = (Double(bytes), 0)
        while value >= 1024, unit + 1 < units.count {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(bytes)B" : "\((value * 10).rounded() / 10)\(units[unit])"
    }
}

/// `forebay queue verify`
struct QueueVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Read everything and check it: headers, checksums, encryption, compression, rows.",
        discussion: """
            Names file, byte and offsets of all damage, and exits with 1 if there is any. An unfinished group commit at the \
            end of a lane is no damage.

            Example:
              forebay queue verify
            """
    )

    @OptionGroup var selection: QueueSelection

    func run() async throws {
        let inspector = try selection.inspector()
        var isDamaged = false
        for key in try selection.lanes(of: inspector) {
            let audit = try inspector.audit(key)
            print(
                """
                lane \(key): \(audit.segments) segments, \(audit.blocks) blocks, \(audit.rows) rows, \(audit.keys) idempotency keys, \
                \(QueueListCommand.size(audit.rawBytes)) of rows in \(QueueListCommand.size(audit.blockBytes))
                """
            )
            if audit.tornBytes > 0 { print("  \(audit.tornBytes) bytes of an unfinished group commit at the end") }
            if audit.sealedBlocks > 0 {
                let keys = audit.missingKeys.sorted().joined(separator: ", ")
                print(
                    "  \(audit.sealedBlocks) blocks need encryption keys that are not configured (\(keys)); only their checksums were checked"
                )
            }
            for finding in audit.findings {
                isDamaged = true
                let cost = finding.offsets.map { "offsets \($0.lowerBound) to \($0.upperBound)" } ?? "no rows lost"
                print("  DAMAGED \(finding.path) byte \(finding.byte), \(cost): \(finding.reason)")
            }
        }
        print(isDamaged ? "damaged" : "in order")
        if isDamaged { throw ExitCode.failure }
    }
}

/// `forebay queue cat`
struct QueueCatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cat",
        abstract: "Print events as NDJSON, with their positions.",
        discussion: """
            Each line is {"position":"<queue>.<lane>.<offset>","stream":"<name>","event":{…}}.

            Examples:
              forebay queue cat --limit 10
              forebay queue cat --lane 0 --from 1000 --to 1999
            """
    )

    @OptionGroup var selection: QueueSelection

    @Option(help: "First offset.")
    var from: UInt64?

    @Option(help: "Last offset.")
    var to: UInt64?

    @Option(help: "The most events to print, over all lanes.")
    var limit: Int?

    func run() async throws {
        let inspector = try selection.inspector()
        let output = BufferedOutput()
        var left = limit ?? .max
        var isDamaged = false
        for key in try selection.lanes(of: inspector) where left > 0 {
            let lost = try inspector.events(of: key, from: from.map { Offset($0) }, to: to.map { Offset($0) }) {
                event in
                do {
                    try output.line { line in
                        line +=
                            "{\"position\":\"\(event.position)\",\"stream\":\(try jsonLine(event.layout.stream)),".utf8
                        line += "\"event\":".utf8
                        try TupleText.append(event.tuple, layout: event.layout, to: &line)
                        line.append(UInt8(ascii: "}"))
                    }
                } catch let fault as TupleFault {
                    isDamaged = true
                    printError("\(event.position): \(fault)")
                }
                left -= 1
                return left > 0
            }
            isDamaged = report(lost, of: key) || isDamaged
        }
        try output.finish()
        if isDamaged { throw ExitCode.failure }
    }
}

/// `forebay queue export`
struct QueueExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a stream's events as NDJSON that can be sent again.",
        discussion: """
            The lines are as ingest takes them: 'forebay send --stream NAME < FILE' stores them anew. Events that were \
            delivered already are among them as long as they are on disk.

            Examples:
              forebay queue export --stream apirequests > backlog.ndjson
              forebay queue export --stream apirequests --output backlog.ndjson
            """
    )

    @OptionGroup var selection: QueueSelection

    @Option(help: "The stream whose events are written.")
    var stream: String

    @Option(help: "A file to be made. Default: standard output.")
    var output: String?

    func run() async throws {
        let inspector = try selection.inspector()
        let target = try output.map { path in try BufferedOutput(creating: path) } ?? BufferedOutput()
        var count = 0
        var isDamaged = false
        for key in try selection.lanes(of: inspector) {
            let lost = try inspector.events(of: key, from: nil, to: nil) { event in
                guard event.layout.stream == stream else { return true }
                do {
                    try target.line { line in try TupleText.append(event.tuple, layout: event.layout, to: &line) }
                    count += 1
                } catch let fault as TupleFault {
                    isDamaged = true
                    printError("\(event.position): \(fault)")
                }
                return true
            }
            isDamaged = report(lost, of: key) || isDamaged
        }
        try target.finish()
        printError("\(count) events of \(stream)")
        if isDamaged { throw ExitCode.failure }
    }
}

/// Says what could not be read; true if there was something.
private func report(_ lost: [ClosedRange<Offset>], of key: LaneKey) -> Bool {
    for range in lost { printError("lane \(key): offsets \(range.lowerBound) to \(range.upperBound) can't be read") }
    return !lost.isEmpty
}
