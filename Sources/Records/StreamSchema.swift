/// The PostgreSQL types that a stream's columns may have (design, section 8).
package enum ColumnType: String, Hashable, Sendable, Codable, CaseIterable {
    case bool
    case int2
    case int4
    case int8
    case float4
    case float8
    case numeric
    case text
    case varchar
    case timestamptz
    case timestamp
    case date
    case uuid
    case inet
    case cidr
    case json
    case jsonb
    case bytea
    case textArray = "text[]"
    case int8Array = "int8[]"
    case float8Array = "float8[]"
}

/// One column of a stream's table, as PostgreSQL's catalogue describes it.
package struct Column: Hashable, Sendable, Codable {
    package var name: String
    package var type: ColumnType
    /// The column refuses NULL.
    package var notNull: Bool
    /// The column has a default expression or is an identity; a missing field then takes that instead of NULL.
    package var hasDefault: Bool
    /// `varchar(n)`: the most characters (Unicode scalars) that fit; nil for no limit.
    package var maximumLength: Int?
    /// `numeric(p, s)`: precision and scale; nil for an unconstrained numeric.
    package var numericLimits: NumericLimits?

    package struct NumericLimits: Hashable, Sendable, Codable {
        package var precision: Int
        package var scale: Int

        package init(precision: Int, scale: Int) {
            self.precision = precision
            self.scale = scale
        }
    }

    package init(
        name: String,
        type: ColumnType,
        notNull: Bool = false,
        hasDefault: Bool = false,
        maximumLength: Int? = nil,
        numericLimits: NumericLimits? = nil
    ) {
        self.name = name
        self.type = type
        self.notNull = notNull
        self.hasDefault = hasDefault
        self.maximumLength = maximumLength
        self.numericLimits = numericLimits
    }
}

/// A table in PostgreSQL, by schema and name, neither of them quoted.
package struct TableName: Hashable, Sendable, Codable {
    package var schema: String
    package var name: String

    package init(schema: String, name: String) {
        self.schema = schema
        self.name = name
    }

    /// The name as SQL text, each part quoted.
    package var quoted: String { "\(quoteIdentifier(schema)).\(quoteIdentifier(name))" }
}

extension TableName: CustomStringConvertible {
    package var description: String { "\(schema).\(name)" }
}

/// A named destination: its table and the ordered list of its insertable columns.
package struct StreamSchema: Hashable, Sendable, Codable {
    /// The name agents use, as in `POST /v1/ingest/{stream}`.
    package var stream: String
    package var table: TableName
    /// In catalogue order; generated columns are left out.
    package var columns: [Column]
    /// The columns whose equal values are best sent together: an index begins with them. Nil where that helps nothing, or where the order of rows
    /// within a transaction could be noticed. A schema that was stored before this was known has none.
    package var grouping: [String]?

    package init(stream: String, table: TableName, columns: [Column], grouping: [String]? = nil) {
        self.stream = stream
        self.table = table
        self.columns = columns
        self.grouping = grouping
    }

    /// `grouping` as indices into the columns of `layout`; empty if its rows are to be sent as they came.
    ///
    /// So are rows that leave columns to their defaults: a default may count, and then the order of rows shows.
    package func grouping(of layout: RowLayout) -> [Int] {
        guard let grouping, layout.table == table, layout.columns.count == columns.count else { return [] }
        let found = grouping.compactMap { name in layout.columns.firstIndex { $0.name == name } }
        return found.count == grouping.count ? found.sorted() : []
    }

    /// The layout of rows that carry every column but those in `omitted`, which are left to their defaults.
    ///
    /// - Parameter omitted: indices into `columns`, each of a column with a default.
    package func layout(omitting omitted: Set<Int> = []) -> RowLayout {
        RowLayout(
            stream: stream,
            table: table,
            columns: columns.indices.filter { !omitted.contains($0) }.map {
                RowLayout.Field(name: columns[$0].name, type: columns[$0].type)
            }
        )
    }
}

/// The column list of a run of rows: what a block's fingerprint stands for.
///
/// The queue's catalogue keeps every layout it has ever stored rows of, so that a backlog stays readable
/// after the table changed and while PostgreSQL is down.
package struct RowLayout: Hashable, Sendable, Codable {
    package struct Field: Hashable, Sendable, Codable {
        package var name: String
        package var type: ColumnType

        package init(name: String, type: ColumnType) {
            self.name = name
            self.type = type
        }
    }

    package var stream: String
    package var table: TableName
    /// In the order in which the tuples carry them.
    package var columns: [Field]

    package init(stream: String, table: TableName, columns: [Field]) {
        self.stream = stream
        self.table = table
        self.columns = columns
    }

    /// 64-bit FNV-1a over the stream, the table and each column's name and type, every part ended by a zero byte.
    package var fingerprint: Fingerprint {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func mix(_ text: String) {
            for byte in text.utf8 {
                hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
            }
            hash = hash &* 0x100_0000_01B3
        }
        mix(stream)
        mix(table.schema)
        mix(table.name)
        for column in columns {
            mix(column.name)
            mix(column.type.rawValue)
        }
        return Fingerprint(hash)
    }
}

/// A short name for a ``RowLayout``, carried by every block. Zero is never a fingerprint of stored rows.
package struct Fingerprint: RawRepresentable, Hashable, Sendable, Codable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

extension Fingerprint: CustomStringConvertible {
    package var description: String {
        let digits = String(rawValue, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// `text` as a quoted SQL identifier (PostgreSQL manual, section 4.1.1).
package func quoteIdentifier(_ text: String) -> String {
    "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
}

/// `text` as an SQL string constant that no setting of `standard_conforming_strings` changes
/// (PostgreSQL manual, section 4.1.2.2).
package func quoteLiteral(_ text: String) -> String {
    var quoted = ""
    var escapes = false
    for character in text.unicodeScalars {
        switch character {
        case "'": quoted.append("''")
        case "\\":
            quoted.append("\\\\")
            escapes = true
        default: quoted.unicodeScalars.append(character)
        }
    }
    return escapes ? " E'\(quoted)'" : "'\(quoted)'"
}
