import Records
import SegmentedLog
import SimulationKit
import Synchronization

/// A store on a disk in memory, and letters to put into it.
struct LetterFixture {
    static let lane = LaneKey(queue: QueueID(high: 7, low: 8), lane: LaneID(1))
    static let path = "/queue/dead"
    /// Bytes before the first frame.
    static let headerBytes = 512

    let disk: SimulatedDisk
    let log: DeadLetterLog

    init(disk: SimulatedDisk = .withQueue(), _ change: (inout DeadLetterLog.Options) -> Void = { _ in }) throws {
        self.disk = disk
        var options = DeadLetterLog.Options()
        change(&options)
        let salts = Mutex(UInt64(41))
        log = try DeadLetterLog.open(Self.path, files: disk, options: options) {
            salts.withLock { salt in
                salt += 1
                return salt
            }
        }
    }

    func reopened(crash: Bool = false, keeping: Int = 0) throws -> LetterFixture {
        if crash { disk.powerCut(keeping: keeping) }
        return try LetterFixture(disk: disk)
    }

    static func file(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return path + "/" + String(repeating: "0", count: 16 - digits.count) + digits + ".letters"
    }

    static func letter(
        _ first: UInt64,
        _ count: Int = 1,
        stream: String = "apirequests",
        lane: LaneKey = LetterFixture.lane,
        bytes: Int = 20
    ) -> DeadLetter {
        DeadLetter(
            lane: lane,
            first: Offset(first),
            count: count,
            kind: count == 1 ? .poison : .parked,
            fingerprint: Fingerprint(99),
            stream: stream,
            reason: DeadLetter.Reason(sqlState: "23505", message: "duplicate key", detail: "Key (id)=(1) exists."),
            time: 1_700_000_000_000_000,
            bytes: (0..<(bytes * count)).map { UInt8(truncatingIfNeeded: $0 + Int(first)) }
        )
    }

    func recorded(_ range: ClosedRange<UInt64> = 1...1_000) -> [ClosedRange<UInt64>] {
        log.recorded(Self.lane, in: Offset(range.lowerBound)...Offset(range.upperBound))
            .map { $0.lowerBound.rawValue...$0.upperBound.rawValue }
    }

    /// Every letter that a listing shows, with its rows.
    func listed() throws -> [(record: LetterRecord, rows: [UInt8])] {
        let reader = DeadLetterReader(directory: Self.path, files: disk)
        var found: [(LetterRecord, [UInt8])] = []
        try reader.visit { (record) throws(DeadLetterLogFault) in
            found.append((record, try reader.rows(of: record)))
            return true
        }
        return found
    }
}

extension SimulatedDisk {
    /// A disk that has a queue directory, for good.
    static func withQueue() -> SimulatedDisk {
        let disk = SimulatedDisk(seed: 1)
        try? disk.createDirectory("/queue")
        disk.settle()
        return disk
    }

    /// The paths of the store's files.
    var names: [String] {
        ((try? list(LetterFixture.path)) ?? []).map { "\(LetterFixture.path)/\($0)" }
    }

    func bytes(_ path: String) -> [UInt8] { content(path) }

    func replace(_ path: String, _ change: (inout [UInt8]) -> Void) {
        var bytes = content(path)
        change(&bytes)
        overwrite(path, with: bytes)
    }

    /// A disk with the same files.
    func copy() throws -> SimulatedDisk {
        let other = SimulatedDisk.withQueue()
        try other.createDirectory(LetterFixture.path)
        for name in names {
            _ = try other.open(name, .create)
            other.overwrite(name, with: content(name))
        }
        other.settle()
        return other
    }
}
