package import Delivery
package import SegmentedLog

/// What a seed makes of a world before it begins: its sizes, and how hard it is.
package struct WorldPlan: Hashable, Sendable {
    package var steps = 0
    package var maximumLanes = 0
    package var log = LogOptions()
    /// Segments that the disk budget has room for.
    package var budgetSegments = 0
    package var retention = Retention(minAge: .zero, minBytes: 0)
    /// How long keys are remembered.
    package var window = Duration.zero
    package var isEncrypted = false
    /// The replica whose ledger is waited for before trimming, and which may be promoted.
    package var hasReplica = false
    /// There are three nodes in place of one PostgreSQL and its replica.
    package var hasCluster = false
    /// How many of a cluster's replicas must hold what is trimmed.
    package var required = 0
    /// Of a thousand nodes, how many answer late from the beginning.
    package var slowness = 0
    /// Rows of a flush are sent grouped by their second column.
    package var groupsRows = false
    package var delivery = DeliverySettings()
    /// Chances in 1000, per call, that the disk fails, in a bad life.
    package var diskTrouble = 0
    /// Chances in 1000, per call, that a connection breaks.
    package var connectionTrouble = 0
    /// Chances in 1000, per call, that another thread goes on meanwhile.
    package var interleaving = 0
    /// Of a thousand rows, how many are poison.
    package var poison = 0
    /// The table of the second stream is dropped and made again.
    package var breaksStreams = false
    /// The disk fills up now and then.
    package var fillsDisk = false

    /// Rows of the largest requests, which take several blocks.
    package static let largestRequest = 40

    package init(seed: UInt64) {
        var random = SplitMix(seed: seed ^ 0x0001_97A4)
        steps = random.within(60...260)
        maximumLanes = random.within(1...3)
        log = LogOptions(
            segmentBytes: 512 * random.within(6...20),
            blockBytes: 256 * random.within(1...4),
            groupBytes: 512 * random.within(2...8),
            sync: .always,
            maximumSpares: random.within(0...2)
        )
        budgetSegments = random.chance(250) ? random.within(3...8) * maximumLanes : 1000
        retention = Retention(
            minAge: random.pick([.zero, .zero, .milliseconds(200), .seconds(5)]),
            minBytes: random.chance(200) ? log.segmentBytes * 2 : 0
        )
        window = random.chance(300) ? .seconds(40) : .seconds(24 * 3600)
        isEncrypted = random.chance(100)
        hasReplica = random.chance(300)
        groupsRows = random.chance(500)
        delivery.initialRows = random.within(1...20)
        delivery.maximumRows = 64
        delivery.maximumBytes = random.pick([600, 2_000, 8_000])
        diskTrouble = random.pick([0, 0, 5, 20, 60])
        connectionTrouble = random.pick([0, 20, 100, 300])
        interleaving = random.pick([0, 20, 60])
        poison = random.pick([0, 0, 0, 5, 30, 200])
        breaksStreams = random.chance(300)
        fillsDisk = random.chance(150)
        // Drawn last, so that a world without a cluster is what it was before there were any.
        hasCluster = random.chance(400)
        if hasCluster { drawCluster(&random) }
    }

    private mutating func drawCluster(_ random: inout SplitMix) {
        steps += random.within(100...300)
        required = random.pick([2, 2, 2, 2, 2, 2, 2, 1, 1, 0])
        delivery.onRestore = random.pick([.hold, .replay])
        slowness = random.pick([0, 200, 700])
        hasReplica = false
        breaksStreams = false
    }

    package var budgetBytes: Int { budgetSegments * log.segmentBytes }

    /// Dead letters are retried only where their keys are remembered for as long as the world lasts.
    package var retriesLetters: Bool { window > .seconds(3600) }
}
