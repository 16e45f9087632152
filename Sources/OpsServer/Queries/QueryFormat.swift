import NIOCore

/// How rows are written. The forms are in <doc:Queries>.
enum QueryFormat: String, CaseIterable {
    case json, ndjson, csv

    var contentType: String {
        switch self {
        case .json: "application/json"
        case .ndjson: "application/x-ndjson"
        case .csv: "text/csv; charset=utf-8"
        }
    }

    /// The first of an Accept field that is one of these; JSON for none, nil if others alone are asked for.
    init?(accept: String?) {
        guard let accept else {
            self = .json
            return
        }
        for part in accept.split(separator: ",") {
            let type = part.prefix { $0 != ";" }.trimmed.lowercased()
            switch type {
            case "*/*", "application/*", "application/json": self = .json
            case "application/x-ndjson", "application/ndjson", "application/jsonl": self = .ndjson
            case "text/csv", "text/*": self = .csv
            default: continue
            }
            return
        }
        return nil
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        let start = drop { $0 == " " || $0 == "\t" }
        let end = start.lastIndex { $0 != " " && $0 != "\t" }
        return end.map { start[...$0] } ?? ""
    }
}

/// Writes an answer piece by piece.
struct QueryWriter {
    private let format: QueryFormat
    private let columns: [QueryResult.Column]
    /// For NDJSON: the names as they begin each member.
    private let members: [[UInt8]]
    private(set) var rows = 0

    init(_ format: QueryFormat, _ columns: [QueryResult.Column]) {
        self.format = format
        self.columns = columns
        var seen: [String: Int] = [:]
        members = columns.map { column in
            let count = seen[column.name, default: 0] + 1
            seen[column.name] = count
            return Self.text(count == 1 ? column.name : "\(column.name)_\(count)") + [UInt8(ascii: ":")]
        }
    }

    func head(into buffer: inout ByteBuffer) {
        switch format {
        case .json:
            buffer.writeString(#"{"columns":["#)
            for (index, column) in columns.enumerated() {
                buffer.writeString(index == 0 ? #"{"name":"# : #",{"name":"#)
                buffer.writeBytes(Self.text(column.name))
                buffer.writeString(#","type":"#)
                buffer.writeBytes(Self.text(PostgresType.name(of: column.type)))
                buffer.writeString("}")
            }
            buffer.writeString(#"],"rows":["#)
        case .ndjson: break
        case .csv:
            for (index, column) in columns.enumerated() {
                if index > 0 { buffer.writeString(",") }
                Self.writeCSV(Array(column.name.utf8), into: &buffer)
            }
            buffer.writeString("\r\n")
        }
    }

    mutating func row(_ values: [[UInt8]?], into buffer: inout ByteBuffer) {
        rows += 1
        switch format {
        case .json:
            buffer.writeString(rows == 1 ? "\n[" : ",\n[")
            for (index, value) in values.enumerated() {
                if index > 0 { buffer.writeString(",") }
                PostgresType.writeJSON(value, type: columns[index].type, into: &buffer)
            }
            buffer.writeString("]")
        case .ndjson:
            for (index, value) in values.enumerated() {
                buffer.writeString(index > 0 ? "," : "{")
                buffer.writeBytes(members[index])
                PostgresType.writeJSON(value, type: columns[index].type, into: &buffer)
            }
            buffer.writeString(values.isEmpty ? "{}\n" : "}\n")
        case .csv:
            for (index, value) in values.enumerated() {
                if index > 0 { buffer.writeString(",") }
                if let value { Self.writeCSV(value, into: &buffer) }
            }
            buffer.writeString("\r\n")
        }
    }

    func tail(isCut: Bool, into buffer: inout ByteBuffer) {
        guard case .json = format else { return }
        buffer.writeString("\n],\"row_count\":\(rows),\"truncated\":\(isCut)}\n")
    }

    /// What can be said of an error behind rows; the body ends without its end.
    func fault(_ fault: QueryFault, into buffer: inout ByteBuffer) {
        let problem = QueryProblem(fault).encoded
        switch format {
        case .json: buffer.writeString("\n],\"error\":\(problem)}\n")
        case .ndjson: buffer.writeString("{\"error\":\(problem)}\n")
        case .csv: break
        }
    }

    static func text(_ text: String) -> [UInt8] {
        var buffer = ByteBuffer()
        PostgresType.writeText(Array(text.utf8), into: &buffer)
        return Array(buffer.readableBytesView)
    }

    private static func writeCSV(_ value: [UInt8], into buffer: inout ByteBuffer) {
        let quote = UInt8(ascii: "\"")
        let isPlain = !value.isEmpty && !value.contains { $0 == quote || $0 == UInt8(ascii: ",") || $0 <= 0x20 }
        guard !isPlain else {
            buffer.writeBytes(value)
            return
        }
        buffer.writeInteger(quote)
        for byte in value {
            if byte == quote { buffer.writeInteger(quote) }
            buffer.writeInteger(byte)
        }
        buffer.writeInteger(quote)
    }
}
