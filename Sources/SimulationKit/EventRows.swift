package import Records

/// What a row of the simulation is told apart by: the first eight bytes of its first field.
package struct EventID: RawRepresentable, Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package init(request: Int, row: Int) {
        rawValue = UInt64(request) << 16 | UInt64(row)
    }

    package var request: Int { Int(rawValue >> 16) }
    package var row: Int { Int(rawValue & 0xFFFF) }

    package static func < (left: EventID, right: EventID) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension EventID: CustomStringConvertible {
    package var description: String { "\(request).\(row)" }
}

/// Rows that know who they are: COPY binary tuples of two fields, the event's number and some padding.
package enum EventRows {
    package static func layout(_ stream: String) -> RowLayout {
        RowLayout(
            stream: stream,
            table: TableName(schema: "public", name: stream),
            columns: [.init(name: "event", type: .int8), .init(name: "padding", type: .bytea)]
        )
    }

    /// A row; its second field is NULL if `padding` is negative.
    package static func tuple(_ event: EventID, padding: Int) -> [UInt8] {
        var bytes: [UInt8] = [0, 2, 0, 0, 0, 8]
        withUnsafeBytes(of: event.rawValue.bigEndian) { bytes += $0 }
        withUnsafeBytes(of: Int32(max(-1, padding)).bigEndian) { bytes += $0 }
        return bytes + Array(repeating: 0x61, count: max(0, padding))
    }

    /// The events of rows that stand back to back; a reader that shares no code with those under test.
    ///
    /// - Returns: nil if the bytes are no whole rows of this kind.
    package static func events(in bytes: UnsafeRawBufferPointer) -> [EventID]? {
        var events: [EventID] = []
        var cursor = 0
        func int32(_ place: Int) -> Int {
            Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: place, as: Int32.self)))
        }
        while cursor < bytes.count {
            guard bytes.count - cursor >= 6 else { return nil }
            let fields = Int(bytes[cursor]) << 8 | Int(bytes[cursor + 1])
            guard fields >= 1, int32(cursor + 2) >= 8, bytes.count - cursor >= 14 else { return nil }
            let word = bytes.loadUnaligned(fromByteOffset: cursor + 6, as: UInt64.self)
            events.append(EventID(UInt64(bigEndian: word)))
            cursor += 2
            for _ in 0..<fields {
                guard bytes.count - cursor >= 4 else { return nil }
                let length = int32(cursor)
                cursor += 4 + max(0, length)
            }
        }
        return cursor == bytes.count ? events : nil
    }

    package static func events(in bytes: ArraySlice<UInt8>) -> [EventID]? {
        bytes.withUnsafeBytes { events(in: $0) }
    }
}
