import FoundationEssentials

/// The body of `POST /v1/query`.
struct QueryBody: Decodable {
    var sql: String
    /// As PostgreSQL is given them.
    var parameters: [String?]

    private enum Key: String, CodingKey, CaseIterable {
        case sql, parameters
    }

    private struct AnyKey: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        for key in try decoder.container(keyedBy: AnyKey.self).allKeys where Key(rawValue: key.stringValue) == nil {
            throw DecodingError.dataCorrupted(
                .init(codingPath: [], debugDescription: "there is no member \"\(key.stringValue.prefix(60))\"")
            )
        }
        let container = try decoder.container(keyedBy: Key.self)
        sql = try container.decode(String.self, forKey: .sql)
        parameters = try container.decodeIfPresent([Value].self, forKey: .parameters)?.map(\.text) ?? []
    }

    private enum Value: Codable {
        case null
        case flag(Bool)
        case whole(Int64)
        case number(Decimal)
        case text(String)
        case list([Value])
        case object([String: Value])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let flag = try? container.decode(Bool.self) {
                self = .flag(flag)
            } else if let whole = try? container.decode(Int64.self) {
                self = .whole(whole)
            } else if let number = try? container.decode(Decimal.self) {
                self = .number(number)
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if let list = try? container.decode([Value].self) {
                self = .list(list)
            } else {
                self = .object(try container.decode([String: Value].self))
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .null: try container.encodeNil()
            case .flag(let flag): try container.encode(flag)
            case .whole(let whole): try container.encode(whole)
            case .number(let number): try container.encode(number)
            case .text(let text): try container.encode(text)
            case .list(let list): try container.encode(list)
            case .object(let object): try container.encode(object)
            }
        }

        var text: String? {
            switch self {
            case .null: nil
            case .flag(let flag): flag ? "true" : "false"
            case .whole(let whole): "\(whole)"
            case .number(let number): "\(number)"
            case .text(let text): text
            case .list, .object:
                (try? JSONEncoder().encode(self)).map { String(decoding: $0, as: UTF8.self) }
            }
        }
    }
}
