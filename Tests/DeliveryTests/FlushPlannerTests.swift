import Records
import SimulationKit
import Testing

@testable import Delivery

/// Method: a buffer of known blocks and an order; the plan's range, rows and letters are compared with what they have to be.
struct FlushPlannerTests {
    private let queue = FakeQueue()

    /// Three blocks of ten rows, of 21 bytes each.
    init() {
        for stream in ["a", "b", "a"] { queue.append(10, stream: stream) }
    }

    private func plan(
        from: UInt64 = 0,
        rows: Int = 100,
        bytes: Int = 1 << 20,
        through: UInt64? = nil,
        condemned: [UInt64] = [],
        parked: [String] = [],
        recorded: [ClosedRange<UInt64>] = []
    ) throws -> FlushPlan {
        let reason = DeadLetter.Reason(sqlState: "00000", message: "")
        var buffer = ChunkBuffer(after: Offset(from))
        try buffer.fill(from: queue, after: Offset(from), to: ReadLimit(rows: 1_000, bytes: 1 << 20))
        return try FlushPlanner.plan(
            FlushOrder(
                epoch: 1,
                from: Offset(from),
                rows: rows,
                bytes: bytes,
                through: through.map { Offset($0) },
                condemned: Dictionary(uniqueKeysWithValues: condemned.map { (Offset($0), reason) }),
                parked: ParkedStreams.Aside(streams: Dictionary(uniqueKeysWithValues: parked.map { ($0, reason) }))
            ),
            lane: FakeQueue.key,
            buffer: buffer,
            recorded: recorded.map { Offset($0.lowerBound)...Offset($0.upperBound) },
            time: 7,
            layout: { (fingerprint) throws(SourceFault) in try queue.layout(of: fingerprint) }
        )
    }

    private func sent(_ plan: FlushPlan) -> [UInt64] {
        plan.parts.flatMap(\.slices).flatMap { EventRows.events(in: $0.chunk.bytes[$0.range]) ?? [] }.map(\.rawValue)
            .sorted()
    }

    private func aside(_ plan: FlushPlan) -> [UInt64] {
        plan.letters.flatMap { EventRows.events(in: $0.bytes[...]) ?? [] }.map(\.rawValue)
    }

    @Test func everythingGoesIfItFits() throws {
        let plan = try plan()
        #expect(plan.to == Offset(30) && plan.rows == 30 && plan.bytes == 630)
        #expect(sent(plan) == Array(1...30))
        #expect(plan.sent == Offset(1)...Offset(30))
    }

    @Test(arguments: [(5, 5), (10, 10), (12, 10), (19, 10), (21, 20), (25, 20), (30, 30), (1, 1)])
    func blocksAreLeftWholeIfTheFlushIsHalfFull(rows: Int, expected: Int) throws {
        let plan = try plan(rows: rows)
        #expect(plan.rows == expected && plan.to == Offset(UInt64(expected)))
    }

    @Test func theBytesOfAFlushAreBoundedByTheBlock() throws {
        #expect(try plan(bytes: 1).to == Offset(10))
        #expect(try plan(bytes: 210).to == Offset(10))
        #expect(try plan(bytes: 211).to == Offset(20))
    }

    /// Every way to cut one range out of the thirty rows: what is not recorded is sent, what is recorded is not, and the ledger passes both.
    @Test func recordedRowsAreLeftOut() throws {
        for first in UInt64(1)...30 {
            for last in first...30 {
                let plan = try plan(recorded: [first...last])
                #expect(plan.to == Offset(30))
                #expect(sent(plan) == (1...30).filter { !(first...last).contains($0) })
                #expect(plan.letters.isEmpty)
            }
        }
    }

    @Test func condemnedRowsAreSetAsideOnce() throws {
        let once = try plan(condemned: [1, 15, 30])
        #expect(aside(once) == [1, 15, 30] && once.rows == 27)
        #expect(once.letters.allSatisfy { $0.kind == .poison && $0.count == 1 && $0.time == 7 })
        #expect(try plan(condemned: [15], recorded: [15...15]).letters.isEmpty)
    }

    @Test func parkedRowsAreSetAsideByTheRun() throws {
        let plan = try plan(from: 3, condemned: [6], parked: ["a"], recorded: [25...26])
        #expect(
            plan.letters.map(\.range) == [
                Offset(4)...Offset(5), Offset(6)...Offset(6), Offset(7)...Offset(10), Offset(21)...Offset(24),
                Offset(27)...Offset(30),
            ]
        )
        #expect(plan.letters.map(\.kind) == [.parked, .poison, .parked, .parked, .parked])
        #expect(sent(plan) == Array(11...20) && plan.to == Offset(30))
    }

    @Test func aSearchEndsWhereItIsTold() throws {
        for through in UInt64(1)...30 {
            let plan = try plan(through: through)
            #expect(plan.to == Offset(through) && sent(plan) == Array(1...through))
        }
        let limited = try plan(from: 4, rows: 3, through: 20, recorded: [6...9])
        #expect(sent(limited) == [5, 10] && limited.to == Offset(10))
    }

    @Test func unreadableRangesArePassedWithALetter() throws {
        queue.corrupt = [Offset(11)...Offset(20)]
        let all = try plan()
        #expect(all.letters.map(\.range) == [Offset(11)...Offset(20)])
        #expect(all.letters[0].kind == .unreadable && all.letters[0].bytes.isEmpty)
        #expect(all.to == Offset(30) && all.rows == 20)
        #expect(try plan(through: 15).to == Offset(15))
        #expect(try plan(rows: 10).to == Offset(10))
        queue.corrupt = [Offset(21)...Offset(30)]
        #expect(try plan().to == Offset(30))
        #expect(try plan(from: 25).letters.map(\.range) == [Offset(26)...Offset(30)])
    }

    @Test func aLineNamesItsRow() throws {
        let plan = try plan(recorded: [2...4])
        #expect(plan.offset(ofLine: 1, part: 0) == Offset(1))
        #expect(plan.offset(ofLine: 2, part: 0) == Offset(5))
        #expect(plan.offset(ofLine: 8, part: 0) == Offset(21))
        #expect(plan.offset(ofLine: 17, part: 0) == Offset(30))
        #expect(plan.offset(ofLine: 18, part: 0) == nil)
        #expect(plan.offset(ofLine: 10, part: 1) == Offset(20))
        #expect(plan.offset(ofLine: 1, part: 2) == nil)
    }

    @Test func rowsThatCanNotBeToldApartGoAsideTogether() throws {
        let chunk = RowChunk(fingerprint: queue.chunks[0].fingerprint, first: Offset(31), count: 4, bytes: [9, 9, 9])
        queue.append(raw: chunk)
        // Sent whole nobody looks into it; the server will say what it thinks of it.
        #expect(try plan().rows == 34)
        let cut = try plan(from: 30, through: 32)
        #expect(cut.to == Offset(34) && cut.rows == 0)
        #expect(cut.letters.map(\.range) == [Offset(31)...Offset(34)])
        #expect(cut.letters[0].bytes == [9, 9, 9])
    }
}
