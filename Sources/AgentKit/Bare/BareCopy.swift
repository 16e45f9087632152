import CLibPQ
import Dispatch

/// A client that does nothing but `COPY … FROM STDIN (FORMAT binary)`: the raw limit that a proxy is measured against, and the
/// short way for generated events.
///
/// Blocking libpq on a queue of its own. Owner: whoever opened it; one call at a time.
package final class BareCopy: @unchecked Sendable {
    // Sendable because the connection is only used on the serial queue.

    private let queue = DispatchQueue(label: "forebay.copy")
    private let connection: OpaquePointer?
    private let statement: String

    package struct Fault: Error, Hashable, CustomStringConvertible {
        package var description: String
    }

    /// Connects, which blocks.
    ///
    /// - Parameters:
    ///   - connectionString: libpq's form; empty for what the environment says (`PGHOST` and so on).
    ///   - table: as SQL text, quoted if it needs to be.
    package init(connectionString: String, table: String) throws(Fault) {
        let columns = ServiceCatalog.columns.joined(separator: ", ")
        statement = "COPY \(table) (\(columns)) FROM STDIN (FORMAT binary)"
        connection = PQconnectdb(connectionString)
        guard PQstatus(connection) == CONNECTION_OK else {
            // Everything has its value by now, so `deinit` ends the connection.
            throw Fault(description: Self.message(connection))
        }
    }

    deinit {
        PQfinish(connection)
    }

    /// Copies tuples in one transaction; returns how many rows PostgreSQL counted.
    package func copy(_ tuples: [UInt8]) async throws(Fault) -> Int {
        let outcome: Result<Int, Fault> = await withCheckedContinuation { continuation in
            queue.async { [self] in
                continuation.resume(returning: Result { () throws(Fault) in try copyNow(tuples) })
            }
        }
        return try outcome.get()
    }

    /// Runs a statement whose first value is a number, such as a count.
    package func number(_ query: String) async throws(Fault) -> Int {
        let outcome: Result<Int, Fault> = await withCheckedContinuation { continuation in
            queue.async { [self] in
                continuation.resume(returning: Result { () throws(Fault) in try numberNow(query) })
            }
        }
        return try outcome.get()
    }

    private func copyNow(_ tuples: [UInt8]) throws(Fault) -> Int {
        let begun = PQexec(connection, statement)
        defer { PQclear(begun) }
        guard PQresultStatus(begun) == PGRES_COPY_IN else { throw Fault(description: Self.message(connection)) }
        // Signature, no flags, no extension; at the end a field count of -1.
        try put(Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        try put(tuples)
        try put([0xFF, 0xFF])
        guard PQputCopyEnd(connection, nil) == 1 else { throw Fault(description: Self.message(connection)) }
        let ended = PQgetResult(connection)
        defer { PQclear(ended) }
        let reason = Self.message(connection)
        while let further = PQgetResult(connection) {
            PQclear(further)
        }
        guard PQresultStatus(ended) == PGRES_COMMAND_OK else { throw Fault(description: reason) }
        return PQcmdTuples(ended).flatMap { Int(String(cString: $0)) } ?? 0
    }

    private func put(_ bytes: [UInt8]) throws(Fault) {
        var sent = 0
        while sent < bytes.count {
            let count = min(1 << 16, bytes.count - sent)
            let taken = bytes.withUnsafeBytes { all in
                PQputCopyData(
                    connection,
                    all.baseAddress?.advanced(by: sent).assumingMemoryBound(to: CChar.self),
                    Int32(count)
                )
            }
            guard taken == 1 else { throw Fault(description: Self.message(connection)) }
            sent += count
        }
    }

    private func numberNow(_ query: String) throws(Fault) -> Int {
        let result = PQexec(connection, query)
        defer { PQclear(result) }
        guard PQresultStatus(result) == PGRES_TUPLES_OK, PQntuples(result) > 0, PQnfields(result) > 0,
            let value = PQgetvalue(result, 0, 0).flatMap({ Int(String(cString: $0)) })
        else { throw Fault(description: "\(query): \(Self.message(connection))") }
        return value
    }

    private static func message(_ connection: OpaquePointer?) -> String {
        let text = PQerrorMessage(connection).map { String(cString: $0) } ?? ""
        return text.isEmpty ? "no answer" : text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}
