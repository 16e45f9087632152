import LocalPostgres
import ProvingGround

/// The frame of the drills of the read port: what drills of a cluster have, with two replicas, and besides the agents pgbench and somebody who reads what
/// was written just now.
final class ReadExercise {
    let exercise: Exercise
    var yard: Yard { exercise.yard }
    private let reruns: Double

    fileprivate init(_ exercise: Exercise) throws {
        self.exercise = exercise
        reruns = try exercise.yard.metric("forebay_read_reruns_total")
    }

    /// Waits until so many transactions more were read.
    func awaitReads(_ count: Double = 2000) throws {
        let before = try yard.metric("forebay_read_transactions_total")
        try waitUntil("\(count) transactions are read", within: 120) {
            try yard.metric("forebay_read_transactions_total") > before + count
        }
    }

    /// Waits until pgbench is served by the node.
    func awaitReads(on node: LocalNode) throws {
        try waitUntil("\(node.name) is read from", within: 120) {
            try node.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'") != "0"
        }
    }

    /// Statements that were run again elsewhere so far.
    var rerunCount: Int {
        get throws { Int(try yard.metric("forebay_read_reruns_total") - reruns) }
    }
}

extension DrillOptions {
    /// Runs a drill under `pgbench -S` through the read port; fails if a client of it saw an error, or a read by receipt was stale.
    func underRead(_ name: String, _ faults: (ReadExercise) throws -> Void) throws {
        // The readers want most of the machine.
        var calm = self
        calm.rate = min(rate, 1000)
        try calm.exercise(name, Exercise.plan(replicas: 2)) { exercise in
            let load = try ReadLoad(exercise.yard)
            let own = try OwnWrites(exercise.yard)
            let outcome = Result {
                let reading = try ReadExercise(exercise)
                try reading.awaitReads()
                try faults(reading)
                print("statements that were run again on another node: \(try reading.rerunCount)")
            }
            let (ownFigures, refusals) = own.finish()
            var figures = try load.finish()
            // Whoever waits for a write waits for PostgreSQL, and not for a node.
            let (ownWrites, stale) = (ownFigures.ownWrites, ownFigures.stale)
            figures.add(ReadFigures(errors: ownFigures.errors, ownWrites: ownWrites, stale: stale))
            print(figures)
            print("own writes: longest until it was read \(ownFigures.longestWaitMilliseconds) ms")
            for (refusal, count) in refusals.sorted(by: { $0.key < $1.key }) {
                print("  \(count) × asked again: \(refusal)")
            }
            try outcome.get()
            guard figures.passes else { throw YardFault("reads failed: \(figures)") }
        }
    }
}
