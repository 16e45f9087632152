/// The binary form of `numeric` as decimal text, with as many digits behind the point as its display scale says.
enum NumericText {
    static func append(_ field: UnsafeRawBufferPointer, to line: inout [UInt8]) throws(FieldFault) {
        func word(_ index: Int) -> UInt16 {
            UInt16(bigEndian: field.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
        }
        guard field.count >= 8, field.count == 8 + 2 * Int(word(0)) else { throw FieldFault("lengths disagree") }
        let count = Int(word(0))
        let weight = Int(Int16(bitPattern: word(1)))
        let scale = Int(word(3))
        switch word(2) {
        case 0, 0x4000: break
        case NumericField.Special.notANumber.rawValue: return line.append(contentsOf: "\"NaN\"".utf8)
        case NumericField.Special.infinity.rawValue: return line.append(contentsOf: "\"Infinity\"".utf8)
        case NumericField.Special.minusInfinity.rawValue: return line.append(contentsOf: "\"-Infinity\"".utf8)
        default: throw FieldFault("no sign")
        }
        guard scale <= NumericField.scaleLimit else { throw FieldFault("a scale of \(scale)") }
        for index in 0..<count where word(4 + index) > 9999 {
            throw FieldFault("a digit of \(word(4 + index)) to base 10000")
        }
        /// The decimal digit `place` places before the point (0 is the ones), or behind it where negative.
        func digit(_ place: Int) -> UInt8 {
            let group = weight - (place >> 2)
            guard group >= 0, group < count else { return 0x30 }
            let divisor: UInt16 = [1, 10, 100, 1000][place & 3]
            return UInt8(word(4 + group) / divisor % 10) + 0x30
        }
        if word(2) == 0x4000 { line.append(UInt8(ascii: "-")) }
        var top = max(0, 4 * weight + 3)
        while top > 0, digit(top) == 0x30 { top -= 1 }
        for place in stride(from: top, through: 0, by: -1) {
            line.append(digit(place))
        }
        if scale > 0 {
            line.append(UInt8(ascii: "."))
            for place in 1...scale {
                line.append(digit(-place))
            }
        }
    }
}
