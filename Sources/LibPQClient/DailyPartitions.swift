import Delivery

/// The partitions by day of a database's tables, over the functions of schema `forebay`. Every call is a transaction of its own, and
/// none makes or drops more than one partition.
struct DailyPartitions {
    /// What became of a partition that was to be made or dropped.
    struct Step: Hashable, Sendable {
        enum Action: String, Sendable {
            case made, dropped
            /// It has too many rows in the default partition, and stays there.
            case left
            /// Somebody else held a lock for longer than a step may wait.
            case putOff = "put off"
            /// Another session is at it.
            case busy
        }

        var action: Action
        var partition: String
        var detail: String
    }

    /// Rows of one day that are moved out of the default partition at most: whoever writes to that waits meanwhile. A million took
    /// 10.7 s on two busy cores.
    static let mostRows = 500_000

    let connection: PostgresConnection
    let mostRows: Int
    /// How long any one call may take.
    let patience: Duration

    /// The server gives up by itself, which leaves the connection usable; this end waits a little longer for it to say so.
    private var deadline: Deadline { .after(patience + .seconds(5)) }

    /// Limits what a statement may take on this connection from now on.
    init(_ connection: PostgresConnection, mostRows: Int = mostRows, patience: Duration) throws(ConnectionFault) {
        self.connection = connection
        self.mostRows = mostRows
        self.patience = patience
        try connection.run("SET statement_timeout = \(Int(max(1, patience / .milliseconds(1))))", by: deadline)
    }

    func tables() throws(ConnectionFault) -> [String] {
        try names("SELECT forebay.daily_table_names()", [])
    }

    /// The days without a partition from today to `ahead` days from now, soonest first, and then yesterday.
    func daysAhead(_ ahead: Int, of table: String) throws(ConnectionFault) -> [PartitionDay] {
        try days(of: table, "SELECT forebay.days_ahead($1::regclass, $2::integer)", "\(ahead)")
    }

    /// Earlier days that have rows in the default partition, latest first.
    func daysPast(of table: String, keep: String?) throws(ConnectionFault) -> [PartitionDay] {
        try days(of: table, "SELECT forebay.days_past($1::regclass, $2::interval)", keep)
    }

    /// The partitions that ended longer ago than `keep`.
    func daysOver(of table: String, keep: String) throws(ConnectionFault) -> [String] {
        try names("SELECT forebay.days_over($1::regclass, $2::interval)", [table, keep])
    }

    /// Makes a day's partition; nil if there was nothing to do.
    func make(_ day: PartitionDay) throws(ConnectionFault) -> Step? {
        try step(
            "SELECT step, partition, detail FROM forebay.make_day($1::regclass, $2::date, $3::bigint)",
            [day.table, day.day, "\(mostRows)"]
        )
    }

    /// Drops a partition that is over; nil if there was nothing to do.
    func drop(_ partition: String, of table: String, keep: String) throws(ConnectionFault) -> Step? {
        try step(
            "SELECT step, partition, detail FROM forebay.drop_day($1::regclass, $2, $3::interval)",
            [table, partition, keep]
        )
    }

    private func days(of table: String, _ sql: String, _ limit: String?) throws(ConnectionFault) -> [PartitionDay] {
        try names(sql, [table, limit]).map { PartitionDay(table: table, day: $0) }
    }

    private func names(_ sql: String, _ parameters: [String?]) throws(ConnectionFault) -> [String] {
        try connection.query(sql, parameters, by: deadline).rows.compactMap { $0.text(0) }
    }

    private func step(_ sql: String, _ parameters: [String?]) throws(ConnectionFault) -> Step? {
        guard let row = try connection.query(sql, parameters, by: deadline).rows.first else { return nil }
        guard let action = row.text(0).flatMap(Step.Action.init(rawValue:)) else {
            throw .broken("a step of the partitions is \(row.text(0) ?? "null")")
        }
        return Step(action: action, partition: row.text(1) ?? "", detail: row.text(2) ?? "")
    }
}

/// A day of a table that is partitioned by day.
package struct PartitionDay: Hashable, Sendable, CustomStringConvertible {
    /// Quoted, with its schema.
    package var table: String
    /// As PostgreSQL writes it: `2026-11-28`.
    package var day: String

    package init(table: String, day: String) {
        self.table = table
        self.day = day
    }

    package var description: String { "\(table) of \(day)" }
}

extension ConnectionFault {
    /// Another statement on the connection may well succeed: neither has the session ended, nor does the node refuse all writes alike.
    var isOfOneStatement: Bool {
        guard case .server(let error) = self else { return false }
        return error.sqlState != "25006" && !error.sqlState.hasPrefix("57P") && !error.sqlState.hasPrefix("08")
    }
}
