import Foundation
import Records
import SegmentedLog

/// A lane that takes group commits.
final class LaneInUse {
    private let log: LaneLog
    private let now = WallTime(microseconds: 1_700_000_000_000_000)

    struct Fault: Error {
        var ending: LaneLog.Ending
    }

    init(on fileSystem: some FileSystem, below path: String) throws {
        for directory in ["", "/lanes", "/layouts"] { try fileSystem.createDirectory(path + directory) }
        var faults: [String] = []
        let context = LogContext(
            fileSystem: fileSystem,
            options: LogOptions(),
            budget: DiskBudget(limit: 64 << 30, reserve: 0),
            layouts: try LayoutCatalogue.open("\(path)/layouts", on: fileSystem, faults: &faults),
            keyRing: KeyRing(),
            entropy: Entropy(SystemRandomNumberGenerator())
        )
        let key = LaneKey(queue: QueueID(high: 1, low: 2), lane: LaneID(0))
        log = try LaneRecovery.open(key, in: "\(path)/lanes/\(key)", context: context).log
    }

    /// Requests that wait together.
    func group(requests: Int, rows: Int) -> [AppendRequest] {
        (0..<requests).map { number in
            AppendRequest(batch: Telemetry.batch(rows: rows), keyed: nil, sink: Nobody.shared, token: UInt64(number))
        }
    }

    func append(_ group: [AppendRequest]) throws {
        let result = log.append(group, from: 0, at: now)
        guard result.ending == .durable, result.taken == group.count else { throw Fault(ending: result.ending) }
    }

    private final class Nobody: AppendSink {
        static let shared = Nobody()

        func appendsDidFinish(_ results: [(token: UInt64, outcome: AppendOutcome)]) {}
    }
}

/// A directory on a real file system.
struct TemporaryDirectory {
    let path: String

    init() throws {
        path = "/var/tmp/forebay-micro-\(ProcessInfo.processInfo.processIdentifier)-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }
}
