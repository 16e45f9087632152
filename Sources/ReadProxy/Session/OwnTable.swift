import PostgresWire

/// Rows that Forebay makes by itself, in the formats of the protocol.
struct OwnTable: Equatable {
    enum Kind {
        case text, number, real, flag

        /// The OID of the type, and its length (PostgreSQL's `pg_type.dat`).
        fileprivate var type: (oid: Int32, bytes: Int16) {
            switch self {
            case .text: (25, -1)
            case .number: (20, 8)
            case .real: (701, 8)
            case .flag: (16, 1)
            }
        }
    }

    struct Column: Equatable {
        var name: String
        var kind: Kind

        init(_ name: String, _ kind: Kind) {
            self.name = name
            self.kind = kind
        }
    }

    enum Value: Equatable {
        case text(String)
        case number(Int64)
        case real(Double)
        case flag(Bool)

        fileprivate func encoded(isBinary: Bool) -> [UInt8] {
            switch (self, isBinary) {
            case (.text(let text), _): Array(text.utf8)
            case (.number(let number), false): Array("\(number)".utf8)
            case (.number(let number), true): Self.bigEndian(UInt64(bitPattern: number))
            case (.real(let real), false): Array("\(real)".utf8)
            case (.real(let real), true): Self.bigEndian(real.bitPattern)
            case (.flag(let flag), false): [flag ? UInt8(ascii: "t") : UInt8(ascii: "f")]
            case (.flag(let flag), true): [flag ? 1 : 0]
            }
        }

        private static func bigEndian(_ word: UInt64) -> [UInt8] { withUnsafeBytes(of: word.bigEndian) { Array($0) } }
    }

    var columns: [Column]
    var rows: [[Value?]]

    /// - Parameter formats: as Bind gives them: none is text for all, one is for all, else one for each.
    static func description(_ columns: [Column], formats: [Int16] = []) -> BackendMessage {
        .rowDescription(
            columns.enumerated().map { index, column in
                BackendMessage.Column(
                    name: column.name,
                    type: column.kind.type.oid,
                    typeBytes: column.kind.type.bytes,
                    format: format(index, formats)
                )
            }
        )
    }

    func row(_ index: Int, formats: [Int16] = []) -> BackendMessage {
        .dataRow(
            rows[index].enumerated().map { $1?.encoded(isBinary: Self.format($0, formats) == 1) }
        )
    }

    private static func format(_ column: Int, _ formats: [Int16]) -> Int16 {
        switch formats.count {
        case 0: 0
        case 1: formats[0]
        default: formats[column]
        }
    }
}
