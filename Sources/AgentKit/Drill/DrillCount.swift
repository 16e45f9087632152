/// Compares the events that agents sent with those that arrived.
package struct DrillCount: Sendable {
    private struct Agent {
        var record: DrillRecord
        /// How often each event arrived, up to 255; index 0 stands for event 1.
        var arrivals: [UInt8]
    }

    private struct AgentKey: Hashable {
        var run: String
        var agent: Int
    }

    private var agents: [AgentKey: Agent] = [:]
    /// The agents go on: what they sent after the journals were read is left aside.
    private let stillSending: Bool
    private var unexpected: [String] = []
    private var unexpectedCount = 0
    private var foreign = 0

    /// - Parameter records: at most one per agent of a run.
    package init(records: [DrillRecord], stillSending: Bool = false) {
        self.stillSending = stillSending
        for record in records {
            agents[AgentKey(run: record.run, agent: record.agent)] = Agent(
                record: record,
                arrivals: Array(repeating: 0, count: record.sent)
            )
        }
    }

    /// Counts a trace id that was found in the table. One of another form belongs to somebody else and is only counted.
    package mutating func arrived(_ text: some StringProtocol) {
        guard let id = DrillID(text) else {
            foreign += text.isEmpty ? 0 : 1
            return
        }
        let key = AgentKey(run: id.run, agent: id.agent)
        guard let sent = agents[key]?.arrivals.count else {
            // Another run's events may stand in the same table; another agent of this run may not.
            if agents.keys.contains(where: { $0.run == id.run }) {
                note(unexpected: id)
            } else {
                foreign += 1
            }
            return
        }
        guard id.number <= sent else {
            if stillSending { return }
            note(unexpected: id)
            return
        }
        let before = agents[key]?.arrivals[id.number - 1] ?? 0
        agents[key]?.arrivals[id.number - 1] = before == .max ? before : before + 1
    }

    private mutating func note(unexpected id: DrillID) {
        unexpectedCount += 1
        if unexpected.count < Verdict.examples {
            unexpected.append(id.description)
        }
    }

    /// What the comparison came to.
    package struct Verdict: Hashable, Sendable, Encodable {
        static let examples = 10

        package var sent = 0
        package var acknowledged = 0
        /// Different events of the journals that arrived.
        package var arrived = 0
        /// Acknowledged and not there.
        package var lost = 0
        package var lostExamples: [String] = []
        /// There more than once, of agents that sent with keys.
        package var doubled = 0
        package var doubledExamples: [String] = []
        /// There more than once, of agents that sent without keys, which is allowed.
        package var doubledWithoutKeys = 0
        /// There, of an agent of the run, and never sent.
        package var unexpected = 0
        package var unexpectedExamples: [String] = []
        /// There and not acknowledged, which is allowed: the acknowledgement was lost on the way.
        package var unacknowledged = 0
        /// Trace ids that are not of these runs.
        package var foreign = 0

        /// Nothing lost, nothing doubled that had a key, nothing that nobody sent.
        package var passes: Bool { lost == 0 && doubled == 0 && unexpected == 0 }
    }

    package var verdict: Verdict {
        var verdict = Verdict()
        verdict.unexpected = unexpectedCount
        verdict.unexpectedExamples = unexpected
        verdict.foreign = foreign
        let ordered = agents.sorted { ($0.key.run, $0.key.agent) < ($1.key.run, $1.key.agent) }
        for (_, agent) in ordered {
            verdict.sent += agent.record.sent
            for (index, count) in agent.arrivals.enumerated() {
                let acknowledged = agent.record.acknowledged[index]
                verdict.acknowledged += acknowledged ? 1 : 0
                verdict.arrived += count > 0 ? 1 : 0
                verdict.unacknowledged += count > 0 && !acknowledged ? 1 : 0
                let isLost = acknowledged && count == 0
                let isDouble = count > 1
                guard isLost || isDouble else { continue }
                let id = DrillID(run: agent.record.run, agent: agent.record.agent, number: index + 1).description
                if isLost {
                    verdict.lost += 1
                    if verdict.lostExamples.count < Verdict.examples { verdict.lostExamples.append(id) }
                } else if agent.record.keys {
                    verdict.doubled += 1
                    if verdict.doubledExamples.count < Verdict.examples { verdict.doubledExamples.append(id) }
                } else {
                    verdict.doubledWithoutKeys += 1
                }
            }
        }
        return verdict
    }
}
