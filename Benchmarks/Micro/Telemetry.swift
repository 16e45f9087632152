import Foundation
import IngestFormats
import Records

/// Events of `apirequests` as an agent sends them, and their rows.
enum Telemetry {
    /// `forebay seed --count 200 --seed 1 --from 2026-01-01T12:00:00Z --to 2026-01-01T12:01:00Z --out events.ndjson`
    private static let lines: [Data] = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "events.ndjson")
        guard let text = try? Data(contentsOf: file) else { preconditionFailure("\(file.path()) is missing") }
        return text.split(separator: UInt8(ascii: "\n"))
    }()

    /// A request of a hundred events.
    static let body: [UInt8] = lines.prefix(100).flatMap { $0 + [UInt8(ascii: "\n")] }

    static let plan: DecodePlan = {
        let columns = [
            Column(name: "time", type: .timestamptz, notNull: true), Column(name: "service", type: .text),
            Column(name: "endpoint", type: .text), Column(name: "method", type: .text),
            Column(name: "status_code", type: .int2), Column(name: "latency_ms", type: .float8),
            Column(name: "request_bytes", type: .int4), Column(name: "response_bytes", type: .int4),
            Column(name: "trace_id", type: .text), Column(name: "client_ip", type: .inet),
            Column(name: "user_agent", type: .text), Column(name: "tags", type: .jsonb),
        ]
        let table = TableName(schema: "public", name: "apirequests")
        do {
            return try DecodePlan(schema: StreamSchema(stream: "apirequests", table: table, columns: columns))
        } catch {
            preconditionFailure("the columns are no stream: \(error)")
        }
    }()

    /// Owned by whoever asks.
    static var decoder: EventDecoder { EventDecoder(plan: plan) }
    private static let fingerprint = batch(rows: 1).runs[0].fingerprint

    /// The first `rows` events, decoded.
    static func batch(rows: Int) -> RowBatch {
        let batch = RowBatch(layouts: plan, capacity: rows * 400)
        let body = lines.prefix(rows).flatMap { $0 + [UInt8(ascii: "\n")] }
        let report = decoder.decode(body, into: batch)
        precondition(report.faults.isEmpty && batch.rowCount == rows, "the events are not those of the columns")
        return batch
    }

    /// Rows of about `bytes` bytes, never more.
    static func rows(of bytes: Int) -> [UInt8] {
        let all = Array(batch(rows: lines.count).bytes)
        var rows: [UInt8] = []
        while rows.count < bytes { rows += all.prefix(bytes - rows.count) }
        return rows
    }

    /// One row, field by field.
    static func encode(into batch: RowBatch) {
        batch.beginRow(fieldCount: 12)
        batch.append(timestamp: 820_497_600_000_000)
        batch.append(text: "checkout")
        batch.append(text: "/v1/carts/{id}/items")
        batch.append(text: "POST")
        batch.append(int2: 201)
        batch.append(float8: 12.345)
        batch.append(int4: 512)
        batch.append(int4: 2048)
        batch.append(text: "497305c5d1aab99f0c43407dc177b6f7")
        batch.append(inet: NetworkAddress(isIPv6: false, high: 0x6440_0102_0000_0000, low: 0, bits: 32))
        batch.append(text: "curl/8.10.1")
        batch.append(jsonb: #"{"region":"eu-central-1","release":928,"instance":"checkout-5"}"#)
        batch.endRow(fingerprint)
    }
}
