// A lane on a faulty disk, with verbs: append, trim, crash, reopen, read.
import Glibc
import Records
import SegmentedLog
import SimulationKit

/// Rows whose single field tells which request they belong to, which of its rows they are, and of how many.
struct RowStamp: Hashable {
    var request: UInt32
    var row: UInt32
    var of: UInt32
}

final class StampLayouts: LayoutSource {
    static let layouts = (0..<3).map { number in
        RowLayout(
            stream: "s\(number)",
            table: TableName(schema: "public", name: "t\(number)"),
            columns: [RowLayout.Field(name: "stamp", type: .bytea)]
        )
    }
    static let fingerprints = layouts.map(\.fingerprint)
    static let shared = StampLayouts()

    func layout(of fingerprint: Fingerprint) -> RowLayout? {
        Self.layouts.first { $0.fingerprint == fingerprint }
    }
}

final class DeafSink: AppendSink {
    static let shared = DeafSink()

    func appendsDidFinish(_ results: [(token: UInt64, outcome: AppendOutcome)]) {}
}

extension RowBatch {
    /// A request of `rows` stamped rows, each with `padding` bytes more; `layout` gives each row's layout.
    static func stamped(_ request: Int, rows: Int, padding: Int = 0, layout: (Int) -> Int = { _ in 0 }) -> RowBatch {
        let batch = RowBatch(layouts: StampLayouts.shared)
        for row in 0..<rows {
            let bytes = batch.reserve(18 + padding)
            bytes.storeBytes(of: UInt16(1).bigEndian, as: UInt16.self)
            for (index, value) in [12 + padding, request, row, rows].enumerated() {
                bytes.storeBytes(of: UInt32(value).bigEndian, toByteOffset: 2 + 4 * index, as: UInt32.self)
            }
            // Half of the padding compresses.
            memset(bytes + 18, 0x20, padding)
            var noise = SplitMix(seed: UInt64(request * 1000 + row))
            for place in stride(from: 18, to: 18 + padding - 8, by: 16) {
                bytes.storeBytes(of: noise.next(), toByteOffset: place, as: UInt64.self)
            }
            batch.byteCount += 18 + padding
            batch.endRow(StampLayouts.fingerprints[layout(row)])
        }
        return batch
    }
}

extension AppendRequest {
    init(_ batch: RowBatch, key: Int? = nil) {
        self.init(
            batch: batch,
            keyed: key.map {
                KeyedRequest(
                    key: IdempotencyKey(high: 7, low: UInt64($0) &* 0x9E37_79B9_7F4A_7C15),
                    bodyDigest: UInt64($0)
                )
            },
            sink: DeafSink.shared,
            token: 0
        )
    }
}

final class LaneFixture {
    static let key = LaneKey(queue: QueueID(high: 0x1122, low: 0x3344), lane: LaneID(1))
    static let directory = "q/lanes/\(key)"

    let disk: SimulatedDisk
    var options: LogOptions
    var keyRing = KeyRing()
    private(set) var context: LogContext
    private(set) var log: LaneLog
    private(set) var report: LaneRecovery.Report
    private(set) var cursor: LaneCursor
    var now = WallTime(microseconds: 1_700_000_000_000_000)
    private let seed: UInt64

    init(
        seed: UInt64 = 1,
        segmentBytes: Int = 16 << 10,
        blockBytes: Int = 1 << 10,
        keyRing: KeyRing = KeyRing(),
        sync: SyncPolicy = .always,
        budget: Int = 1 << 30
    ) throws {
        self.seed = seed
        disk = SimulatedDisk(seed: seed)
        for directory in ["q", "q/lanes", "q/layouts"] { try disk.createDirectory(directory) }
        disk.settle()
        options = LogOptions(segmentBytes: segmentBytes, blockBytes: blockBytes, groupBytes: 8 << 10, sync: sync)
        self.keyRing = keyRing
        (context, log, report, cursor) = try Self.open(disk, options, keyRing, seed: seed, budget: budget)
    }

    private static func open(
        _ disk: SimulatedDisk,
        _ options: LogOptions,
        _ keyRing: KeyRing,
        seed: UInt64,
        budget: Int
    ) throws -> (LogContext, LaneLog, LaneRecovery.Report, LaneCursor) {
        var faults: [String] = []
        let context = LogContext(
            fileSystem: disk,
            options: options,
            budget: DiskBudget(limit: budget, reserve: 0),
            layouts: try LayoutCatalogue.open("q/layouts", on: disk, faults: &faults),
            keyRing: keyRing,
            entropy: Entropy(SplitMix(seed: seed &+ UInt64(disk.syncs) &* 77))
        )
        let opened = try LaneRecovery.open(key, in: directory, context: context)
        try disk.syncDirectory("q/lanes")
        context.budget.add(opened.bytes)
        return (
            context, opened.log, opened.report, LaneCursor(catalogue: opened.log.catalogue, context: context)
        )
    }

    var catalogue: LaneCatalogue { log.catalogue }
    var segmentNames: [String] {
        get throws { try disk.list(Self.directory).filter { $0.hasSuffix(".segment") } }
    }

    func path(_ name: String) -> String { "\(Self.directory)/\(name)" }

    /// One group commit of whole requests; all of them must fit.
    @discardableResult
    func append(_ requests: [AppendRequest]) -> LaneLog.GroupResult {
        log.append(requests, from: 0, at: now)
    }

    @discardableResult
    func append(_ request: Int, rows: Int = 1, padding: Int = 0) -> LaneLog.GroupResult {
        append([AppendRequest(.stamped(request, rows: rows, padding: padding))])
    }

    /// Opens the lane anew, as a new process does.
    func reopen(keyRing: KeyRing? = nil) throws {
        if let keyRing { self.keyRing = keyRing }
        (context, log, report, cursor) = try Self.open(
            disk,
            options,
            self.keyRing,
            seed: seed,
            budget: context.budget.limit
        )
    }

    func powerCut() throws {
        disk.powerCut()
        try reopen()
    }

    /// All rows after `offset`, with what was lost; checks that offsets are dense.
    func readAll(
        after offset: Offset = .none,
        rows: Int = .max,
        bytes: Int = .max
    ) throws -> (stamps: [(offset: Offset, stamp: RowStamp)], lost: [ClosedRange<Offset>]) {
        let result = try cursor.read(after: offset, rows: rows, bytes: bytes)
        var stamps: [(Offset, RowStamp)] = []
        for chunk in result.chunks {
            stamps += Self.stamps(of: chunk)
        }
        return (stamps, result.lost)
    }

    static func stamps(of chunk: RowChunk) -> [(offset: Offset, stamp: RowStamp)] {
        chunk.bytes.withUnsafeBytes { bytes in
            var position = 0
            return (0..<chunk.count).map { index in
                func word(_ at: Int) -> UInt32 {
                    UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: position + at, as: UInt32.self))
                }
                let stamp = RowStamp(request: word(6), row: word(10), of: word(14))
                position = TupleWalk.end(of: position, in: bytes) ?? bytes.count
                return (chunk.first.advanced(by: index), stamp)
            }
        }
    }
}
