// Method: a queue directory that is an old image is opened, takes rows, and renews its identity; the process is killed at each of its file system calls, one run for each, and another one goes
// on with what is left. PostgreSQL is a table and a ledger in memory, which outlive the processes. In the end every acknowledged row is in the table once, and an unacknowledged one at most once.

import Delivery
import Foundation
import Glibc
import Logging
import Records
import SegmentedLog
import Synchronization
import Testing

@testable import DurableQueue
@testable import ForebayRuntime

@Suite(.serialized)
struct RenewalCrashTests {
    /// A kill behind a call is one before the next.
    @Test
    func aKillAnywhereLosesAndDoublesNothing() throws {
        let image = try OldImage()
        let counting = try image.play(killedBefore: nil)
        #expect(counting.calls > 30)
        #expect(!counting.wasAsked)
        #expect(counting.faults == [], "a restart after the renewal")
        var asked = 0
        for call in 1...counting.calls {
            let outcome = try image.play(killedBefore: call)
            #expect(outcome.faults == [], "killed before call \(call)")
            if outcome.wasAsked { asked += 1 }
        }
        // Some kills leave rows that nobody can tell from the image's, and not all.
        #expect(asked > 0 && asked < counting.calls)
    }

    /// The old lane is there until `min_age` has passed, its ledger lower than its end.
    @Test
    func aRestartAfterARenewalDoublesNothing() throws {
        #expect(try OldImage().play(killedBefore: nil).faults == [])
    }

    /// Without a note of where the lanes ended, the next process would take the rows of the killed one for the image's.
    @Test
    func rowsTakenBeforeAKillAreInDoubtAndTheOrderDecides() throws {
        let image = try OldImage()
        for order in [ClaimDecision.Order.replay, .skip] {
            let world = try image.world()
            let life = try Life(world, files: POSIXFileSystem())
            life.append(["new"], to: 0)
            life.end()
            let next = try Life(world, files: POSIXFileSystem())
            try next.deliver(order: order)
            next.end()
            #expect(next.wasAsked)
            #expect(world.table["new"] == (order == .replay ? 1 : nil))
            #expect(world.table["old 0.1"] == 1)
        }
    }

    /// PostgreSQL away over several starts, and no old image: nobody is asked anything, and no note stays.
    @Test
    func anOrdinaryOutageLeavesNoDoubt() throws {
        let image = try OldImage()
        let world = try image.world()
        // As it would be had the queue been there all the time: the ledger knows no more than the image.
        world.ledger = world.ledger.mapValues { min($0, Offset(3)) }
        for number in 0..<3 {
            let life = try Life(world, files: POSIXFileSystem())
            life.append(["outage \(number)"], to: 0)
            life.end()
        }
        let last = try Life(world, files: POSIXFileSystem())
        try last.deliver(order: nil)
        #expect(!last.wasAsked)
        last.end()
        for number in 0..<3 { #expect(world.table["outage \(number)"] == 1) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: world.path).allSatisfy { !$0.hasPrefix("OPENED") })
    }
}

/// What outlives a process.
private final class World {
    let path: String
    var table: [String: Int] = [:]
    var ledger: [LaneKey: Offset] = [:]
    var acknowledged: [String] = []

    init(path: String) {
        self.path = path
    }
}

/// A queue directory of two lanes as it was before PostgreSQL got its last rows, and the database as it is.
private final class OldImage {
    struct Outcome {
        var calls = 0
        var wasAsked = false
        var faults: [String] = []
    }

    private let directory = FileManager.default.temporaryDirectory.appending(path: "forebay-renewal-\(UUID())").path()
    private let lanes: [LaneKey]

    init() throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let world = World(path: "\(directory)/image")
        let life = try Life(world, files: POSIXFileSystem())
        for lane in 0..<2 { life.append((1...3).map { "old \(lane).\($0)" }, to: lane) }
        try life.deliver(order: nil)
        lanes = life.queue.lanes.active
        life.end()
    }

    deinit {
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// A fresh copy of the image; the ledger has passed two rows of each lane that the image lacks.
    func world() throws -> World {
        let copy = "\(directory)/copy"
        if FileManager.default.fileExists(atPath: copy) { try FileManager.default.removeItem(atPath: copy) }
        try FileManager.default.copyItem(atPath: "\(directory)/image", toPath: copy)
        let world = World(path: copy)
        for (index, lane) in lanes.enumerated() {
            world.ledger[lane] = Offset(5)
            for row in 1...5 { world.table["old \(index).\(row)"] = 1 }
        }
        return world
    }

    /// - Parameter call: nil counts the calls and kills nobody.
    func play(killedBefore call: Int?) throws -> Outcome {
        let world = try world()
        let files = MortalFileSystem()
        var outcome = Outcome()
        let first = try Life(world, files: files)
        let before = files.calls
        if let call { files.die(before: call) }
        for lane in 0..<2 { first.append((1...3).map { "new \(lane).\($0)" }, to: lane) }
        try first.deliver(order: nil)
        for lane in 0..<2 { first.append(["later \(lane)"], to: lane) }
        if !files.isDead { try first.deliver(order: nil) }
        outcome.calls = files.calls - before
        outcome.wasAsked = first.wasAsked
        first.end()

        let second = try Life(world, files: POSIXFileSystem())
        try second.deliver(order: .replay)
        second.append(["last"], to: 0)
        try second.deliver(order: .replay)
        outcome.wasAsked = outcome.wasAsked || second.wasAsked
        second.end()

        for row in world.acknowledged where world.table[row] != 1 {
            outcome.faults.append("\(row) was acknowledged and is there \(world.table[row] ?? 0) times")
        }
        for (row, times) in world.table where times > 1 { outcome.faults.append("\(row) is there \(times) times") }
        return outcome
    }
}

/// A process on the directory, with what a lane's worker does about its claim.
private final class Life {
    struct Stuck: Error {}

    let queue: DurableQueue
    private let world: World
    private let renewal: Renewal
    private let files: any FileSystem
    private let retired = Retired()
    private var verified: Set<LaneKey> = []
    private(set) var wasAsked = false

    init(_ world: World, files: any FileSystem) throws {
        self.world = world
        self.files = files
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        queue = try DurableQueue.open(
            QueueConfiguration(
                path: world.path,
                lanes: 2,
                maxBytes: 64 << 20,
                segmentBytes: 256 << 10,
                retention: QueueConfiguration.Retention(minAge: .seconds(3600), minBytes: 0)
            ),
            log: log,
            files: files
        )
        try queue.register(Rows.layout)
        let letters = try DeadLetterCabinet.open(queue, log: log)
        let journal = DeliveryJournal(queue: queue, deadLetters: letters, trimsAtCommit: true, log: log)
        renewal = try Renewal(queue, journal: journal, log: log, files: files)
        try renewal.start(begin: {}, retire: { [retired] lane in retired.insert(lane) })
    }

    func end() {
        renewal.stop()
        queue.close()
    }

    private var isDead: Bool { (files as? MortalFileSystem)?.isDead ?? false }

    func append(_ rows: [String], to lane: Int) {
        let answer = Answer()
        queue.append(Rows.batch(rows), lane: LaneID(UInt16(lane)), keyed: nil, sink: answer, token: 0)
        if case .durable = answer.wait() { world.acknowledged += rows }
    }

    /// Claims and flushes every lane until nothing is left, or the process is dead.
    ///
    /// - Parameter order: an operator's, for lanes that are in doubt; nil leaves them alone.
    func deliver(order: ClaimDecision.Order?) throws {
        let end = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < end {
            var isDone = true
            for lane in queue.lanes.all where !retired.contains(lane) {
                if isDead { return }
                if try !step(lane, order) { isDone = false }
            }
            if isDone || isDead { return }
            usleep(500)
        }
        throw Stuck()
    }

    /// Returns whether the lane needs nothing more.
    private func step(_ lane: LaneKey, _ order: ClaimDecision.Order?) throws -> Bool {
        guard let reader = queue.reader(for: lane) else { return true }
        let position = world.ledger[lane] ?? .none
        if !verified.contains(lane) {
            let known = renewal.mark(of: lane) ?? reader.durable
            if position > known {
                guard renewal.ask(lane, known: known) != nil else { return false }
                wasAsked = true
                guard let order else { return true }
                renewal.decide(lane, order)
                return false
            }
            if renewal.verified(lane) { verified.insert(lane) }
        }
        let rows = try reader.read(after: position, rows: .max, bytes: .max).chunks
        // A dead process sends nothing.
        guard let last = rows.last?.last, !isDead else { return true }
        for row in rows.flatMap(Rows.texts) { world.table[row, default: 0] += 1 }
        world.ledger[lane] = last
        return last == reader.durable
    }
}

private final class Retired: Sendable {
    private let lanes = Mutex<Set<LaneKey>>([])

    func insert(_ lane: LaneKey) {
        lanes.withLock { _ = $0.insert(lane) }
    }

    func contains(_ lane: LaneKey) -> Bool { lanes.withLock { $0.contains(lane) } }
}

private final class Answer: AppendSink {
    private let outcome = Mutex<AppendOutcome?>(nil)
    private let arrived = DispatchSemaphore(value: 0)

    func appendsDidFinish(_ results: [(token: UInt64, outcome: AppendOutcome)]) {
        outcome.withLock { $0 = results.first?.outcome }
        arrived.signal()
    }

    func wait() -> AppendOutcome {
        arrived.wait()
        return outcome.withLock { $0 } ?? .closing
    }
}

/// Rows of one text column.
private enum Rows {
    static let layout = RowLayout(
        stream: "s",
        table: TableName(schema: "public", name: "t"),
        columns: [RowLayout.Field(name: "a", type: .text)]
    )

    private final class Source: LayoutSource {
        func layout(of fingerprint: Fingerprint) -> RowLayout? {
            fingerprint == Rows.layout.fingerprint ? Rows.layout : nil
        }
    }

    static func batch(_ texts: [String]) -> RowBatch {
        let batch = RowBatch(layouts: Source())
        for text in texts {
            let length = withUnsafeBytes(of: Int32(text.utf8.count).bigEndian) { Array($0) }
            let bytes: [UInt8] = [0, 1] + length + Array(text.utf8)
            batch.reserve(bytes.count).copyMemory(from: bytes, byteCount: bytes.count)
            batch.byteCount += bytes.count
            batch.endRow(layout.fingerprint)
        }
        return batch
    }

    static func texts(_ chunk: RowChunk) -> [String] {
        var texts: [String] = []
        var position = 0
        for _ in 0..<chunk.count {
            let length = chunk.bytes[position + 2..<position + 6].reduce(0) { $0 << 8 | Int($1) }
            texts.append(String(decoding: chunk.bytes[position + 6..<position + 6 + length], as: UTF8.self))
            position += 6 + length
        }
        return texts
    }
}
