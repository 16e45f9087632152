/// Walks over COPY binary tuples that stand back to back, without header or trailer.
///
/// Every length is compared with the bytes left before it is used, so any bytes may be given.
package struct TupleReader {
    private let bytes: UnsafeRawBufferPointer
    /// Where the next tuple begins.
    package private(set) var offset: Int

    /// - Parameter bytes: must stay valid while the reader is used.
    package init(_ bytes: UnsafeRawBufferPointer, from offset: Int = 0) {
        self.bytes = bytes
        self.offset = offset
    }

    /// Steps over the next tuple and returns its bytes' range; nil at the end.
    package mutating func next() throws(TupleFault) -> Range<Int>? {
        try advance { _ in }
    }

    /// Steps over the next tuple and puts its fields' ranges, nil for NULL, into `fields`; returns the tuple's range, nil at
    /// the end.
    package mutating func next(fields: inout [Range<Int>?]) throws(TupleFault) -> Range<Int>? {
        fields.removeAll(keepingCapacity: true)
        return try advance { fields.append($0) }
    }

    @inline(__always)
    private mutating func advance(_ field: (Range<Int>?) -> Void) throws(TupleFault) -> Range<Int>? {
        let start = offset
        if start >= bytes.count { return nil }
        guard bytes.count - start >= 2 else { throw .truncated(offset: start) }
        let count = Int(Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: start, as: Int16.self)))
        guard count >= 0 else { throw .badFieldCount(count, offset: start) }
        var position = start + 2
        for _ in 0..<count {
            guard bytes.count - position >= 4 else { throw .truncated(offset: start) }
            let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: Int32.self)))
            guard length >= -1 else { throw .badLength(length, offset: position) }
            position += 4
            if length < 0 {
                field(nil)
                continue
            }
            guard bytes.count - position >= length else { throw .truncated(offset: start) }
            field(position..<position + length)
            position += length
        }
        offset = position
        return start..<position
    }

    /// The ranges of all rows, of which there must be exactly `count`.
    package static func rowRanges(
        _ bytes: UnsafeRawBufferPointer,
        count: Int
    ) throws(TupleFault) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        // A tuple takes two bytes at least, so a wrong count reserves no more than the bytes call for.
        ranges.reserveCapacity(max(0, min(count, bytes.count / 2)))
        var reader = TupleReader(bytes)
        while let range = try reader.next() {
            ranges.append(range)
        }
        guard ranges.count == count else { throw .badRowCount(found: ranges.count, expected: count) }
        return ranges
    }
}

extension RowChunk {
    /// The ranges of the rows in ``bytes``, the first being that of the row at ``first``.
    package func rowRanges() throws(TupleFault) -> [Range<Int>] {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(TupleFault) in try TupleReader.rowRanges(bytes, count: count) }
        }
        return try result.get()
    }
}
