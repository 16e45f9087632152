import Glibc
package import IngestFormats
package import LibPQClient
import Records

/// Holds the decoder against PostgreSQL: what the decoder accepts has to be accepted there, and the rows that `COPY (FORMAT binary)`
/// stores have to be those that come of the same events when PostgreSQL reads their fields as text.
///
/// Owner: one thread.
package final class PostgresComparison {
    /// The streams that are compared: those whose columns are filled by fields of their own names.
    package static let streams = FuzzPlans.all.map(\.plan).filter { $0.mapping == StreamMapping() }

    /// How often what was asked.
    package struct Tally: Hashable, Sendable {
        package var events = 0
        package var accepted = 0
        /// PostgreSQL reads no such text, for a reason that `docs` give: nothing to compare.
        package var undecided = 0
    }

    package private(set) var tally = Tally()
    private let connection: PostgresConnection
    private let directory: String

    /// - Parameters:
    ///   - connection: of a superuser, to a database of the comparison's own.
    ///   - directory: which the server can read.
    package init(_ connection: PostgresConnection, directory: String) throws(ConnectionFault) {
        self.connection = connection
        self.directory = directory
        try run("SET timezone = 'UTC'; SET client_min_messages = warning; \(Self.unixFunction)")
        for plan in Self.streams { try run(PostgresReading(plan.schema).setUp) }
    }

    /// Events of one stream, each on its own. Throws a ``Finding`` that names the event.
    package func compare(_ events: [[UInt8]], _ plan: DecodePlan) throws {
        let (accepted, runs) = accept(events, plan)
        guard !accepted.isEmpty else { return }
        let reading = PostgresReading(plan.schema)
        try run(reading.empty)
        do {
            for run in runs { try copy(run.bytes, reading, run.columns) }
        } catch let fault as ConnectionFault {
            guard accepted.count > 1 else {
                throw Finding("accepted, and refused by COPY: \(text(accepted[0])): \(fault)")
            }
            // Which of them it is, each alone will tell.
            for event in accepted { try compare([event], plan) }
            throw Finding("accepted alone and refused together: \(fault)")
        }
        try query(reading.read, [String(decoding: Array(accepted.joined(separator: [1])), as: UTF8.self)])
        for row in try query("SELECT k, state, message FROM refused").rows {
            let event = accepted[Int(row.integer(0) ?? 1) - 1]
            let state = row.text(1) ?? ""
            guard Self.isUndecided(event, state) else {
                throw Finding("accepted, and refused as text: \(text(event)): \(row.text(2) ?? "") (\(state))")
            }
            tally.undecided += 1
        }
        if let row = try query(reading.differences).rows.first {
            let event = accepted[Int(row.integer(0) ?? 1) - 1]
            throw Finding(
                "column \(row.text(1) ?? "") holds \(row.text(2) ?? "NULL"), as text it is \(row.text(3) ?? "NULL"): \(text(event))"
            )
        }
    }

    /// The events that the decoder takes, in the order of the tuples, which stand by layout.
    private func accept(
        _ events: [[UInt8]],
        _ plan: DecodePlan
    ) -> (events: [[UInt8]], runs: [(columns: [String], bytes: [UInt8])]) {
        let decoder = EventDecoder(plan: plan)
        var byLayout: [Fingerprint: (events: [[UInt8]], bytes: [UInt8])] = [:]
        for event in events {
            let batch = RowBatch(layouts: plan)
            tally.events += 1
            guard Self.isObject(event) else { continue }
            guard decoder.decode(event, format: .detect, into: batch).isClean, batch.rowCount == 1 else { continue }
            tally.accepted += 1
            byLayout[batch.runs[0].fingerprint, default: ([], [])].events.append(event)
            byLayout[batch.runs[0].fingerprint, default: ([], [])].bytes += batch.bytes
        }
        let sorted = byLayout.sorted { $0.key.rawValue < $1.key.rawValue }
        return (
            sorted.flatMap(\.value.events),
            sorted.map { (plan.layout(of: $0.key)?.columns.map(\.name) ?? [], $0.value.bytes) }
        )
    }

    /// Behind blanks an object begins. The decoder also takes an array, whose one event PostgreSQL would have to look for inside.
    private static func isObject(_ event: [UInt8]) -> Bool {
        event.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } == UInt8(ascii: "{")
    }

    private func copy(_ tuples: [UInt8], _ reading: PostgresReading, _ columns: [String]) throws {
        // Signature, no flags, no extension; at the end a field count of -1 (PostgreSQL manual, "COPY").
        let signature = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        let path = "\(directory)/rows"
        let file = fopen(path, "w")
        guard let file else { throw Finding("\(path) can't be written: errno \(errno)") }
        for bytes in [signature, tuples, [0xFF, 0xFF]] { fwrite(bytes, 1, bytes.count, file) }
        fclose(file)
        let names = columns.map(quoteIdentifier).joined(separator: ", ")
        try run("COPY \(reading.copied) (\(names)) FROM \(quoteLiteral(path)) (FORMAT binary)")
    }

    /// A text that the decoder takes and PostgreSQL's `numeric` or `json` does not, though the value is well-defined: zero with an
    /// enormous exponent, and U+0000 in a `json` that is kept as it is.
    private static func isUndecided(_ event: [UInt8], _ state: String) -> Bool {
        let text = String(decoding: event, as: UTF8.self)
        switch state {
        case "22P05": return text.contains("\\u0000")
        case "22003", "22P02": return text.firstMatch(of: /[eE][+-]?[0-9]{4,}/) != nil
        default: return false
        }
    }

    private func text(_ event: [UInt8]) -> String { String(decoding: event, as: UTF8.self) }

    private func run(_ script: String) throws(ConnectionFault) {
        _ = try connection.run(script, by: .after(.seconds(60)))
    }

    @discardableResult
    private func query(_ sql: String, _ parameters: [String?] = []) throws(ConnectionFault) -> QueryResult {
        try connection.query(sql, parameters, by: .after(.seconds(60)))
    }

    /// Unix time by the rules of "Rows at the door", in decimals throughout.
    private static let unixFunction = """
        CREATE FUNCTION unix(n numeric) RETURNS timestamp LANGUAGE plpgsql IMMUTABLE AS $$
        DECLARE
            digits int := length(trunc(abs(n))::text);
            m numeric := n * CASE WHEN digits <= 11 THEN 1000000 WHEN digits <= 14 THEN 1000 WHEN digits <= 17 THEN 1 ELSE 0.001 END;
            r numeric := trunc(m);
            f numeric := abs(m - r);
            day numeric;
        BEGIN
            IF f > 0.5 OR (f = 0.5 AND r % 2 <> 0) THEN r := r + sign(m); END IF;
            day := floor(r / 86400000000);
            RETURN date '1970-01-01' + day::int + ((r - day * 86400000000)::bigint) * interval '1 microsecond';
        END $$;
        """
}
