import Records

/// Internet addresses as text: dotted quads (four decimal parts without leading zeros) and RFC 4291's forms of IPv6, each
/// with an optional `/bits`.
///
/// PostgreSQL takes more (fewer than four parts, hexadecimal); those forms mean different things to different tools.
enum NetworkText {
    static func parse(
        _ start: UnsafePointer<UInt8>,
        _ end: UnsafePointer<UInt8>,
        isCIDR: Bool
    ) throws(ValueFault) -> NetworkAddress {
        var p = start
        var address: NetworkAddress
        if let quad = quad(&p, end) {
            address = NetworkAddress(isIPv6: false, high: 0, low: UInt64(quad), bits: 32)
        } else {
            p = start
            guard let (high, low) = groups(&p, end) else { throw .form }
            address = NetworkAddress(isIPv6: true, high: high, low: low, bits: 128)
        }
        if p < end {
            guard p[0] == UInt8(ascii: "/") else { throw .form }
            p += 1
            guard let bits = decimal(&p, end, digits: 3), p == end else { throw .form }
            guard bits <= Int(address.fullBits) else { throw .range }
            address.bits = UInt8(bits)
        }
        if isCIDR, !address.hasNoHostBits { throw .hostBits }
        return address
    }

    @inline(__always)
    private static func quad(_ p: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UInt32? {
        var address: UInt32 = 0
        for index in 0..<4 {
            if index > 0 {
                guard p < end, p[0] == UInt8(ascii: ".") else { return nil }
                p += 1
            }
            guard let part = decimal(&p, end, digits: 3), part <= 255 else { return nil }
            address = address << 8 | UInt32(part)
        }
        return address
    }

    /// A decimal number of at most `digits` digits and without leading zeros.
    @inline(__always)
    private static func decimal(
        _ p: inout UnsafePointer<UInt8>,
        _ end: UnsafePointer<UInt8>,
        digits: Int
    ) -> Int? {
        let first = p
        var value = 0
        while p < end, p[0] &- 0x30 < 10 {
            value = value * 10 + Int(p[0] &- 0x30)
            p += 1
            if p - first > digits { return nil }
        }
        guard p > first, p - first == 1 || first[0] != UInt8(ascii: "0") else { return nil }
        return value
    }

    /// Eight groups of up to four hexadecimal digits; `::` once for at least one group of zeros; the last two groups may be
    /// written as a dotted quad.
    private static func groups(
        _ p: inout UnsafePointer<UInt8>,
        _ end: UnsafePointer<UInt8>
    ) -> (high: UInt64, low: UInt64)? {
        var words: (UInt64, UInt64) = (0, 0)
        var count = 0
        var gap = -1
        func isStop(_ p: UnsafePointer<UInt8>) -> Bool { p == end || p[0] == UInt8(ascii: "/") }
        func add(_ group: UInt64) {
            words.0 = words.0 << 16 | words.1 >> 48
            words.1 = words.1 << 16 | group
            count += 1
        }
        if end - p >= 2, p[0] == UInt8(ascii: ":"), p[1] == UInt8(ascii: ":") {
            gap = 0
            p += 2
        }
        while count < 8 {
            if isStop(p), gap == count { break }
            let first = p
            if count <= 6, let quad = quad(&p, end) {
                add(UInt64(quad >> 16))
                add(UInt64(quad & 0xFFFF))
                break
            }
            p = first
            var group: UInt64 = 0
            while p < end, hexDigit(p[0]) <= 15, p - first < 4 {
                group = group << 4 | UInt64(hexDigit(p[0]))
                p += 1
            }
            if p == first { return nil }
            add(group)
            if isStop(p) { break }
            guard p[0] == UInt8(ascii: ":") else { return nil }
            p += 1
            if p < end, p[0] == UInt8(ascii: ":") {
                if gap >= 0 { return nil }
                gap = count
                p += 1
            } else if isStop(p) {
                return nil
            }
        }
        if gap < 0 { return count == 8 ? words : nil }
        return count < 8 ? spread(words, count, gap) : nil
    }

    /// Moves the groups behind the gap to the end; `count` groups stand right-aligned in `words`.
    private static func spread(
        _ words: (UInt64, UInt64),
        _ count: Int,
        _ gap: Int
    ) -> (high: UInt64, low: UInt64) {
        let all = UInt128(words.0) << 64 | UInt128(words.1)
        let behind = count - gap
        let tail = behind == 0 ? 0 : all & (UInt128.max >> UInt128(128 - 16 * behind))
        let head = gap == 0 ? 0 : (all >> UInt128(16 * behind)) << UInt128(128 - 16 * gap)
        let address = head | tail
        return (UInt64(truncatingIfNeeded: address >> 64), UInt64(truncatingIfNeeded: address))
    }
}
