/// A small source of randomness that a seed fixes completely: SplitMix64 (Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", OOPSLA 2014).
///
/// All shapes drawn from it use only additions, multiplications, divisions and square roots, which IEEE 754 rounds the same
/// way everywhere. The C library's `exp` and `log` may differ in the last bit between processors, and equal seeds shall
/// give equal bytes on any machine.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mix(state)
    }

    /// The finalizer of SplitMix64: a one-to-one scrambling of 64 bits, good as a hash of a few numbers.
    package static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Evenly spread in 0 ..< 1.
    package mutating func unit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }

    /// Evenly spread in 0 ..< bound; `bound` must be above 0.
    package mutating func below(_ bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// True with the given probability.
    package mutating func chance(_ probability: Double) -> Bool {
        unit() < probability
    }

    /// Close to the standard normal distribution: the sum of twelve even draws less six (Irwin-Hall), so never beyond ±6.
    package mutating func normal() -> Double {
        var sum = 0.0
        for _ in 0..<6 {
            // Two draws of 32 bits from one word.
            let word = next()
            sum += Double(word >> 32) + Double(word & 0xFFFF_FFFF)
        }
        return sum * 0x1p-32 - 6
    }

    /// Log-normal with the given median and spread.
    package mutating func logNormal(median: Double, sigma: Double) -> Double {
        median * Self.exponential(sigma * normal())
    }

    /// Pareto with exponent 2 and least value 1, cut off at `limit`: the heavy tail of a latency.
    package mutating func paretoSquare(limit: Double) -> Double {
        min(limit, 1 / (1 - unit()).squareRoot())
    }

    /// e to the power of `x`, by halving the argument into ±ln 2 / 2 and a Taylor polynomial; relative error below 1e-15.
    ///
    /// `x` is limited to ±700, where the result is still a normal number.
    package static func exponential(_ x: Double) -> Double {
        let bounded = max(-700, min(700, x))
        let power = (bounded * 1.442_695_040_888_963_4).rounded(.toNearestOrEven)
        // ln 2 in two parts, so that the subtraction keeps its low bits.
        let rest = (bounded - power * 0.693_147_180_369_123_8) - power * 1.908_214_929_270_587_7e-10
        var sum = 1.0
        for divisor in stride(from: 14.0, through: 1.0, by: -1.0) {
            sum = 1 + sum * rest / divisor
        }
        return Double(sign: .plus, exponent: Int(power), significand: sum)
    }
}
