/// A decimal number as its text has it: borrowed runs of ASCII digits around the point, and a power of ten.
///
/// The memory is the caller's and must stay while the value is used. All bytes are "0" to "9".
package struct DecimalDigits {
    package var isNegative: Bool
    package var integer: UnsafeRawBufferPointer
    package var fraction: UnsafeRawBufferPointer
    /// Capped by who parses it at ±``exponentLimit``.
    package var exponent: Int

    /// PostgreSQL refuses such an exponent in a `numeric`, whatever the digits (half of the largest Int32).
    package static let exponentLimit = 1_073_741_823

    package init(
        isNegative: Bool,
        integer: UnsafeRawBufferPointer,
        fraction: UnsafeRawBufferPointer,
        exponent: Int
    ) {
        self.isNegative = isNegative
        self.integer = integer
        self.fraction = fraction
        self.exponent = exponent
    }

    package var count: Int { integer.count + fraction.count }

    /// The digit at `index` over both runs, 0 to 9.
    @inlinable
    @inline(__always)
    package func digit(_ index: Int) -> UInt8 {
        (index < integer.count ? integer[index] : fraction[index - integer.count]) &- 0x30
    }

    /// Without the zeros at both ends: the first significant digit, how many there are up to the last one that is not zero,
    /// and where the point stands, counted from the first (the value is 0.d₁d₂… × 10^point). No digits for zero.
    package var significant: (first: Int, count: Int, point: Int) {
        var first = 0
        while first < count, digit(first) == 0 {
            first += 1
        }
        guard first < count else { return (0, 0, 0) }
        var end = count
        while digit(end - 1) == 0 {
            end -= 1
        }
        return (first, end - first, integer.count - first + exponent)
    }
}
