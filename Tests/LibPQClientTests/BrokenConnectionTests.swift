// Method: the backend, the server or the shutdown ends the exchange at a chosen point. Locks hold the backend at that point, so no test
// waits for longer than it takes; each then shows what the ledger says afterwards.

import Delivery
import LibPQClient
import LocalPostgres
import Records
import Synchronization
import Testing
import Topology

extension RealServerTests {
    @Suite(.serialized)
    struct BrokenConnectionTests {
        let lane = LaneKey(queue: QueueID(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max)), lane: LaneID(7))
        let bystander = Bystander(target: "forebay/7")
        let destination: LedgerDestination
        let table: TestTable

        init() throws {
            destination = try LedgerDestinationTests.makeDestination()
            table = try TestTable("target")
        }

        private func destination(
            settings: ConnectionSettings = TestDatabase.writerSettings,
            deadlines: FlushDeadlines = FlushDeadlines(),
            breakSwitch: BreakSwitch = BreakSwitch()
        ) throws -> LedgerDestination {
            LedgerDestination(
                directory: NamedPrimary(TestDatabase.address(try TestDatabase.cluster.primary)),
                settings: settings,
                deadlines: deadlines,
                breakSwitch: breakSwitch
            )
        }

        private func flush(in epoch: Int64) -> Flush {
            Flush(lane: lane, epoch: epoch, from: .none, to: Offset(2), parts: [table.part([(1, "a"), (2, "b")])])
        }

        /// From now on `COMMIT` of a flush into the table waits for a lock that the returned holder has.
        private func blockCommit() throws -> Holder {
            try TestDatabase.administrator().run(
                """
                CREATE OR REPLACE FUNCTION public.wait_for_bystander() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END';
                CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON target DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION public.wait_for_bystander()
                """,
                by: .after(.seconds(10))
            )
            return try Holder("SELECT pg_advisory_xact_lock(4711)")
        }

        /// Nothing landed, and the lane can be claimed and written again.
        private func expectNothingHappened(_ destination: LedgerDestination, since epoch: Int64) throws {
            #expect(try table.contents() == [])
            let claim = try destination.claim(lane)
            #expect(claim.position == .none)
            #expect(claim.epoch > epoch)
            try TestDatabase.administrator().run("DROP TRIGGER IF EXISTS wait ON target", by: .after(.seconds(10)))
            #expect(try destination.flush(flush(in: claim.epoch)).rows == 2)
        }

        @Test
        func nobodyListens() throws {
            let port = try LoopbackPort.free()
            let destination = LedgerDestination(
                directory: NamedPrimary(NodeAddress(host: "127.0.0.1", port: port)),
                settings: TestDatabase.writerSettings
            )
            let fault = #expect(throws: DeliveryFault.self) { try destination.claim(lane) }
            #expect(fault?.phase == .connecting)
            #expect(fault?.connectionText?.contains("Connection refused") == true)
        }

        @Test
        func wrongPassword() throws {
            var settings = TestDatabase.writerSettings
            settings.password = .fixed("wrong")
            let destination = try destination(settings: settings)
            let fault = #expect(throws: DeliveryFault.self) { try destination.claim(lane) }
            #expect(fault?.phase == .connecting)
            #expect(fault?.connectionText?.contains("password authentication failed for user \"apm_writer\"") == true)
        }

        /// A password that is changed is taken up by the next connection, and one that can't be had is a fault like any other.
        @Test
        func thePasswordIsAskedForWithEachConnection() throws {
            let answer = Mutex<String?>(nil)
            var settings = TestDatabase.writerSettings
            settings.password = .asked { () throws(ConnectionFault) in
                guard let text = answer.withLock({ $0 }) else { throw .noPassword("the file is away") }
                return text
            }
            let destination = try destination(settings: settings)
            #expect(throws: DeliveryFault(phase: .connecting, cause: .connection("\(try address): the file is away"))) {
                try destination.claim(lane)
            }
            answer.withLock { $0 = "wrong" }
            let fault = #expect(throws: DeliveryFault.self) { try destination.claim(lane) }
            #expect(fault?.connectionText?.contains("password authentication failed") == true)
            answer.withLock { $0 = TestDatabase.writer.password }
            _ = try destination.claim(lane)
            // A connection that stands needs none.
            answer.withLock { $0 = nil }
            _ = try destination.claim(lane)
        }

        private var address: NodeAddress {
            get throws { TestDatabase.address(try TestDatabase.cluster.primary) }
        }

        @Test
        func endedWhileClaiming() throws {
            let epoch = try destination.claim(lane).epoch
            let holder = try Holder("SELECT FROM forebay.ledger WHERE queue = '\(lane.queue)' FOR UPDATE")
            let fault = try Bystander.meanwhile(bystander.terminateWhenBlocked) {
                #expect(throws: DeliveryFault.self) { try destination.claim(lane) }
            }
            #expect(fault?.phase == .claiming)
            #expect(fault?.serverError?.sqlState == "57P01")
            try holder.release()
            try expectNothingHappened(destination, since: epoch)
        }

        @Test
        func endedWhileSending() throws {
            let epoch = try destination.claim(lane).epoch
            let holder = try Holder("LOCK TABLE target")
            let fault = try Bystander.meanwhile(bystander.terminateWhenBlocked) {
                #expect(throws: DeliveryFault.self) { try destination.flush(flush(in: epoch)) }
            }
            #expect(fault?.phase == .sending)
            #expect(fault?.serverError?.sqlState == "57P01")
            try holder.release()
            try expectNothingHappened(destination, since: epoch)
        }

        /// The backend is ended by the very row that is being sent, while more rows than the socket holds are still to come.
        @Test
        func endedInTheMiddleOfTheRows() throws {
            try TestDatabase.administrator().run(
                """
                CREATE OR REPLACE FUNCTION public.end_session() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
                'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END';
                CREATE TRIGGER ends BEFORE INSERT ON target FOR EACH ROW WHEN (NEW.n = 5) EXECUTE FUNCTION public.end_session()
                """,
                by: .after(.seconds(10))
            )
            var rows = TestRows()
            for number in 0..<64 {
                rows.add(Int64(number), String(repeating: "x", count: 1 << 20))
            }
            let part = Flush.Part(
                layout: table.layout,
                slices: [rows.slice(first: Offset(1), fingerprint: table.layout.fingerprint)]
            )
            let epoch = try destination.claim(lane).epoch
            let fault = #expect(throws: DeliveryFault.self) {
                try destination.flush(Flush(lane: lane, epoch: epoch, from: .none, to: Offset(64), parts: [part]))
            }
            #expect(fault?.phase == .sending)
            #expect(fault?.serverError?.sqlState == "57P01")
            try TestDatabase.administrator().run("DROP TRIGGER ends ON target", by: .after(.seconds(10)))
            try expectNothingHappened(destination, since: epoch)
        }

        @Test
        func endedWhileCommitting() throws {
            let holder = try blockCommit()
            let epoch = try destination.claim(lane).epoch
            let fault = #expect(throws: DeliveryFault.self) {
                try destination.flush(flush(in: epoch), whileWaiting: { try? bystander.terminateWhenBlocked() })
            }
            #expect(fault?.phase == .committing)
            #expect(fault?.serverError?.sqlState == "57P01")
            #expect(fault?.part == nil)
            try holder.release()
            try expectNothingHappened(destination, since: epoch)
        }

        @Test
        func aDeferredConstraintRefusesTheCommit() throws {
            try TestDatabase.administrator().run(
                "ALTER TABLE target ADD CONSTRAINT once UNIQUE (n) DEFERRABLE INITIALLY DEFERRED",
                by: .after(.seconds(10))
            )
            let epoch = try destination.claim(lane).epoch
            let twice = Flush(
                lane: lane,
                epoch: epoch,
                from: .none,
                to: Offset(2),
                parts: [table.part([(1, "a"), (1, "b")])]
            )
            let fault = #expect(throws: DeliveryFault.self) { try destination.flush(twice) }
            #expect(fault?.phase == .committing)
            #expect(fault?.serverError?.sqlState == "23505")
            #expect(fault?.part == nil)
            try expectNothingHappened(destination, since: epoch)
        }

        @Test
        func theServerStopsAtOnceWhileCommitting() throws {
            let primary = try TestDatabase.cluster.primary
            let holder = try blockCommit()
            defer { withExtendedLifetime(holder) {} }
            let epoch = try destination.claim(lane).epoch
            let fault = #expect(throws: DeliveryFault.self) {
                try destination.flush(
                    flush(in: epoch),
                    whileWaiting: {
                        _ = try? bystander.waitUntilBlocked()
                        try? primary.stop(.immediate)
                    }
                )
            }
            #expect(fault?.phase == .committing)
            let away = #expect(throws: DeliveryFault.self) { try destination.claim(lane) }
            #expect(away?.phase == .connecting)
            try primary.start()
            try expectNothingHappened(destination, since: epoch)
        }

        @Test
        func theServerIsKilledWhileCommitting() throws {
            let primary = try TestDatabase.cluster.primary
            let holder = try blockCommit()
            defer { withExtendedLifetime(holder) {} }
            let epoch = try destination.claim(lane).epoch
            let fault = #expect(throws: DeliveryFault.self) {
                try destination.flush(
                    flush(in: epoch),
                    whileWaiting: {
                        _ = try? bystander.waitUntilBlocked()
                        try? primary.kill()
                    }
                )
            }
            #expect(fault?.phase == .committing)
            #expect(fault?.connectionText != nil)
            try primary.start()
            try expectNothingHappened(destination, since: epoch)
        }

        @Test
        func aStoppedServerAnswersNothingAndTheDeadlineEndsTheWait() throws {
            let primary = try TestDatabase.cluster.primary
            let destination = try destination(
                deadlines: FlushDeadlines(
                    connect: .seconds(5),
                    claim: .seconds(5),
                    send: .milliseconds(200),
                    commit: .milliseconds(200)
                )
            )
            let epoch = try destination.claim(lane).epoch
            primary.pause()
            let sending = #expect(throws: DeliveryFault.self) { try destination.flush(flush(in: epoch)) }
            primary.resume()
            #expect(sending?.phase == .sending)
            #expect(sending?.connectionText?.contains("no answer in time") == true)
            try expectNothingHappened(destination, since: epoch)
        }

        @Test
        func theAnswerToCommitIsLost() throws {
            let primary = try TestDatabase.cluster.primary
            let holder = try blockCommit()
            var settings = TestDatabase.writerSettings
            settings.keepalive = nil
            let destination = try destination(settings: settings, deadlines: FlushDeadlines(commit: .milliseconds(200)))
            let epoch = try destination.claim(lane).epoch
            let fault = #expect(throws: DeliveryFault.self) {
                try destination.flush(
                    flush(in: epoch),
                    whileWaiting: {
                        _ = try? bystander.waitUntilBlocked()
                        primary.pause()
                    }
                )
            }
            primary.resume()
            #expect(fault?.phase == .committing)
            #expect(fault?.connectionText?.contains("no answer in time") == true)
            // The backend lives on, and commits as soon as it can: the next claim waits for it and sees its position.
            try holder.release()
            let claim = try destination.claim(lane)
            #expect(claim.position == Offset(2))
            #expect(claim.epoch > epoch)
            #expect(try table.contents() == ["1 a", "2 b"])
        }

        /// A claim that was given up while it waited must not go through later: it would fence off the claims after it.
        @Test
        func aClaimThatWasGivenUpNeverTakesEffect() throws {
            var settings = TestDatabase.writerSettings
            settings.keepalive?.clientCheck = .milliseconds(50)
            let destination = try destination(settings: settings, deadlines: FlushDeadlines(claim: .milliseconds(200)))
            let epoch = try destination.claim(lane).epoch
            let holder = try Holder("SELECT FROM forebay.ledger WHERE queue = '\(lane.queue)' FOR UPDATE")
            let fault = #expect(throws: DeliveryFault.self) { try destination.claim(lane) }
            #expect(fault?.connectionText?.contains("no answer in time") == true)
            try bystander.waitUntilGone()
            try holder.release()
            let ledger = try TestDatabase.administrator().query(
                "SELECT epoch FROM forebay.ledger WHERE queue = '\(lane.queue)'",
                by: .after(.seconds(10))
            )
            #expect(ledger.rows.map { $0.integer(0) } == [epoch])
        }

        @Test
        func theShutdownInterruptsAWait() throws {
            let breakSwitch = BreakSwitch()
            let destination = try destination(breakSwitch: breakSwitch)
            _ = try destination.claim(lane)
            let holder = try Holder("SELECT FROM forebay.ledger WHERE queue = '\(lane.queue)' FOR UPDATE")
            let bystander = bystander
            let fire: @Sendable () throws -> Void = {
                try bystander.waitUntilBlocked()
                breakSwitch.end()
            }
            let fault = try Bystander.meanwhile(fire) {
                #expect(throws: DeliveryFault.self) { try destination.claim(lane) }
            }
            #expect(
                fault
                    == DeliveryFault(
                        phase: .claiming,
                        cause: .connection("broken off, since another node is the primary or the process stops")
                    )
            )
            let after = #expect(throws: DeliveryFault.self) { try destination.claim(lane) }
            #expect(
                after
                    == DeliveryFault(
                        phase: .connecting,
                        cause: .connection("broken off, since another node is the primary or the process stops")
                    )
            )
            try holder.release()
        }

        @Test
        func aReadOnlyPrimary() throws {
            var settings = TestDatabase.writerSettings
            settings.session = [.init("default_transaction_read_only", "on")]
            let destination = try destination(settings: settings)
            let fault = #expect(throws: DeliveryFault.self) { try destination.claim(lane) }
            #expect(fault?.phase == .claiming)
            #expect(fault?.serverError?.sqlState == "25006")
            #expect(destination.node == nil)
        }

        @Test
        func aServerThatWasRestartedIsFoundAgainByTheNextClaim() throws {
            let epoch = try destination.claim(lane).epoch
            try TestDatabase.cluster.primary.restart()
            let claim = try destination.claim(lane)
            #expect(claim.position == .none)
            #expect(claim.epoch > epoch)
        }
    }
}
