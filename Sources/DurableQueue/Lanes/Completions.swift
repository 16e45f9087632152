import Records

/// The outcomes of a group commit, collected so that each sink is called once. Owner: a lane's thread.
struct Completions {
    private var sinks: [(sink: any AppendSink, results: [(token: UInt64, outcome: AppendOutcome)])] = []

    mutating func add(_ sink: any AppendSink, _ token: UInt64, _ outcome: AppendOutcome) {
        // There are as many sinks as event loops: a handful.
        if let index = sinks.firstIndex(where: { $0.sink === sink }) {
            sinks[index].results.append((token, outcome))
        } else {
            sinks.append((sink, [(token, outcome)]))
        }
    }

    /// Tells every sink, and forgets.
    mutating func send() {
        for entry in sinks { entry.sink.appendsDidFinish(entry.results) }
        sinks.removeAll(keepingCapacity: true)
    }
}
