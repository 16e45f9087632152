import ArgumentParser
import Foundation
import Glibc
import LocalPostgres
import ProvingGround

/// One stream of events through round after round of faults, several of them at once.
struct Soak: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Random faults at random moments, several at once, round after round, under one stream of events.",
        discussion: """
            A round has at most one fault of the primary (killed or hung or cut off or left running, with a promotion; stopped in \
            order, with a promotion; crashed or hung without one), and any of: the proxy killed, a replica killed, writes and syncs \
            of the queue failing, the proxy cut from the primary, the primary cut from a replica. Links are cut where that is possible. \
            Then the cluster is repaired, and in one look at the primary the table has as many rows as the ledger says. Now and then, \
            and at the end, all events are counted by their ids.

            Round n has the seed SEED + n - 1, so that each can be run again alone:

              make drill NAME=soak ROUNDS=200 SEED=1
              make drill NAME=soak ROUNDS=1 SEED=17
            """
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many rounds.")
    var rounds = 10

    @Option(help: "After so many rounds the events are counted.")
    var countEvery = 20

    @Flag(help: "Without cut links, even where they are possible.")
    var noLinks = false

    @Flag(help: "Delete a row in each round, to see that the check finds it.")
    var sabotage = false

    func run() throws {
        var hasLinks = false
        if !noLinks {
            do throws(LocalPostgresFault) {
                try LocalCluster.prepareForLinks()
                hasLinks = true
            } catch {
                say("no links are cut: \(error)")
            }
        }
        var plan = Exercise.plan(replicas: 2)
        plan.hasLinks = hasLinks
        plan.queueExtra = "  segment_bytes: 4MiB"
        // What is killed here are processes, not machines: the kernel keeps what they wrote. And checkpoints take no time then.
        plan.postgres["fsync"] = "off"
        plan.postgres["max_wal_size"] = "'96MB'"
        plan.postgres["min_wal_size"] = "'32MB'"
        try options.exercise("soak (\(rounds) rounds)", plan, hasSickDisk: true) { exercise in
            guard let disk = exercise.disk else { preconditionFailure("it was asked for") }
            for number in 1...rounds {
                let seed = options.seed &+ UInt64(number - 1)
                var round = SoakRound(exercise, disk, seed: seed, hasLinks: hasLinks)
                let begun = ContinuousClock.now
                do {
                    try round.run()
                    if sabotage {
                        try exercise.yard.primary.execute(
                            "DELETE FROM apirequests WHERE trace_id = (SELECT trace_id FROM apirequests LIMIT 1)",
                            database: Yard.database
                        )
                    }
                    let broken = ContinuousClock.now - begun
                    let rows = try round.repair()
                    let whole = ContinuousClock.now - begun
                    let totals = try exercise.fleet.totals()
                    say(
                        "round \(number), seed \(seed), \(milliseconds(broken)) and repaired \(milliseconds(whole - broken)): \(round.story); "
                            + "sent \(totals.sent), acknowledged \(totals.acknowledged), in PostgreSQL \(rows)"
                    )
                    if number % countEvery == 0 { try countMeanwhile(exercise) }
                } catch {
                    throw YardFault(
                        "round \(number) of seed \(seed): \(round.story): \(error)\n"
                            + "again: make drill NAME=soak ROUNDS=1 SEED=\(seed)"
                    )
                }
            }
            print("calls that failed: \(disk.failures); rows sent again: \(try exercise.status().delivery.resentRows)")
        }
    }

    private func milliseconds(_ duration: Duration) -> String { "\(Int(duration / .milliseconds(1))) ms" }

    /// What was acknowledged until now has to be there once it is committed, while the agents go on.
    private func countMeanwhile(_ exercise: Exercise) throws {
        let journal = try exercise.fleet.copyJournal()
        try exercise.awaitProgress()
        let report = try exercise.fleet.count(whileSending: journal)
        guard report.passes else { throw YardFault("\(report)") }
        say("counted meanwhile: acknowledged \(report.acknowledged), lost \(report.lost), doubled \(report.doubled)")
    }
}
