import ArgumentParser
import LocalPostgres
import ProvingGround

/// The network fails without a word: between the proxy and the primary, between the primary and its replica, and around the primary as a
/// whole, which goes on by itself while the replica takes its place.
struct LinkCut: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "link-cut",
        abstract: "Links are cut, so that packets vanish: proxy from primary, primary from replica, primary from both.",
        discussion: """
            Every node stands in a network namespace of its own, which needs Linux, root, iproute2 and util-linux; elsewhere the drill \
            ends with status 69. When the primary is cut off from all, the replica is promoted; the primary is back later, and takes \
            writes.
            """
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many times each link is cut.")
    var rounds = 2

    func run() throws {
        try options.prepareForLinks()
        var plan = Exercise.plan()
        plan.hasLinks = true
        try options.exercise("link-cut (\(rounds) rounds)", plan) { exercise in
            try exercise.rounds(rounds) { _ in
                try cutProxyFromPrimary(exercise)
                try cutPrimaryFromReplica(exercise)
                try cutPrimaryFromAll(exercise)
            }
        }
    }

    private func cutProxyFromPrimary(_ exercise: Exercise) throws {
        let cluster = exercise.yard.cluster
        exercise.pause.wait(milliseconds: 300...1000)
        try cluster.cutLink(exercise.yard.primary, nil)
        exercise.pause.wait(milliseconds: 500...3000)
        try cluster.healLinks()
        try exercise.awaitProgress()
    }

    private func cutPrimaryFromReplica(_ exercise: Exercise) throws {
        let replica = try exercise.candidate()
        exercise.pause.wait(milliseconds: 300...1000)
        try exercise.yard.cluster.cutLink(exercise.yard.primary, replica)
        exercise.pause.wait(milliseconds: 500...2000)
        try exercise.awaitProgress()
        let shown = try exercise.ledger(of: replica)
        let status = try exercise.status()
        let replicated = status.lanes.map { $0.replicated ?? 0 }.reduce(0, +)
        let committed = status.lanes.map(\.committed).reduce(0, +)
        guard replicated <= shown, shown < committed else {
            throw YardFault(
                "cut off, the replica shows \(shown) of \(committed), and \(replicated) count as replicated"
            )
        }
        try exercise.yard.cluster.healLinks()
        try waitUntil("the replica catches up", within: 120) {
            try exercise.status().lanes.map { $0.replicated ?? 0 }.reduce(0, +) >= committed
        }
    }

    private func cutPrimaryFromAll(_ exercise: Exercise) throws {
        let old = exercise.yard.primary
        let replica = try exercise.candidate()
        exercise.pause.wait(milliseconds: 300...1000)
        try exercise.yard.cluster.cutLink(old, replica)
        exercise.pause.wait(milliseconds: 100...500)
        try exercise.yard.cluster.cutLink(old, nil)
        exercise.pause.wait(milliseconds: 100...1500)
        try exercise.promote(replica)
        exercise.pause.wait(milliseconds: 0...1000)
        try exercise.yard.cluster.healLinks()
        try waitUntil("the old primary is seen again", within: 120) {
            try exercise.status().state(of: old.address) == "abandoned primary"
        }
        try exercise.checkLeftAlone(old)
        try exercise.takeBack(old)
    }
}
