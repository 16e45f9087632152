package import IngestFormats
import Records

/// The streams that JSON is decoded for: between them every column type, and every way in which a column can be filled.
package enum FuzzPlans {
    package struct Case: Sendable {
        package var plan: DecodePlan
        /// The same columns without renames and constants: takes back what a row is printed as.
        package var plain: DecodePlan
    }

    package static let all: [Case] = [
        make("types", typed(ColumnType.allCases)),
        make("requests", requests, StreamMapping(extra: "tags")),
        make("limits", limits),
        make(
            "mapped",
            mapped,
            StreamMapping(extra: "rest", rename: ["at": "time", "n": "count"], constants: ["site": "\"a\\u00fcb\""])
        ),
        make("numbers", typed([.int2, .int4, .int8, .float4, .float8, .numeric])),
        make("texts", typed([.text, .varchar, .bytea, .json, .jsonb])),
        make("times", typed([.timestamptz, .timestamp, .date])),
        make("addresses", typed([.inet, .cidr, .uuid, .bool])),
        make("arrays", typed([.textArray, .int8Array, .float8Array])),
    ]

    private static func make(_ name: String, _ columns: [Column], _ mapping: StreamMapping = StreamMapping()) -> Case {
        let schema = StreamSchema(stream: name, table: TableName(schema: "public", name: name), columns: columns)
        do throws(PlanFault) {
            let plan = try DecodePlan(schema: schema, mapping: mapping)
            return Case(plan: plan, plain: mapping == StreamMapping() ? plan : try DecodePlan(schema: schema))
        } catch {
            preconditionFailure("stream \(name): \(error)")
        }
    }

    private static func typed(_ types: [ColumnType]) -> [Column] {
        types.map { Column(name: $0.rawValue.replacing("[]", with: "s"), type: $0) }
    }

    private static let requests = [
        Column(name: "time", type: .timestamptz, notNull: true, hasDefault: true),
        Column(name: "service", type: .text, notNull: true),
        Column(name: "endpoint", type: .text),
        Column(name: "method", type: .text),
        Column(name: "status_code", type: .int2),
        Column(name: "latency_ms", type: .float8),
        Column(name: "request_bytes", type: .int4),
        Column(name: "trace_id", type: .text),
        Column(name: "client_ip", type: .inet),
        Column(name: "tags", type: .jsonb, notNull: true, hasDefault: true),
    ]

    private static let limits = [
        Column(name: "v1", type: .varchar, maximumLength: 1),
        Column(name: "v3", type: .varchar, notNull: true, maximumLength: 3),
        Column(name: "n52", type: .numeric, numericLimits: .init(precision: 5, scale: 2)),
        Column(name: "n2m3", type: .numeric, numericLimits: .init(precision: 2, scale: -3)),
        Column(name: "n35", type: .numeric, numericLimits: .init(precision: 3, scale: 5)),
        Column(name: "i", type: .int4, notNull: true, hasDefault: true),
        Column(name: "j", type: .jsonb, hasDefault: true),
    ]

    private static let mapped = [
        Column(name: "count", type: .int8),
        Column(name: "time", type: .timestamp, notNull: true),
        Column(name: "site", type: .text, notNull: true),
        Column(name: "rest", type: .jsonb),
        Column(name: "list", type: .textArray),
    ]
}
