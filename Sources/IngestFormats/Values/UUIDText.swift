/// UUIDs in every form that PostgreSQL takes: hexadecimal digits, a hyphen allowed after each fourth, braces around it allowed.
enum UUIDText {
    static func parse(
        _ start: UnsafePointer<UInt8>,
        _ end: UnsafePointer<UInt8>
    ) throws(ValueFault) -> (high: UInt64, low: UInt64) {
        var p = start
        var end = end
        if end - p >= 2, p[0] == UInt8(ascii: "{") {
            guard end[-1] == UInt8(ascii: "}") else { throw .form }
            p += 1
            end -= 1
        }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for index in 0..<32 {
            if index > 0, index % 4 == 0, p < end, p[0] == UInt8(ascii: "-") {
                p += 1
            }
            guard p < end else { throw .form }
            let digit = hexDigit(p[0])
            if digit > 15 { throw .form }
            if index < 16 {
                high = high << 4 | UInt64(digit)
            } else {
                low = low << 4 | UInt64(digit)
            }
            p += 1
        }
        guard p == end else { throw .form }
        return (high, low)
    }
}
