import Delivery

extension SetupSession {
    /// Makes the days ahead, then every past day that has rows in the default partition, then drops what is over, each in a transaction
    /// of its own. A step that fails keeps no other from being taken; it is thrown when all have been.
    func maintainPartitions(
        ahead: Int,
        retentionDays: Int?,
        progress: (String) -> Void
    ) throws(SetupFault) {
        if dryRun {
            progress("\(Self.partitions): would make those up to \(ahead) days ahead")
            return
        }
        var tally = Tally()
        do throws(ConnectionFault) {
            let partitions = try DailyPartitions(connection, patience: patience)
            let keep = retentionDays.map { "\($0) days" }
            let tables = try partitions.tables()
            for table in tables {
                let days = try partitions.daysAhead(ahead, of: table)
                for day in days {
                    try tally.take("\(day)", progress) { () throws(ConnectionFault) in try partitions.make(day) }
                }
            }
            for table in tables {
                var days: [PartitionDay] = []
                try tally.take("the past days of \(table)", progress) { () throws(ConnectionFault) in
                    days = try partitions.daysPast(of: table, keep: keep)
                    return nil
                }
                for day in days {
                    try tally.take("\(day)", progress) { () throws(ConnectionFault) in try partitions.make(day) }
                }
            }
            if let keep {
                for table in tables {
                    for old in try partitions.daysOver(of: table, keep: keep) {
                        try tally.take(old, progress) { () throws(ConnectionFault) in
                            try partitions.drop(old, of: table, keep: keep)
                        }
                    }
                }
            }
        } catch {
            throw SetupFault(step: Self.partitions, reason: "\(error)", remedy: Self.remedy(for: error))
        }
        if let fault = tally.fault { throw fault }
        if tally.lines == 0 { progress("\(Self.partitions): all there") }
    }

    private static let partitions = "partitions"

    /// What the steps came to.
    private struct Tally {
        private(set) var lines = 0
        private var failures = 0
        private var first: (name: String, fault: ConnectionFault)?

        /// - Throws: what leaves no hope for the steps after this one.
        mutating func take(
            _ name: String,
            _ progress: (String) -> Void,
            _ step: () throws(ConnectionFault) -> DailyPartitions.Step?
        ) throws(ConnectionFault) {
            do throws(ConnectionFault) {
                guard let done = try step() else { return }
                lines += 1
                progress("\(SetupSession.partitions): \(done.action.rawValue) \(done.partition), \(done.detail)")
            } catch {
                guard error.isOfOneStatement else { throw error }
                lines += 1
                failures += 1
                if first == nil { first = (name, error) }
                progress("\(SetupSession.partitions): failed \(name), \(error)")
            }
        }

        var fault: SetupFault? {
            guard let first else { return nil }
            let others = failures == 1 ? "" : ", and \(failures - 1) others"
            return SetupFault(
                step: SetupSession.partitions,
                reason: "\(first.name) failed\(others): \(first.fault)",
                remedy: SetupSession.remedy(for: first.fault)
            )
        }
    }
}
