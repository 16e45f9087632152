import Records

/// Finds where rows begin in a chunk's bytes.
///
/// Format of a tuple: PostgreSQL manual, "COPY", section "Binary Format": a big-endian Int16 field count, then per field a
/// big-endian Int32 length (-1 for NULL) and that many bytes.
struct TupleWalk {
    private let chunk: RowChunk
    private var row = 0
    private var byte = 0

    init(_ chunk: RowChunk) {
        self.chunk = chunk
    }

    /// The first byte of row `index`, counted from 0; `chunk.count` gives the end of the last row. Indices must not go down from call to call.
    ///
    /// - Throws: the fault, if the bytes do not hold that many whole rows, or hold more than `chunk.count` of them.
    mutating func start(ofRow index: Int) throws(MalformedRows) -> Int {
        while row < index {
            let next = chunk.bytes.withUnsafeBytes { end(of: byte, in: $0) }
            guard let next else {
                throw MalformedRows(
                    message:
                        "row \(chunk.first.advanced(by: row)) of a block from \(chunk.first) to \(chunk.last) "
                        + "does not end within the block's \(chunk.bytes.count) bytes"
                )
            }
            byte = next
            row += 1
        }
        if index == chunk.count, byte != chunk.bytes.count {
            throw MalformedRows(
                message:
                    "the \(chunk.count) rows of a block from \(chunk.first) to \(chunk.last) end at byte \(byte), "
                    + "the block at \(chunk.bytes.count)"
            )
        }
        return byte
    }

    /// The end of the tuple that begins at `start`; nil if it does not end within the bytes.
    private func end(of start: Int, in bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count - start >= 2 else { return nil }
        let fields = Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: start, as: Int16.self))
        // A negative count is COPY's trailer, which no chunk holds.
        guard fields >= 0 else { return nil }
        var cursor = start + 2
        for _ in 0..<fields {
            guard bytes.count - cursor >= 4 else { return nil }
            let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: cursor, as: Int32.self)))
            cursor += 4
            if length == -1 { continue }
            guard length >= 0, length <= bytes.count - cursor else { return nil }
            cursor += length
        }
        return cursor
    }
}

/// A chunk's bytes are not as many whole rows as it says.
struct MalformedRows: Error, Hashable, Sendable {
    var message: String
}
