// Method: a replica beside a primary, looked at again and again with a clock of our own; each test tells one way a replica goes in or out.

import Records
import Testing
import Topology

@Suite
struct ReadRosterTests {
    private static let primary = NodeAddress(host: "10.0.0.1")
    private static let replica = NodeAddress(host: "10.0.0.2")
    private static let lane = LaneKey(queue: QueueID(high: 1, low: 2), lane: LaneID(0))
    private static let memory = ClusterMemory(systemIdentifier: 7, timeline: 3)

    /// A cluster of two that is looked at once a second.
    private struct World {
        var roster = ReadRoster(bounds: .init(lag: .seconds(10), bytes: 1000, grace: .seconds(3)))
        var now = Duration.zero
        var hasPrimary = true
        var claims: [LaneKey: Int64] = [:]

        mutating func look(_ replica: NodeState?, after: Duration = .seconds(1)) -> ReadRoster.Standing {
            now += after
            let first = hasPrimary ? state(recovering: false, at: 10_000) : nil
            let choice: PrimaryChoice =
                hasPrimary ? .primary(primary, systemIdentifier: 7, timeline: 3) : .none(.replicas)
            let nodes = [
                (node: ReadRosterTests.primary, state: first), (node: ReadRosterTests.replica, state: replica),
            ]
            let standings = roster.look(nodes, choice: choice, memory: memory, claims: claims, at: now)
            #expect(standings[0] == (hasPrimary ? .primary : .away))
            return standings[1]
        }
    }

    private static func state(
        recovering: Bool = true,
        at position: UInt64 = 9_900,
        lag: Duration? = .zero,
        timeline: Int? = 3,
        system: UInt64 = 7,
        epoch: Int64? = nil,
        receiving: Bool = true
    ) -> NodeState {
        NodeState(
            version: 150_000,
            isInRecovery: recovering,
            systemIdentifier: system,
            timeline: timeline,
            position: WALPosition(rawValue: position),
            isReceiving: receiving,
            replayLag: lag,
            ledger: epoch.map { [lane: LedgerRow(epoch: $0, position: .none)] }
        )
    }

    @Test
    func aReplicaThatKeepsUpIsReady() {
        var world = World()
        #expect(world.look(Self.state()) == .ready)
        #expect(world.look(Self.state(lag: .seconds(10))) == .ready)
        #expect(world.look(nil) == .away)
        #expect(world.look(Self.state(system: 8)) == .foreign)
        #expect(world.look(Self.state(recovering: false)) == .astray)
    }

    @Test
    func aStallWithinTheGraceIsForgiven() {
        var world = World()
        #expect(world.look(Self.state()) == .ready)
        for _ in 0..<3 { #expect(world.look(Self.state(lag: .seconds(11))) == .ready) }
        #expect(world.look(Self.state(lag: .seconds(1))) == .ready)
        for _ in 0..<4 { #expect(world.look(Self.state(lag: .seconds(11))) == .ready) }
        #expect(world.look(Self.state(lag: .seconds(11))) == .behind)
    }

    @Test
    func itComesBackWithinHalfOfTheBounds() {
        var world = World()
        #expect(world.look(Self.state(lag: .seconds(30))) == .behind)
        #expect(world.look(Self.state(lag: .seconds(6))) == .behind)
        #expect(world.look(Self.state(at: 9_400, lag: .seconds(5))) == .behind)
        #expect(world.look(Self.state(at: 9_500, lag: .seconds(5))) == .ready)
    }

    @Test
    func bytesCountToo() {
        var world = World()
        #expect(world.look(Self.state(at: 8_999)) == .behind)
        #expect(world.look(Self.state(at: 9_000)) == .behind)
        #expect(world.look(Self.state(at: 9_600)) == .ready)
        // On another timeline there is no distance in bytes.
        var other = World()
        #expect(other.look(Self.state(at: 1, timeline: 2)) == .ready)
    }

    @Test
    func oneThatHasEverythingIsReadyHoweverOldThatIs() {
        var world = World()
        #expect(world.look(Self.state(at: 10_000, lag: .seconds(86_400), receiving: false)) == .ready)
    }

    @Test
    func oneThatCannotTellItsLagHasToReceive() {
        var (first, second) = (World(), World())
        #expect(first.look(Self.state(lag: nil)) == .ready)
        #expect(second.look(Self.state(lag: nil, receiving: false)) == .behind)
    }

    @Test
    func theCurrentEpochHasToBeVisible() {
        var world = World()
        world.claims = [Self.lane: 4]
        #expect(world.look(Self.state(epoch: 4)) == .ready)
        // On another history a claim may have a higher one.
        #expect(world.look(Self.state(epoch: 5)) == .ready)
        #expect(world.look(Self.state(epoch: 5), after: .seconds(4)) == .behind)
        #expect(world.look(Self.state(epoch: 4)) == .ready)
        world.claims = [Self.lane: 6]
        #expect(world.look(Self.state(epoch: 5)) == .ready)
        #expect(world.look(Self.state(epoch: 5), after: .seconds(4)) == .behind)
        #expect(world.look(Self.state(epoch: nil)) == .behind)
        #expect(world.look(Self.state(epoch: 6)) == .ready)
    }

    @Test
    func withoutAPrimaryReadsGoOn() {
        var world = World()
        world.claims = [Self.lane: 4]
        #expect(world.look(Self.state(lag: .seconds(30), epoch: 1)) == .behind)
        world.hasPrimary = false
        #expect(world.look(Self.state(lag: .seconds(30), epoch: 1)) == .ready)
    }
}
