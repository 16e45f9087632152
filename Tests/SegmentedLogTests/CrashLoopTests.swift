// Random appends, trims, failing calls and stops of the machine or the process, from a seed, against a model of what was promised:
// after every restart each acknowledged request is there once, whole, at its offsets; a request that was answered with a failure while the lane went on
// never comes back; of a request that was cut off nothing or everything is there. `FOREBAY_SEED=n` runs one seed, `FOREBAY_SEEDS=n` the first n.
import Glibc
import Records
import SegmentedLog
import SimulationKit
import Testing

@Suite struct CrashLoopTests {
    static let seeds: Range<Int> = {
        if let text = getenv("FOREBAY_SEED").map({ String(cString: $0) }), let seed = Int(text) {
            return seed..<seed + 1
        }
        return 0..<(getenv("FOREBAY_SEEDS").flatMap { Int(String(cString: $0)) } ?? 400)
    }()

    @Test func everyAcknowledgedRequestSurvivesOnceAndWhole() throws {
        var stops = 0
        for seed in Self.seeds {
            var run = try CrashRun(seed: UInt64(seed))
            try run.run()
            stops += run.stops
            if let complaint = run.complaint {
                Issue.record("FOREBAY_SEED=\(seed): \(complaint)")
                return
            }
        }
        #expect(stops > Self.seeds.count)
    }

    /// Without a sync before each answer a power cut may take rows, but only from the end, whole requests, and none that had been synced.
    @Test func withoutSyncsWhatSurvivesAPowerCutIsAPrefix() throws {
        for seed in Self.seeds {
            var random = SplitMix(seed: UInt64(seed) ^ 0xFEED)
            let lane = try LaneFixture(seed: UInt64(seed), segmentBytes: 8 << 10, sync: .never)
            var ends: [UInt64] = [0]
            var synced = 0
            for request in 1...(1 + random.below(20)) {
                let result = lane.append(request, rows: 1 + random.below(30), padding: random.below(100))
                guard result.ending == .durable else { return #expect(Bool(false)) }
                ends.append(lane.catalogue.end.rawValue)
                if random.below(4) == 0 {
                    #expect(lane.log.sync(at: lane.now) == nil)
                    synced = request
                }
            }
            try lane.powerCut()
            let (rows, lost) = try lane.readAll()
            let end = lane.catalogue.end.rawValue
            let isPrefix = ends.contains(end) && UInt64(rows.count) == end && end >= ends[synced]
            guard isPrefix, lost.isEmpty, lane.report.verdict != .corrupt else {
                Issue.record(
                    "FOREBAY_SEED=\(seed): \(rows.count) rows, end \(end) of \(ends), synced \(synced), \(lane.report)"
                )
                return
            }
        }
    }
}

private struct CrashRun {
    enum Fate {
        /// Acknowledged, with the offset of its first row.
        case acknowledged(Offset)
        /// Answered with a failure while the lane went on: gone for good.
        case failed
        /// The machine stopped before an answer, or the lane could not go on.
        case unknown
    }

    let fixture: LaneFixture
    var random: SplitMix
    var fates: [Int: (rows: Int, fate: Fate, key: Int?)] = [:]
    var nextRequest = 1
    var trimmedThrough = Offset.none
    var stops = 0
    var complaint: String?

    init(seed: UInt64) throws {
        random = SplitMix(seed: seed ^ 0xC0FFEE)
        let ring =
            seed % 4 == 0
            ? try KeyRing(keys: ["k\(seed % 8)": [UInt8](repeating: 5, count: 32)], active: "k\(seed % 8)") : KeyRing()
        fixture = try LaneFixture(seed: seed, segmentBytes: 8 << 10, keyRing: ring)
    }

    mutating func run() throws {
        for _ in 0..<6 where complaint == nil {
            try live()
            try stop()
            stops += 1
            check()
        }
    }

    /// A life of the process, up to the moment at which the machine stops, or nearly.
    private mutating func live() throws {
        let disk = fixture.disk
        let isHard = random.below(3) == 0
        disk.failures.writes = isHard ? 30 : 0
        disk.failures.syncs = isHard ? 30 : 0
        disk.failures.allocations = random.below(4) == 0 ? 100 : 0
        disk.fuse.left = random.below(4) == 0 ? nil : random.below(60)
        for _ in 0..<random.below(25) where !disk.fuse.isBlown {
            fixture.now = WallTime(microseconds: fixture.now.rawValue + UInt64(random.below(7_000_000)))
            switch random.below(12) {
            case 0: try trim()
            case 1: prepare()
            default: append()
            }
        }
    }

    private mutating func append() {
        var requests: [AppendRequest] = []
        var numbers: [Int] = []
        for _ in 0...random.below(4) {
            let rows = random.below(5) == 0 ? 1 + random.below(60) : 1 + random.below(4)
            let layouts = random.below(4) == 0 ? 3 : 1
            let key = random.below(3) == 0 ? nextRequest : nil
            let batch = RowBatch.stamped(nextRequest, rows: rows, padding: random.below(120)) { $0 % layouts }
            requests.append(AppendRequest(batch, key: key))
            fates[nextRequest] = (rows, .unknown, key)
            numbers.append(nextRequest)
            nextRequest += 1
        }
        var start = 0
        while start < requests.count {
            let result = fixture.log.append(requests, from: start, at: fixture.now)
            var offset = result.first
            for index in start..<start + result.taken {
                let number = numbers[index]
                guard let rows = fates[number]?.rows, result.refused[index] == nil else {
                    fates[number] = nil
                    continue
                }
                switch result.ending {
                case .durable:
                    fates[number]?.fate = .acknowledged(offset)
                    offset = offset.advanced(by: rows)
                case .full:
                    fates[number]?.fate = .failed
                case .failed:
                    let wentOn = fixture.log.readOnlyReason == nil && !fixture.disk.fuse.isBlown
                    fates[number]?.fate = wentOn ? .failed : .unknown
                }
            }
            start += result.taken
            if fixture.disk.fuse.isBlown { return }
        }
    }

    private mutating func trim() throws {
        let end = fixture.catalogue.end
        let replicated = Offset(UInt64(random.below(Int(end.rawValue) + 1)))
        let care = LaneMaintenance(context: fixture.context, catalogue: fixture.catalogue)
        let history = KeyHistory(context: fixture.context, catalogue: fixture.catalogue)
        do {
            _ = try history.writeSidecars()
            _ = try care.trim(
                Retention(minAge: .zero, minBytes: 0),
                replicated: replicated,
                keepsLast: true,
                isPressed: random.below(2) == 0,
                at: fixture.now
            )
        } catch let fault {
            _ = fault
        }
        trimmedThrough = max(trimmedThrough, replicated)
    }

    private func prepare() {
        let care = LaneMaintenance(context: fixture.context, catalogue: fixture.catalogue)
        _ = try? care.prepareSpare()
    }

    private mutating func stop() throws {
        fixture.disk.failures.writes = 0
        fixture.disk.failures.syncs = 0
        fixture.disk.failures.allocations = 0
        if random.below(3) == 0 { fixture.disk.processEnd() } else { fixture.disk.powerCut() }
        try fixture.reopen()
    }

    private mutating func check() {
        do {
            let first = fixture.catalogue.first
            let (stamps, lost) = try fixture.readAll(after: Offset(first.rawValue - 1))
            if !lost.isEmpty { return fail("lost \(lost)") }
            if first.rawValue > trimmedThrough.rawValue + 1 {
                return fail("trimmed up to \(first), allowed \(trimmedThrough)")
            }
            var expected = first
            var seen: [UInt32: [(offset: Offset, stamp: RowStamp)]] = [:]
            for (offset, stamp) in stamps {
                if offset != expected { return fail("offset \(offset) where \(expected) was due") }
                expected = offset.advanced(by: 1)
                seen[stamp.request, default: []].append((offset, stamp))
            }
            if expected != fixture.catalogue.end.advanced(by: 1) { return fail("rows end before the durable end") }
            for (number, entry) in fates.sorted(by: { $0.key < $1.key }) {
                checkRequest(number, entry, seen[UInt32(number)] ?? [], first)
                if complaint != nil { return }
            }
            try checkKeys()
        } catch {
            fail("\(error)")
        }
    }

    private mutating func checkRequest(
        _ number: Int,
        _ entry: (rows: Int, fate: Fate, key: Int?),
        _ rows: [(offset: Offset, stamp: RowStamp)],
        _ first: Offset
    ) {
        switch entry.fate {
        case .acknowledged(let start):
            let last = start.advanced(by: entry.rows - 1)
            if last < first {
                fates[number] = nil
                return
            }
            let visible = rows.map(\.offset)
            let due = (max(start, first).rawValue...last.rawValue).map { Offset($0) }
            if visible != due { fail("request \(number): rows at \(visible), due at \(due)") }
        case .failed:
            if !rows.isEmpty { fail("request \(number) had failed and came back at \(rows.map(\.offset))") }
        case .unknown:
            if rows.isEmpty {
                fates[number]?.fate = .failed
            } else if rows.count == entry.rows, rows[0].stamp.row == 0 {
                fates[number]?.fate = .acknowledged(rows[0].offset)
            } else {
                fail("request \(number): \(rows.count) of \(entry.rows) rows came back")
            }
        }
    }

    private mutating func checkKeys() throws {
        let history = KeyHistory(context: fixture.context, catalogue: fixture.catalogue)
        let known = Set(try history.load(notBefore: 0, limit: .max).map(\.request.bodyDigest))
        for (number, entry) in fates {
            guard let key = entry.key else { continue }
            switch entry.fate {
            case .acknowledged:
                if !known.contains(UInt64(key)) { return fail("the key of request \(number) is forgotten") }
            case .failed: if known.contains(UInt64(key)) { return fail("the key of failed request \(number) is known") }
            case .unknown: break
            }
        }
    }

    private mutating func fail(_ text: String) {
        complaint = text
    }
}
