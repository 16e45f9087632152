/// What the rounds of a ``BaselineRun`` came to.
package struct BaselineReport: Sendable, Encodable {
    package struct Round: Sendable, Encodable {
        package var load: LoadReport
        /// Events acknowledged and not delivered when the load ended.
        package var backlog: Int
        /// From then until everything was delivered.
        package var drainSeconds: Double
        /// Events a second from the first request to the last event in PostgreSQL.
        package var deliveredPerSecond: Double
        /// Rows a second of the bare COPY.
        package var copiedPerSecond: Double

        package init(
            load: LoadReport,
            backlog: Int,
            drainSeconds: Double,
            deliveredPerSecond: Double,
            copiedPerSecond: Double
        ) {
            self.load = load
            self.backlog = backlog
            self.drainSeconds = drainSeconds
            self.deliveredPerSecond = deliveredPerSecond
            self.copiedPerSecond = copiedPerSecond
        }

        /// Events a second while nothing but the backlog was delivered; nil where that was too short to tell.
        package var drainedPerSecond: Double? {
            drainSeconds >= 0.5 ? Double(backlog) / drainSeconds : nil
        }
    }

    package var batch: Int
    package var connections: Int
    package var rowsPerTransaction: Int
    package var copies: Int
    package var rounds: [Round] = []

    package init(plan: LoadPlan, rowsPerTransaction: Int, copies: Int) {
        batch = plan.batch
        connections = plan.connections
        self.rowsPerTransaction = rowsPerTransaction
        self.copies = copies
    }

    /// The middle of the values; the lower one of two middles. Nil without values.
    package static func median(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.sorted()[(values.count - 1) / 2]
    }

    /// The report for people.
    package var text: String {
        func line(_ name: String, _ values: [Double]) -> String {
            guard let median = Self.median(values) else { return "\(name)not measured" }
            let all = values.map { grouped(Int($0)) }.joined(separator: ", ")
            return "\(name)\(grouped(Int(median))) a second (rounds: \(all))"
        }
        let copied = rounds.map(\.copiedPerSecond)
        let delivered = rounds.map(\.deliveredPerSecond)
        let drained = rounds.compactMap(\.drainedPerSecond)
        var lines = [
            line("acknowledged   ", rounds.map(\.load.eventsPerSecond)),
            line("delivered      ", delivered) + ", from the first request to the last row",
            line("drained        ", drained) + ", while the backlog was delivered",
            line("bare COPY      ", copied)
                + ", \(grouped(rowsPerTransaction)) rows a transaction, \(copies) connections",
        ]
        if let bare = Self.median(copied), bare > 0 {
            if let median = Self.median(delivered) {
                lines.append("delivered is \(fixed(median / bare * 100, 1)) % of bare COPY")
            }
            if let median = Self.median(drained) {
                lines.append("drained is \(fixed(median / bare * 100, 1)) % of bare COPY")
            }
        }
        if let load = rounds.last?.load {
            lines.append("the last load:\n" + load.text)
        }
        return lines.joined(separator: "\n")
    }
}
