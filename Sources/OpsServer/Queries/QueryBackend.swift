/// What the queries over HTTP need of the read port. Implemented by the runtime, and by a script in tests.
///
/// Called from several tasks at once.
package protocol QueryBackend: Sendable {
    /// The most that a query may ask for, and what it gets without asking.
    var limits: QueryLimits { get }
    /// Whose the credentials are; nil if they are nobody's. May take some milliseconds.
    func identity(of credentials: QueryCredentials) -> String?
    /// Runs a statement up to its first row, or its end.
    func run(_ order: QueryOrder) async throws(QueryFault) -> QueryResult
}

package struct QueryLimits: Hashable, Sendable {
    package var rows: Int
    package var time: Duration

    package init(rows: Int, time: Duration) {
        self.rows = rows
        self.time = time
    }
}

package enum QueryCredentials: Hashable, Sendable {
    case token(String)
    case password(user: String, password: String)
}

package struct QueryOrder: Hashable, Sendable {
    package var sql: String
    /// Texts, or NULL.
    package var parameters: [String?]
    package var identity: String
    /// Receipts, separated by commas.
    package var after: String?
    package var limits: QueryLimits

    package init(sql: String, parameters: [String?], identity: String, after: String?, limits: QueryLimits) {
        self.sql = sql
        self.parameters = parameters
        self.identity = identity
        self.after = after
        self.limits = limits
    }
}

/// An answer that has begun.
package struct QueryResult: Sendable {
    package struct Column: Hashable, Sendable {
        package var name: String
        /// The OID of its type.
        package var type: Int32

        package init(name: String, type: Int32) {
            self.name = name
            self.type = type
        }
    }

    /// Some rows, as PostgreSQL's texts.
    package struct Batch: Sendable {
        package var rows: [[[UInt8]?]]
        /// Set with the last rows: whether there were more.
        package var isCut: Bool?

        package init(rows: [[[UInt8]?]], isCut: Bool?) {
            self.rows = rows
            self.isCut = isCut
        }
    }

    package var columns: [Column]
    package var next: @Sendable () async throws(QueryFault) -> Batch
    /// Has to be called, whatever came of it.
    package var close: @Sendable () -> Void

    package init(
        columns: [Column],
        next: @escaping @Sendable () async throws(QueryFault) -> Batch,
        close: @escaping @Sendable () -> Void
    ) {
        self.columns = columns
        self.next = next
        self.close = close
    }
}

/// Why a statement has no answer, or no whole one.
package struct QueryFault: Error, Hashable, Sendable {
    package var sqlstate: String
    package var message: String
    package var detail: String?
    package var hint: String?
    /// Of a character of the statement, from 1 on.
    package var position: Int?

    package init(
        _ sqlstate: String,
        _ message: String,
        detail: String? = nil,
        hint: String? = nil,
        position: Int? = nil
    ) {
        self.sqlstate = sqlstate
        self.message = message
        self.detail = detail
        self.hint = hint
        self.position = position
    }

    /// The status of an answer that has not begun. The table is <doc:Queries>.
    package var status: Int {
        switch sqlstate {
        case "57014": return 504
        case "25006", "42501": return 403
        // Too few values, or too many.
        case "08P01": return 400
        default: break
        }
        return switch sqlstate.prefix(2) {
        case "08", "40", "53", "57", "58": 503
        case "XX", "F0", "": 500
        default: 400
        }
    }
}
