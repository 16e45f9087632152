// What may be trimmed, as a pure function of segments, watermark and time.
import Records
import SegmentedLog
import Testing

@Suite struct RetentionTests {
    /// Four segments of 100 rows and 1000 bytes; all seen replicated at second 100, if covered.
    private let segments = (0..<4).map { index in
        var segment = LaneCatalogue.Segment(base: Offset(UInt64(index * 100 + 1)), bytes: 1000)
        segment.coveredAt = WallTime(microseconds: 100_000_000)
        return segment
    }

    private func trimmable(
        replicated: UInt64,
        age: Int = 0,
        bytes: Int = 0,
        at second: UInt64 = 100,
        keepsLast: Bool = true,
        isPressed: Bool = false
    ) -> Int {
        Retention(minAge: .seconds(age), minBytes: bytes).trimmable(
            segments,
            end: Offset(400),
            replicated: Offset(replicated),
            keepsLast: keepsLast,
            isPressed: isPressed,
            at: WallTime(microseconds: second * 1_000_000)
        )
    }

    @Test(arguments: [(0, 0), (99, 0), (100, 1), (199, 1), (300, 3), (400, 3), (999, 3)])
    func onlyWholeReplicatedSegmentsGo(_ replicated: Int, _ count: Int) {
        #expect(trimmable(replicated: UInt64(replicated)) == count)
    }

    @Test func aDrainingLaneLosesItsLastSegmentToo() {
        #expect(trimmable(replicated: 399, keepsLast: false) == 3)
        #expect(trimmable(replicated: 400, keepsLast: false) == 4)
    }

    @Test func ageCountsFromReplication() {
        #expect(trimmable(replicated: 300, age: 60, at: 159) == 0)
        #expect(trimmable(replicated: 300, age: 60, at: 160) == 3)
    }

    @Test func bytesAreKeptOfTheNewest() {
        #expect(trimmable(replicated: 300, bytes: 1) == 2)
        #expect(trimmable(replicated: 300, bytes: 1001) == 1)
        #expect(trimmable(replicated: 300, bytes: 10_000) == 0)
    }

    @Test func pressureBeatsAgeAndBytesButNotReplication() {
        #expect(trimmable(replicated: 200, age: 60, bytes: 10_000, isPressed: true) == 2)
        #expect(trimmable(replicated: 0, isPressed: true) == 0)
    }
}
