/// Bytes as tests write them: pairs of hexadecimal digits, spaces anywhere between the pairs.
func hex(_ text: String) -> [UInt8] {
    let digits = text.filter { $0 != " " }.map { $0.hexDigitValue ?? 0 }
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
