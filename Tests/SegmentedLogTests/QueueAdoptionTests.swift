// Method: a dead proxy's directory with a backlog, keys and dead letters is taken over on a disk that loses what was not synced, the machine being stopped
// at each call in turn; whoever comes next goes on, and at the end everything is there once, and nothing starts on the other directory.
import Records
import SegmentedLog
import SimulationKit
import Testing

@Suite struct QueueAdoptionTests {
    private static let dead = QueueID(high: 1, low: 2)
    private static let own = QueueID(high: 3, low: 4)
    private static let lanes = [LaneKey(queue: dead, lane: LaneID(0)), LaneKey(queue: dead, lane: LaneID(1))]
    private static let now = WallTime(microseconds: 1_700_000_000_000_000)

    private let disk: SimulatedDisk
    private let source = QueueDirectory("dead")
    private let directory = QueueDirectory("own")

    init() throws {
        disk = SimulatedDisk(seed: 7)
        try fill(source, Self.dead, lanes: Self.lanes, letters: 1...6)
        try fill(directory, Self.own, lanes: [LaneKey(queue: Self.own, lane: LaneID(0))], letters: 1...2)
        disk.settle()
    }

    private func context(_ directory: QueueDirectory) throws -> LogContext {
        var faults: [String] = []
        return LogContext(
            fileSystem: disk,
            options: LogOptions(segmentBytes: 4 << 10, blockBytes: 1 << 10, groupBytes: 2 << 10, sync: .always),
            budget: DiskBudget(limit: 1 << 30, reserve: 0),
            layouts: try LayoutCatalogue.open(directory.layouts, on: disk, faults: &faults),
            keyRing: KeyRing(),
            entropy: Entropy(SplitMix(seed: 5))
        )
    }

    private func letters(_ directory: QueueDirectory) throws -> DeadLetterLog {
        var options = DeadLetterLog.Options()
        options.maximumFileBytes = 1 << 10
        return try DeadLetterLog.open("\(directory.path)/dead-letters", files: disk, options: options) { 77 }
    }

    /// Ten keyed requests of three rows a lane; letters of which every third is discarded.
    private func fill(
        _ directory: QueueDirectory,
        _ id: QueueID,
        lanes: [LaneKey],
        letters numbers: ClosedRange<UInt64>
    ) throws {
        try directory.create(on: disk)
        try directory.writeIdentity(id, on: disk)
        let context = try context(directory)
        for key in lanes {
            let log = try LaneRecovery.open(key, in: directory.lane(key), context: context).log
            for number in 1...10 {
                let request = AppendRequest(
                    .stamped(number, rows: 3, padding: 200),
                    key: number + 100 * Int(key.lane.rawValue)
                )
                guard case .durable = log.append([request], from: 0, at: Self.now).ending else {
                    Issue.record("a request was not stored")
                    return
                }
            }
        }
        let letters = try letters(directory)
        for number in numbers {
            try letters.record([LetterFixture.letter(number, lane: lanes[0], bytes: 100)])
            if number.isMultiple(of: 3) { try letters.judge([number], .discarded, time: 1) }
        }
    }

    /// One process that takes over, or goes on taking over.
    private func takeOver() throws {
        if try QueueAdoption.pending(in: directory, on: disk) == nil {
            try QueueAdoption(of: source, by: directory, on: disk).order(as: Self.own)
        }
        let adoption = try #require(try QueueAdoption.pending(in: directory, on: disk))
        _ = try adoption.moveLanes()
        try letters(directory).adopt(from: letters(source))
        try adoption.finish()
    }

    private func check(_ comment: Comment) throws {
        #expect(try QueueAdoption.adopter(of: source, on: disk) == Self.own, comment)
        #expect(try QueueAdoption.pending(in: directory, on: disk) == nil, comment)
        #expect(try source.laneKeys(on: disk) == [], comment)
        let context = try context(directory)
        #expect(try directory.laneKeys(on: disk).count == 3, comment)
        for key in Self.lanes {
            let opened = try LaneRecovery.open(key, in: directory.lane(key), context: context)
            #expect(opened.report.end == Offset(30), comment)
            let cursor = LaneCursor(catalogue: opened.log.catalogue, context: context)
            let result = try cursor.read(after: .none, rows: .max, bytes: .max)
            #expect(result.lost.isEmpty && result.chunks.reduce(0) { $0 + $1.count } == 30, comment)
            #expect(result.chunks.allSatisfy { context.layouts.layout(of: $0.fingerprint) != nil }, comment)
            let keys = try KeyHistory(context: context, catalogue: opened.log.catalogue).load(notBefore: 0, limit: .max)
            #expect(keys.count == 10, comment)
        }
        let letters = try letters(directory)
        // 1, 2, 4 and 5 are pending, 3 and 6 are given up; of its own it had two.
        #expect(letters.summary.pending == 6, comment)
        #expect(letters.recorded(Self.lanes[0], in: Offset(1)...Offset(30)) == [Offset(1)...Offset(6)], comment)
        var found: [UInt64: [UInt8]] = [:]
        let reader = DeadLetterReader(directory: "\(directory.path)/dead-letters", files: disk)
        try reader.visit { (record) throws(DeadLetterLogFault) in
            if record.letter.lane == Self.lanes[0], letters.isPending(record.id) {
                found[record.letter.first.rawValue] = try reader.rows(of: record)
            }
            return true
        }
        #expect(found.keys.sorted() == [1, 2, 4, 5], comment)
        #expect(found.allSatisfy { $0.value == LetterFixture.letter($0.key, bytes: 100).bytes }, comment)
        #expect(letters.mayHaveUnfinishedRetries, comment)
    }

    @Test func everythingIsTakenOver() throws {
        try takeOver()
        try check("without a fault")
        disk.powerCut(keeping: 0)
        try check("after a power cut")
    }

    @Test(arguments: [false, true])
    func aStopAtAnyCallLeavesWhatTheNextOneGoesOnFrom(powerCut: Bool) throws {
        var call = 0
        var isComplete = false
        while !isComplete {
            let world = try QueueAdoptionTests()
            world.disk.fuse.left = call
            do {
                try world.takeOver()
                isComplete = true
            } catch {}
            if powerCut { world.disk.powerCut() } else { world.disk.processEnd() }
            if !isComplete { try world.takeOver() }
            try world.check("stopped at call \(call)")
            call += 1
        }
        #expect(call > 30)
    }

    @Test func aFailingDiskIsNoReasonToLoseAnything() throws {
        for seed in UInt64(0)..<40 {
            let world = try QueueAdoptionTests()
            var random = SplitMix(seed: seed)
            world.disk.failures.writes = 60
            world.disk.failures.syncs = 60
            world.disk.failures.names = 60
            for _ in 0..<200 {
                do {
                    try world.takeOver()
                    break
                } catch {}
                if random.chance(500) { world.disk.powerCut() } else { world.disk.processEnd() }
            }
            world.disk.failures = SimulatedDisk.Failures()
            try? world.takeOver()
            try world.check("seed \(seed)")
        }
    }

    @Test func itCanBeOrderedAgain() throws {
        try takeOver()
        try takeOver()
        try check("twice")
    }

    @Test func whatCanNotBeRightIsRefused() throws {
        func refusal(_ adoption: QueueAdoption, as id: QueueID = Self.own) -> String? {
            do throws(AdoptionFault) {
                try adoption.order(as: id)
                return nil
            } catch {
                return "\(error)"
            }
        }
        let adoption = QueueAdoption(of: source, by: directory, on: disk)
        #expect(refusal(adoption, as: Self.dead)?.contains("copy of the other") == true)
        #expect(try QueueAdoption.adopter(of: source, on: disk) == nil)

        let nowhere = QueueDirectory("nowhere")
        try nowhere.create(on: disk)
        #expect(refusal(QueueAdoption(of: nowhere, by: directory, on: disk))?.contains("no queue here") == true)

        try takeOver()
        let other = QueueDirectory("other")
        try other.create(on: disk)
        let theirs = QueueAdoption(of: source, by: other, on: disk)
        #expect(
            refusal(theirs, as: QueueID(high: 9, low: 9))?.contains("was taken over by the queue \(Self.own)") == true
        )
        let itself = QueueAdoption(of: directory, by: source, on: disk)
        #expect(refusal(itself, as: Self.dead)?.contains("itself was taken over") == true)
    }
}
