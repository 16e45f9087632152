// Method: a primary and its replica behind relays that have one port on different addresses of loopback, and a look-up that the test answers. Names lead to several addresses, of which
// some are dead, or the wrong ones, and elsewhere from one look to the next.

import Delivery
import Glibc
import LibPQClient
import LocalPostgres
import ProvingGround
import Records
import Synchronization
import Testing
import Topology

extension RealServerTests {
    @Suite(.serialized)
    final class NameTests {
        /// What names lead to.
        private final class Names: Sendable {
            private let addresses: Mutex<[String]>

            init(_ addresses: String...) {
                self.addresses = Mutex(addresses)
            }

            func lead(to addresses: String...) {
                self.addresses.withLock { $0 = addresses }
            }

            var lookup: NameLookup { NameLookup { _ in self.addresses.withLock { $0 } } }
        }

        /// Says whatever it is told to.
        private final class ToldPrimary: PrimaryDirectory {
            private let told: Mutex<PrimaryChoice>

            init(_ choice: PrimaryChoice) {
                told = Mutex(choice)
            }

            var choice: PrimaryChoice {
                get { told.withLock { $0 } }
                set { told.withLock { $0 = newValue } }
            }

            func lookAgain() {}
        }

        private static let dead = "127.0.0.9"
        private let cluster: LocalCluster
        private let primary: NodeRelay
        private let replica: NodeRelay
        private let node: NodeAddress

        init() throws {
            cluster = try ClusterCheckTests.shared.get()
            try cluster.waitForReplicas()
            primary = try NodeRelay(to: cluster.primary.port, host: "127.0.0.2")
            replica = try NodeRelay(to: cluster.nodes[1].port, host: "127.0.0.3", port: primary.port)
            node = NodeAddress(host: "database.test", port: primary.port)
        }

        deinit {
            primary.close()
            replica.close()
        }

        private func probe(_ names: Names) -> ReplicaProbe {
            ReplicaProbe(
                node: node,
                settings: TestDatabase.writerSettings,
                timeout: .seconds(2),
                lookup: names.lookup
            )
        }

        @Test
        func aDeadAddressIsPassedOver() throws {
            let names = Names(Self.dead, "127.0.0.2")
            #expect(try probe(names).observe(queues: []).state.get().isInRecovery == false)
        }

        @Test
        func aNameOfWhichNothingAnswersIsDown() {
            let names = Names(Self.dead, "127.0.0.8")
            guard case .failure(let fault) = probe(names).observe(queues: []).state else {
                Issue.record("somebody answered")
                return
            }
            #expect(fault.kind == .down)
            #expect(fault.text.contains(Self.dead) && fault.text.contains("127.0.0.8"))
        }

        /// Nobody was asked, so neither address has anything to do with it.
        @Test
        func aPasswordThatCannotBeHadIsNoFaultOfAnAddress() {
            var settings = TestDatabase.writerSettings
            settings.password = .asked { () throws(ConnectionFault) in throw .noPassword("No such file") }
            let names = Names("127.0.0.3", "127.0.0.2")
            let probe = ReplicaProbe(node: node, settings: settings, lookup: names.lookup)
            guard case .failure(let fault) = probe.observe(queues: []).state else {
                Issue.record("somebody answered")
                return
            }
            #expect(fault == NodeFault(.wrongPassword, "No such file"))
        }

        /// One address refuses and the other one takes the connection and says nothing: the node hangs, it is not down.
        @Test
        func aNameOfWhichOneAddressHangsIsHung() throws {
            let names = Names(Self.dead, "127.0.0.2")
            cluster.primary.pause()
            defer { cluster.primary.resume() }
            guard case .failure(let fault) = probe(names).observe(queues: []).state else {
                Issue.record("somebody answered")
                return
            }
            #expect(fault.kind == .hung)
        }

        @Test
        func thePrimaryCountsAmongTheAddressesOfAName() throws {
            let names = Names("127.0.0.3", Self.dead, "127.0.0.2")
            #expect(try probe(names).observe(queues: []).state.get().isInRecovery == false)
            // Without it, whoever answers.
            names.lead(to: Self.dead, "127.0.0.3")
            #expect(try probe(names).observe(queues: []).state.get().isInRecovery)
        }

        @Test
        func aNameThatMovesAwayFromADeadAddressIsFoundWithinOneLook() throws {
            let names = Names("127.0.0.2")
            let probe = probe(names)
            #expect(try probe.observe(queues: []).state.get().isInRecovery == false)
            names.lead(to: "127.0.0.3")
            primary.close()
            #expect(try probe.observe(queues: []).state.get().isInRecovery)
        }

        /// The old address goes on answering, so that nothing breaks off: the name alone says that the node is elsewhere.
        @Test
        func aNameThatMovesAwayFromAnAddressThatAnswersIsFollowed() throws {
            let names = Names("127.0.0.2")
            let probe = probe(names)
            #expect(try probe.observe(queues: []).state.get().isInRecovery == false)
            names.lead(to: "127.0.0.3")
            try waitUntil("the probe has followed", within: 10) {
                try probe.observe(queues: []).state.get().isInRecovery
            }
        }

        /// A switchover behind one name for both nodes: the node that was the primary goes on answering, as a replica.
        @Test
        func theOtherAddressesAreTriedWhenNoPrimaryIsKnown() throws {
            let names = Names("127.0.0.3")
            let probe = probe(names)
            #expect(try probe.observe(queues: []).state.get().isInRecovery)
            names.lead(to: "127.0.0.3", "127.0.0.2")
            for _ in 1...3 { #expect(try probe.observe(queues: []).state.get().isInRecovery) }
            try waitUntil("the primary is found", within: 10) {
                try probe.observe(queues: [], seeksPrimary: true).state.get().isInRecovery == false
            }
        }

        /// A look-up that never ends costs a thread that sleeps; the node is asked over the connection that stands.
        @Test
        func aNameServerThatSaysNothingKeepsNobodyFromAsking() throws {
            let first = Atomic(true)
            let lookup = NameLookup { _ in
                if first.exchange(false, ordering: .relaxed) { return ["127.0.0.2"] }
                while true { sleep(60) }
            }
            let probe = ReplicaProbe(
                node: node,
                settings: TestDatabase.writerSettings,
                timeout: .seconds(2),
                lookup: lookup
            )
            let begun = ContinuousClock.now
            for _ in 1...5 { #expect(try probe.observe(queues: []).state.get().isInRecovery == false) }
            #expect(ContinuousClock.now - begun < .seconds(2))
        }

        /// The name of the primary is the same and leads to another server, on another timeline, while the old one still takes writes: nothing is written to that one any more.
        @Test
        func aLaneLeavesTheServerThatTheNameLedTo() throws {
            let names = Names("127.0.0.2")
            let state = try probe(names).observe(queues: []).state.get()
            let timeline = try #require(state.timeline)
            let directory = ToldPrimary(
                .primary(node, systemIdentifier: state.systemIdentifier, timeline: timeline)
            )
            let destination = LedgerDestination(
                directory: directory,
                settings: TestDatabase.writerSettings,
                lookup: names.lookup
            )
            let lane = LaneKey(queue: QueueID(high: .random(in: 0 ... .max), low: 1), lane: LaneID(0))
            _ = try destination.claim(lane)
            names.lead(to: Self.dead)
            directory.choice = .primary(node, systemIdentifier: state.systemIdentifier, timeline: timeline + 1)
            let fault = #expect(throws: DeliveryFault.self) { try destination.claim(lane) }
            #expect(fault?.phase == .connecting)
        }
    }
}
