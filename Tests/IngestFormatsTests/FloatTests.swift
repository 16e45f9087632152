import IngestFormats
import Records
import Testing

/// Doubles and floats against the standard library's own reading, over random digits around every boundary.
@Suite struct FloatTests {
    /// The value of the only column's field, as a bit pattern; nil if refused.
    private func bits(_ bench: Bench, _ text: String) -> UInt64? {
        let (report, batch) = bench.decode("{\"c\":\(text)}")
        return report.isClean ? batch.bytes.dropFirst(6).reduce(0) { $0 << 8 | UInt64($1) } : nil
    }

    private func randomDigits(_ random: inout SplitMix, _ count: Int) -> String {
        String((0..<count).map { _ in Character(String(random.next() % 10)) })
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func decimalText(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let double = try Bench(.float8)
        let float = try Bench(.float4)
        for _ in 0..<10_000 {
            var text = random.next() & 1 == 0 ? "-" : ""
            text += "\(1 + random.next() % 9)" + randomDigits(&random, Int(random.next() % 24))
            if random.next() & 1 == 0 { text += "." + randomDigits(&random, 1 + Int(random.next() % 24)) }
            if random.next() % 3 == 0 { text += "e\(Int(random.next() % 80) - 40)" }
            #expect(bits(double, text) == Double(text)?.bitPattern, "\(text)")
            let single = Float(text).flatMap { $0.isFinite && $0 != 0 ? UInt64($0.bitPattern) : nil }
            #expect(bits(float, text) == single, "\(text)")
        }
    }

    @Test(arguments: [4, 5] as [UInt64])
    func shortestTextOfAnyDouble(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let bench = try Bench(.float8)
        for _ in 0..<10_000 {
            let value = Double(bitPattern: random.next())
            guard value.isFinite else { continue }
            #expect(bits(bench, value.description) == value.bitPattern, "\(value)")
        }
    }

    /// Decimal texts exactly halfway between two doubles round to even, and a digit far behind decides otherwise.
    @Test func halfway() throws {
        let bench = try Bench(.float8)
        let tie = "9007199254740993"
        #expect(bits(bench, tie) == 9_007_199_254_740_992.0.bitPattern)
        #expect(bits(bench, "\(tie).0") == 9_007_199_254_740_992.0.bitPattern)
        for zeros in [1, 10, 700, 5000] {
            #expect(
                bits(bench, "\(tie).\(String(repeating: "0", count: zeros))1") == 9_007_199_254_740_994.0.bitPattern
            )
        }
        #expect(bits(bench, "9007199254740995") == 9_007_199_254_740_996.0.bitPattern)
    }
}
