/// An IPv4 or IPv6 address with the length of its network prefix: a value of `inet` or `cidr`.
package struct NetworkAddress: Hashable, Sendable {
    package var isIPv6: Bool
    /// The upper 64 bits of an IPv6 address; 0 for IPv4.
    package var high: UInt64
    /// The lower 64 bits of an IPv6 address; an IPv4 address stands in the lower 32.
    package var low: UInt64
    /// The length of the prefix: 0 to 32, or 0 to 128.
    package var bits: UInt8

    @inlinable
    package init(isIPv6: Bool, high: UInt64, low: UInt64, bits: UInt8) {
        self.isIPv6 = isIPv6
        self.high = high
        self.low = low
        self.bits = bits
    }

    /// The prefix length of a single host.
    package var fullBits: UInt8 { isIPv6 ? 128 : 32 }

    /// No bit is set beyond the prefix: what `cidr` demands.
    package var hasNoHostBits: Bool {
        guard isIPv6 else {
            return bits >= 32 || UInt32(truncatingIfNeeded: low) << UInt32(bits) == 0
        }
        if bits >= 64 {
            return bits >= 128 || low << UInt64(bits - 64) == 0
        }
        return low == 0 && high << UInt64(bits) == 0
    }

    /// The address without its prefix, IPv6 in the form of RFC 5952.
    package var addressText: String {
        guard isIPv6 else {
            return (0..<4).map { String(low >> UInt64(24 - 8 * $0) & 0xFF) }.joined(separator: ".")
        }
        let groups = (0..<8).map { index in
            UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64(48 - 16 * (index % 4)))
        }
        let gap = Self.longestZeroRun(groups)
        let text = { (part: ArraySlice<UInt16>) in part.map { String($0, radix: 16) }.joined(separator: ":") }
        guard gap.count > 1 else { return text(groups[...]) }
        return text(groups[..<gap.lowerBound]) + "::" + text(groups[gap.upperBound...])
    }

    /// The first of the longest runs of zero groups.
    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int> {
        var best = 0..<0
        var start = 0
        for index in 0...8 where index == 8 || groups[index] != 0 {
            if index - start > best.count {
                best = start..<index
            }
            start = index + 1
        }
        return best
    }
}
