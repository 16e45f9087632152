/// Takes a fuzzer's input apart: choices from its front, the rest as it is. Past the end every choice is 0.
struct FuzzInput {
    private(set) var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) {
        rest = bytes
    }

    mutating func byte() -> UInt8 {
        guard let first = rest.first else { return 0 }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
        return first
    }

    /// Little-endian.
    mutating func word() -> Int {
        Int(byte()) | Int(byte()) << 8
    }

    /// Up to `count` bytes.
    mutating func take(_ count: Int) -> UnsafeRawBufferPointer {
        let taken = UnsafeRawBufferPointer(rebasing: rest.prefix(count))
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(taken.count))
        return taken
    }
}

/// Random numbers for schedules, from a seed that is part of the input (SplitMix64, public domain algorithm by S. Vigna).
struct FuzzRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: some BinaryInteger) {
        state = UInt64(truncatingIfNeeded: seed)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    mutating func below(_ bound: Int) -> Int {
        Int(next() % UInt64(bound))
    }
}

extension UnsafeRawBufferPointer {
    /// The same bytes in portions of random sizes up to `limit`, each in memory of its own, so that reading beyond one is noticed.
    func portions(upTo limit: Int, _ random: inout FuzzRandom) -> [[UInt8]] {
        var portions: [[UInt8]] = []
        var start = 0
        while start < count {
            let end = Swift.min(count, start + 1 + random.below(limit))
            portions.append(Array(self[start..<end]))
            start = end
        }
        return portions
    }
}
