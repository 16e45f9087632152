// Method: rows of many old days stand in the default partition, and something keeps their partitions from being made, or makes it slow.
// Rounds are run as the proxy runs them, on a clock that the test moves; what counts is which partitions are there afterwards.

import Delivery
import LibPQClient
import LocalPostgres
import Records
import Testing

extension RealServerTests {
    @Suite(.serialized)
    struct PartitionKeeperTests {
        let administrator: PostgresConnection
        let writer: PostgresConnection
        let table = PartitionTable()

        init() throws {
            administrator = try TestDatabase.administrator()
            writer = try TestDatabase.connect(to: try TestDatabase.cluster.primary, as: TestDatabase.writer)
            try table.empty(administrator)
        }

        /// One row for each of the days that long ago.
        private func insert(daysAgo: ClosedRange<Int>, rows: Int = 1) throws {
            try administrator.run(
                """
                INSERT INTO public.apirequests (time) SELECT now() - n * interval '24 hours'
                FROM generate_series(\(daysAgo.lowerBound), \(daysAgo.upperBound)) AS n, generate_series(1, \(rows))
                """,
                by: .after(.seconds(20))
            )
        }

        private func count(_ sql: String) throws -> Int64? {
            try administrator.query("SELECT count(*) FROM \(sql)", by: .after(.seconds(20))).rows.first?.integer(0)
        }

        private func partitions(ahead: Bool) throws -> Int64? {
            try count(
                "forebay.partition_bounds('public.apirequests') WHERE (upper_bound >= now() - interval '1 day') = \(ahead)"
            )
        }

        private func strays() throws -> Int64? { try count("ONLY public.apirequests_default") }

        /// A table that has the name of a day's partition, and is none.
        private func obstruct(daysAgo: Int) throws {
            try administrator.run(
                """
                DO $$ BEGIN EXECUTE format('CREATE TABLE public.%I ()',
                    'apirequests_p' || to_char((now() AT TIME ZONE 'UTC')::date - \(daysAgo), 'YYYYMMDD')); END $$
                """,
                by: .after(.seconds(5))
            )
        }

        private func clear(daysAgo: Int) throws {
            try administrator.run(
                """
                DO $$ BEGIN EXECUTE format('DROP TABLE public.%I',
                    'apirequests_p' || to_char((now() AT TIME ZONE 'UTC')::date - \(daysAgo), 'YYYYMMDD')); END $$
                """,
                by: .after(.seconds(5))
            )
        }

        private func round(_ keeper: inout PartitionKeeper, at now: Duration? = nil) -> [PartitionKeeper.Event] {
            let now = now ?? keeper.next
            var events: [PartitionKeeper.Event] = []
            keeper.run(on: writer, now: { now }, report: { events.append($0) })
            return events
        }

        @Test
        func theDaysAheadComeFirstAndThePastIsWorkedOffOverRounds() throws {
            try insert(daysAgo: 2...61)
            let today = try administrator.query(
                "SELECT (now() AT TIME ZONE 'UTC')::date::text",
                by: .after(.seconds(5))
            ).rows[0].text(0)
            var keeper = PartitionKeeper(first: .zero)
            for left in [40, 20, 0] {
                let events = round(&keeper)
                #expect(events.count == (left == 40 ? 9 + 20 : 20))
                #expect(events.allSatisfy { if case .made = $0 { true } else { false } })
                if left == 40 {
                    let first = PartitionDay(table: "public.apirequests", day: today ?? "")
                    #expect(events.first == .made("\(first)", detail: "0 rows moved from the default partition"))
                }
                #expect(try partitions(ahead: true) == 9)
                #expect(try strays() == Int64(left))
            }
            #expect(keeper.next == .seconds(2 * 15 + 3600))
        }

        /// In one transaction, all of it is rolled back when the time for it is over, and the next try ends alike.
        @Test
        func aTimeThatIsTooShortForAllDaysIsEnoughForEach() throws {
            try insert(daysAgo: 2...301)
            var pace = PartitionRounds.Pace()
            pace.pastDays = 100
            var keeper = PartitionKeeper(pace: pace, patience: .seconds(2), first: .zero)
            for _ in 0..<3 {
                #expect(round(&keeper).allSatisfy { if case .made = $0 { true } else { false } })
            }
            #expect(try strays() == 0)
            #expect(try partitions(ahead: false) == 300)
        }

        @Test
        func theDaysAheadAreMadeThoughPastDaysFail() throws {
            try insert(daysAgo: 2...4)
            try obstruct(daysAgo: 3)
            var keeper = PartitionKeeper(first: .zero)
            let failures = round(&keeper).filter { if case .made = $0 { false } else { true } }
            #expect(failures.count == 1)
            guard case .failed(let day, let reason) = failures.first else {
                Issue.record("\(failures)")
                return
            }
            #expect(day.table == "public.apirequests")
            #expect(reason.contains("already exists (SQLSTATE 42P07)"))
            #expect(try partitions(ahead: true) == 9)
            #expect(try strays() == 1)
            #expect(keeper.next == .seconds(3600))

            try clear(daysAgo: 3)
            #expect(round(&keeper).count == 1)
            #expect(try strays() == 0)
        }

        @Test
        func aDayAheadThatFailsKeepsNoOtherFromBeingMade() throws {
            try insert(daysAgo: 2...4)
            try obstruct(daysAgo: 0)
            defer { _ = try? clear(daysAgo: 0) }
            var keeper = PartitionKeeper(first: .zero)
            #expect(round(&keeper).filter { if case .failed = $0 { true } else { false } }.count == 1)
            #expect(try partitions(ahead: true) == 8)
            #expect(try strays() == 0)
        }

        @Test
        func aDayWithTooManyRowsStaysInTheDefaultPartition() throws {
            try insert(daysAgo: 2...2, rows: 101)
            try insert(daysAgo: 3...3, rows: 100)
            var keeper = PartitionKeeper(mostRows: 100, first: .zero)
            let left = round(&keeper).compactMap { if case .left(_, let reason) = $0 { reason } else { nil } }
            #expect(left == ["more than 100 rows stand in the default partition"])
            #expect(try partitions(ahead: true) == 9)
            #expect(try strays() == 101)
            #expect(keeper.next == .seconds(3600))
        }

        /// A day that takes too long is given up by the server, and the connection goes on to the next.
        @Test
        func aDayThatTakesTooLongIsGivenUp() throws {
            try insert(daysAgo: 2...4)
            // Rows of the day three days ago take their time to move.
            try administrator.run(
                """
                CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    IF old.time::date = (now() - interval '3 days')::date THEN PERFORM pg_sleep(60); END IF;
                    RETURN old;
                END $$;
                CREATE TRIGGER dawdle BEFORE DELETE ON public.apirequests_default FOR EACH ROW EXECUTE FUNCTION public.dawdle()
                """,
                by: .after(.seconds(5))
            )
            defer { _ = try? administrator.run("DROP FUNCTION public.dawdle() CASCADE", by: .after(.seconds(5))) }
            var keeper = PartitionKeeper(patience: .milliseconds(1_500), first: .zero)
            let failures = round(&keeper).compactMap { if case .failed(_, let reason) = $0 { reason } else { nil } }
            #expect(failures.count == 1)
            #expect(failures.first?.contains("SQLSTATE 57014") == true)
            #expect(try strays() == 1)
            #expect(try partitions(ahead: true) == 9)
            #expect(try partitions(ahead: false) == 2)
        }

        @Test
        func aLongReaderPutsTheTableOff() throws {
            try insert(daysAgo: 2...4)
            let reader = try Holder("SELECT count(*) FROM public.apirequests")
            var keeper = PartitionKeeper(first: .zero)
            let events = round(&keeper)
            // One wait of a second, not one for each day.
            #expect(events.count == 1)
            guard case .putOff = events.first else {
                Issue.record("\(events)")
                return
            }
            #expect(keeper.next == .seconds(300))
            try reader.release()
            #expect(round(&keeper).count == 9 + 3)
        }

        @Test
        func aFailureAdvancesTheSchedule() throws {
            try insert(daysAgo: 2...4)
            try administrator.run(
                "REVOKE EXECUTE ON FUNCTION forebay.daily_table_names() FROM apm_writer",
                by: .after(.seconds(5))
            )
            var keeper = PartitionKeeper(first: .seconds(10))
            let events = round(&keeper)
            try administrator.run(
                "GRANT EXECUTE ON FUNCTION forebay.daily_table_names() TO apm_writer",
                by: .after(.seconds(5))
            )
            guard events.count == 1, case .trouble(nil, let reason) = events[0] else {
                Issue.record("\(events)")
                return
            }
            #expect(reason.hasSuffix("run `forebay init`"))
            #expect(keeper.next == .seconds(310))
            #expect(round(&keeper).count == 9 + 3)
        }

        /// To find the past days takes long where the default partition is large. The days ahead don't wait for it.
        @Test
        func theDaysAheadAreMadeThoughThePastCanNotBeRead() throws {
            try insert(daysAgo: 2...4)
            let function = "forebay.days_past(regclass, interval)"
            try administrator.run("REVOKE EXECUTE ON FUNCTION \(function) FROM apm_writer", by: .after(.seconds(5)))
            let grant = "GRANT EXECUTE ON FUNCTION \(function) TO apm_writer"
            defer { _ = try? administrator.run(grant, by: .after(.seconds(5))) }
            var keeper = PartitionKeeper(first: .zero)
            guard case .trouble("public.apirequests", _) = round(&keeper).last else {
                Issue.record("the past days were read")
                return
            }
            #expect(try partitions(ahead: true) == 9)
            #expect(keeper.next == .seconds(300))
        }

        @Test
        func aSessionThatEndsEndsTheRound() throws {
            try insert(daysAgo: 2...2)
            let pid = try writer.query("SELECT pg_backend_pid()", by: .after(.seconds(5))).rows[0].integer(0) ?? 0
            try administrator.query("SELECT pg_terminate_backend(\(pid), 5000)", by: .after(.seconds(10)))
            var keeper = PartitionKeeper(first: .zero)
            #expect(round(&keeper).count == 1)
            #expect(keeper.next == .seconds(300))
        }

        /// The process stops: that is no day's fault, and no news.
        @Test
        func aRoundThatIsBrokenOffBlamesNobody() throws {
            try insert(daysAgo: 2...4)
            let interrupt = Interrupt()
            let connection = try PostgresConnection(
                to: TestDatabase.address(try TestDatabase.cluster.primary),
                settings: TestDatabase.writerSettings,
                deadline: .after(.seconds(5)),
                interrupt: interrupt
            )
            let holder = try Holder("SELECT count(*) FROM public.apirequests")
            var keeper = PartitionKeeper(first: .zero)
            var events: [PartitionKeeper.Event] = []
            let stop: @Sendable () throws -> Void = {
                try Bystander(target: "forebay").waitUntilBlocked()
                interrupt.fire()
            }
            try Bystander.meanwhile(stop) {
                keeper.run(on: connection, now: { .zero }, report: { events.append($0) })
            }
            try holder.release()
            #expect(events == [])
            #expect(keeper.next == .seconds(300))
        }

        // MARK: init

        private func initialize(
            patience: Duration = .seconds(120),
            keep: Int? = nil
        ) -> (lines: [String], fault: SetupFault?) {
            var lines: [String] = []
            var setup = DatabaseSetup(
                writer: TestDatabase.writer,
                reader: TestDatabase.reader,
                tables: [TableName(schema: "public", name: "apirequests")],
                retentionDays: keep
            )
            setup.patience = patience
            do throws(SetupFault) {
                try setup.run(on: administrator) { line in
                    if line.hasPrefix("partitions: ") { lines.append(line) }
                }
                return (lines, nil)
            } catch {
                return (lines, error)
            }
        }

        @Test
        func initMakesEveryPastDay() throws {
            try insert(daysAgo: 2...121)
            let (lines, fault) = initialize(patience: .seconds(2))
            #expect(fault == nil)
            #expect(lines.count == 9 + 120)
            #expect(lines.allSatisfy { $0.hasPrefix("partitions: made public.apirequests of ") })
            #expect(lines.last?.hasSuffix(", 1 rows moved from the default partition") == true)
            #expect(try strays() == 0)
            #expect(initialize().lines == ["partitions: all there"])
            // Partitions that are over go one by one, too.
            #expect(initialize(keep: 30).lines.filter { $0.hasPrefix("partitions: dropped ") }.count == 91)
        }

        @Test
        func initTakesEveryStepAndThenFails() throws {
            try insert(daysAgo: 2...4)
            try obstruct(daysAgo: 3)
            let (lines, fault) = initialize()
            try clear(daysAgo: 3)
            #expect(lines.filter { $0.hasPrefix("partitions: made ") }.count == 9 + 2)
            #expect(lines.filter { $0.hasPrefix("partitions: failed public.apirequests of ") }.count == 1)
            #expect(fault?.step == "partitions")
            #expect(fault?.reason.contains("SQLSTATE 42P07") == true)
            #expect(try strays() == 1)
        }
    }
}

/// The partitioned table that the suites of the partitions share.
struct PartitionTable {
    /// Leaves nothing but an empty default partition, and the session in a time zone far from UTC.
    func empty(_ administrator: PostgresConnection) throws {
        try administrator.run(
            """
            SET client_min_messages = warning; SET timezone = 'Pacific/Auckland';
            TRUNCATE public.apirequests
            """,
            by: .after(.seconds(10))
        )
        // Hundreds of them in one transaction take more locks than the server has room for.
        let partitions = try administrator.query(
            "SELECT partition_id FROM forebay.partition_bounds('public.apirequests')",
            by: .after(.seconds(10))
        ).rows.compactMap { $0.text(0) }
        for partition in partitions {
            try administrator.run("DROP TABLE \(partition)", by: .after(.seconds(10)))
        }
    }
}
