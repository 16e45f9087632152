import Records

/// Rows of random values, extremes among them, in the forms that PostgreSQL's `send` functions give.
struct RandomRows {
    var random: SplitMix

    init(seed: UInt64) {
        random = SplitMix(seed: seed)
    }

    mutating func append(to batch: RowBatch, _ types: [ColumnType]) {
        batch.beginRow(fieldCount: types.count)
        for type in types {
            if random.next() % 10 == 0 {
                batch.appendNull()
            } else {
                append(to: batch, type)
            }
        }
    }

    private mutating func append(to batch: RowBatch, _ type: ColumnType) {
        switch type {
        case .bool: batch.append(bool: random.next() & 1 == 0)
        case .int2: batch.append(int2: Int16(truncatingIfNeeded: integer()))
        case .int4: batch.append(int4: Int32(truncatingIfNeeded: integer()))
        case .int8: batch.append(int8: integer())
        case .float4:
            let value = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
            batch.append(float4: value.isNaN ? .nan : value)
        case .float8: batch.append(float8: double())
        case .numeric: numeric(to: batch)
        case .text, .varchar: batch.append(text: text())
        case .timestamptz, .timestamp: batch.append(timestamp: timestamp())
        case .date:
            batch.append(date: Int32.random(in: Int32(DateLimits.first)...Int32(DateLimits.last), using: &random))
        case .uuid: batch.append(uuidHigh: random.next(), low: random.next())
        case .inet: batch.append(inet: address())
        case .cidr:
            var network = address()
            while !network.hasNoHostBits { network.bits += 1 }
            batch.append(cidr: network)
        case .json: batch.append(text: json(depth: 0))
        case .jsonb: batch.append(jsonb: json(depth: 0))
        case .bytea:
            let bytes = (0..<count()).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            bytes.withUnsafeBytes { batch.append(bytes: $0) }
        case .textArray: batch.append(textArray: (0..<count()).map { _ in isNull() ? nil : text() })
        case .int8Array: batch.append(int8Array: (0..<count()).map { _ in isNull() ? nil : integer() })
        case .float8Array: batch.append(float8Array: (0..<count()).map { _ in isNull() ? nil : double() })
        }
    }

    private mutating func count() -> Int { Int(random.next() % 20) }

    private mutating func isNull() -> Bool { random.next() % 5 == 0 }

    private mutating func integer() -> Int64 {
        switch random.next() % 5 {
        case 0: [Int64.min, Int64.max, 0, -1, 1][Int(random.next() % 5)]
        case 1: Int64(truncatingIfNeeded: random.next())
        default: Int64(truncatingIfNeeded: random.next()) >> Int64(random.next() % 64)
        }
    }

    private mutating func double() -> Double {
        switch random.next() % 4 {
        case 0: Double(integer() >> 20) / 100
        case 1:
            [Double.nan, .infinity, -.infinity, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude][count() % 6]
        default:
            Double(bitPattern: random.next() & ~(1 << 62))
        }
    }

    private mutating func numeric(to batch: RowBatch) {
        let digits = (0...count() * 2).map { _ in random.next() % 3 == 0 ? 0x30 : UInt8(0x30 + random.next() % 10) }
        let point = Int(random.next() % UInt64(digits.count + 1))
        let exponent = random.next() % 4 == 0 ? Int(random.next() % 60) - 30 : 0
        digits.withUnsafeBytes { bytes in
            let decimal = DecimalDigits(
                isNegative: random.next() & 1 == 0,
                integer: UnsafeRawBufferPointer(rebasing: bytes[..<point]),
                fraction: UnsafeRawBufferPointer(rebasing: bytes[point...]),
                exponent: exponent
            )
            do throws(NumericField.Overflow) {
                try batch.append(numeric: decimal)
            } catch {
                batch.append(numeric: .notANumber)
            }
        }
    }

    private mutating func timestamp() -> Int64 {
        switch random.next() % 4 {
        case 0:
            [TimestampLimits.infinity, TimestampLimits.minusInfinity, TimestampLimits.first, TimestampLimits.end - 1][
                count() % 4
            ]
        case 1: Int64.random(in: TimestampLimits.first..<TimestampLimits.end, using: &random)
        default: 820_000_000_000_000 + Int64(random.next() % 1_000_000_000_000)
        }
    }

    private mutating func address() -> NetworkAddress {
        let mask: UInt64 = random.next() & 1 == 0 ? .max : 0xFFFF_0000_0000_FFFF
        if random.next() & 1 == 0 {
            let bits = UInt8(random.next() % 33)
            return NetworkAddress(isIPv6: false, high: 0, low: random.next() & 0xFFFF_FFFF & mask, bits: bits)
        }
        return NetworkAddress(
            isIPv6: true,
            high: random.next() & mask,
            low: random.next() & mask,
            bits: UInt8(random.next() % 129)
        )
    }

    private mutating func text() -> String {
        let alphabet = Array("abc \"\\/\n\r\t\u{8}\u{C}\u{1}\u{1F}\u{7F}é€😀{}[],:'").map(String.init)
        return (0..<count() * 3).map { _ in alphabet.randomElement(using: &random) ?? "" }.joined()
    }

    private mutating func json(depth: Int) -> String {
        switch random.next() % (depth > 3 ? 4 : 6) {
        case 0: return String(Double(integer() >> 30) / 8)
        case 1: return depth == 0 ? "true" : "null"
        case 2: return #""\u00e9\ud83d\ude00\n é""#
        case 3: return "\(integer())"
        case 4: return "[" + (0..<count() % 4).map { _ in json(depth: depth + 1) }.joined(separator: " , ") + "]"
        default:
            let members = (0..<count() % 4).map { "\"k\($0)\" : " + json(depth: depth + 1) }
            return "{" + members.joined(separator: ",") + "}"
        }
    }
}
