/// Looking at eight bytes of text at a time.
enum WordScan {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let tops: UInt64 = 0x8080_8080_8080_8080

    /// The eight bytes at `p`, the first one lowest.
    @inline(__always)
    static func load(_ p: UnsafePointer<UInt8>) -> UInt64 {
        UInt64(littleEndian: UnsafeRawPointer(p).loadUnaligned(as: UInt64.self))
    }

    /// The first byte that ends or interrupts a string's plain ASCII: a quote, a backslash, a control character or a byte
    /// of a longer UTF-8 sequence.
    ///
    /// - Returns: its index within the word, or 8 if all bytes are plain.
    @inline(__always)
    static func firstSpecial(_ word: UInt64) -> Int {
        // A subtraction sets a byte's top bit if the byte is smaller (or had it set, which is special too). It borrows from
        // the next byte only then, so that bits above the lowest may be wrong, but never the lowest.
        let quotes = (word ^ ones &* 0x22) &- ones
        let backslashes = (word ^ ones &* 0x5C) &- ones
        let controls = word &- ones &* 0x20
        return (quotes | backslashes | controls | word) & tops == 0
            ? 8
            : ((quotes | backslashes | controls | word) & tops).trailingZeroBitCount >> 3
    }
}
