import Delivery

/// Makes the partitions of a database as a proxy does it beside its other work: the days ahead first, then a few of the past days whose
/// rows stand in the default partition, each day in a transaction of its own. Nothing is dropped.
package struct PartitionKeeper: Sendable {
    /// What a round did that somebody should hear of.
    package enum Event: Hashable, Sendable {
        case made(String, detail: String)
        /// The day stays in the default partition: it has too many rows there.
        case left(PartitionDay, reason: String)
        /// Somebody else held a lock for longer than a step may wait: the table's days are tried again in another round.
        case putOff(PartitionDay, reason: String)
        case failed(PartitionDay, reason: String)
        /// The days of a table, or of all, can't be told, or the connection is of no more use.
        case trouble(table: String?, reason: String)
    }

    package static let daysAhead = 7

    private let pace: PartitionRounds.Pace
    private let patience: Duration
    private let mostRows: Int
    private var rounds: PartitionRounds

    /// - Parameters:
    ///   - patience: how long one day may take.
    ///   - mostRows: a day with more rows in the default partition stays there.
    package init(
        pace: PartitionRounds.Pace = PartitionRounds.Pace(),
        patience: Duration = .seconds(20),
        mostRows: Int? = nil,
        first: Duration
    ) {
        self.pace = pace
        self.patience = patience
        self.mostRows = mostRows ?? DailyPartitions.mostRows
        rounds = PartitionRounds(pace: pace, first: first)
    }

    /// When the next round is.
    package var next: Duration { rounds.next }

    /// One round. However it ends, ``next`` is later than before.
    package mutating func run(
        on connection: PostgresConnection,
        now: () -> Duration,
        report: (Event) -> Void
    ) {
        rounds.begin()
        var isWhole = false
        do throws(ConnectionFault) {
            let partitions = try DailyPartitions(connection, mostRows: mostRows, patience: patience)
            isWhole = try work(partitions, now, report)
        } catch {
            rounds.noteTrouble()
            // Whoever breaks a round off knows.
            if error != .interrupted {
                report(.trouble(table: nil, reason: error.isOldSchema ? "\(error); run `forebay init`" : "\(error)"))
            }
        }
        rounds.end(isWhole: isWhole, at: now())
    }

    /// Returns whether every day that there is was looked at.
    private mutating func work(
        _ partitions: DailyPartitions,
        _ now: () -> Duration,
        _ report: (Event) -> Void
    ) throws(ConnectionFault) -> Bool {
        let tables = try partitions.tables()
        var stalled: Set<String> = []
        var isWhole = true
        // Which days are ahead the catalogue tells; which of the past have rows, only the whole of the default partition.
        for table in tables {
            let days = try list(table, report) { () throws(ConnectionFault) in
                try partitions.daysAhead(Self.daysAhead, of: table)
            }
            if days == nil { isWhole = false }
            for day in rounds.due(days ?? [], at: now()) where !stalled.contains(table) {
                switch make(day, partitions, now, report) {
                case .next: continue
                case .stalled: stalled.insert(table)
                case .lost: return false
                }
            }
        }
        let end = now() + pace.pastTime
        var left = pace.pastDays
        for table in tables {
            guard !stalled.contains(table), left > 0, now() < end else {
                isWhole = false
                continue
            }
            let days = try list(table, report) { () throws(ConnectionFault) in
                try partitions.daysPast(of: table, keep: nil)
            }
            if days == nil { isWhole = false }
            for day in rounds.due(days ?? [], at: now()) {
                guard !stalled.contains(table), left > 0, now() < end else { break }
                left -= 1
                switch make(day, partitions, now, report) {
                case .next: continue
                case .stalled: stalled.insert(table)
                case .lost: return false
                }
            }
        }
        return isWhole
    }

    /// Returns nil, and says why, if this table's days can't be told.
    ///
    /// - Throws: what leaves no hope for another statement on this connection.
    private mutating func list(
        _ table: String,
        _ report: (Event) -> Void,
        _ read: () throws(ConnectionFault) -> [PartitionDay]
    ) throws(ConnectionFault) -> [PartitionDay]? {
        do throws(ConnectionFault) {
            return try read()
        } catch {
            guard error.isOfOneStatement else { throw error }
            rounds.noteTrouble()
            report(.trouble(table: table, reason: "\(error)"))
            return nil
        }
    }

    private enum Continuation {
        case next
        /// What kept this day from being made keeps the table's others from it as well.
        case stalled
        /// The connection is of no more use.
        case lost
    }

    private mutating func make(
        _ day: PartitionDay,
        _ partitions: DailyPartitions,
        _ now: () -> Duration,
        _ report: (Event) -> Void
    ) -> Continuation {
        do throws(ConnectionFault) {
            guard let step = try partitions.make(day) else {
                rounds.note(.settled, of: day, at: now())
                return .next
            }
            switch step.action {
            case .made, .dropped:
                rounds.note(.settled, of: day, at: now())
                report(.made(step.partition, detail: step.detail))
                return .next
            case .left:
                rounds.note(.left, of: day, at: now())
                report(.left(day, reason: step.detail))
                return .next
            case .putOff:
                rounds.noteTrouble()
                report(.putOff(day, reason: step.detail))
                return .stalled
            case .busy: return .stalled
            }
        } catch {
            if error == .interrupted {
                rounds.noteTrouble()
                return .lost
            }
            rounds.note(.failed, of: day, at: now())
            report(.failed(day, reason: "\(error)"))
            return error.isOfOneStatement ? .next : .lost
        }
    }
}

extension ConnectionFault {
    /// The database has not had this Forebay's migrations and grants yet.
    fileprivate var isOldSchema: Bool {
        guard case .server(let error) = self else { return false }
        return ["3F000", "42501", "42883"].contains(error.sqlState)
    }
}
