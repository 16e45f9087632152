/// Steps over COPY binary tuples (PostgreSQL manual, "COPY", "Binary Format").
package enum TupleWalk {
    /// The end of the tuple that begins at `start`; nil if the bytes are no whole tuple.
    package static func end(of start: Int, in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress, start >= 0, bytes.count - start >= 2 else { return nil }
        let fields: Int16 = base.bigEndian(at: start)
        guard fields >= 0 else { return nil }
        var position = start + 2
        for _ in 0..<fields {
            guard bytes.count - position >= 4 else { return nil }
            let length: Int32 = base.bigEndian(at: position)
            position += 4
            if length > 0 {
                guard bytes.count - position >= Int(length) else { return nil }
                position += Int(length)
            } else if length < -1 {
                return nil
            }
        }
        return position
    }

    /// The end of the first `rows` tuples; nil if there are fewer.
    package static func end(ofRows rows: Int, in bytes: UnsafeRawBufferPointer) -> Int? {
        var position = 0
        for _ in 0..<rows {
            guard let next = end(of: position, in: bytes) else { return nil }
            position = next
        }
        return position
    }

    /// The longest run of whole tuples from the beginning that fits into `limit` bytes, but at least one; nil if there is none.
    package static func split(_ bytes: UnsafeRawBufferPointer, limit: Int) -> (rows: Int, end: Int)? {
        guard var position = end(of: 0, in: bytes) else { return nil }
        var rows = 1
        while position < bytes.count, let next = end(of: position, in: bytes), next <= limit {
            position = next
            rows += 1
        }
        return (rows, position)
    }
}
