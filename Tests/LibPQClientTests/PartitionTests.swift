// Method: rows are put where a late, an early or a mistaken clock puts them; then the writer maintains the partitions, and where each
// row stands is read from its `tableoid`.

import Delivery
import LibPQClient
import LocalPostgres
import Records
import Testing

extension RealServerTests {
    @Suite(.serialized)
    struct PartitionTests {
        let administrator: PostgresConnection
        let writer: PostgresConnection

        init() throws {
            administrator = try TestDatabase.administrator()
            writer = try TestDatabase.connect(to: try TestDatabase.cluster.primary, as: TestDatabase.writer)
            try PartitionTable().empty(administrator)
        }

        private func insert(_ time: String) throws {
            try writer.run(
                "INSERT INTO public.apirequests (time, service, endpoint, method, status_code, latency_ms, tags) "
                    + "VALUES (\(time), 's', 'e', 'GET', 200, 1.5, '{\"a\": 1}')",
                by: .after(.seconds(5))
            )
        }

        @discardableResult
        private func maintain(ahead: Int = 3, keep: String = "NULL") throws -> [String] {
            try writer.query(
                "SELECT step, partition, detail FROM forebay.maintain_partitions(\(ahead), \(keep))",
                by: .after(.seconds(10))
            )
            .rows.map { "\($0.text(0) ?? "") \($0.text(2) ?? "")" }
        }

        /// The partitions that hold rows, and how many.
        private func places() throws -> [String: Int64] {
            let rows = try administrator.query(
                "SELECT tableoid::regclass, count(*) FROM public.apirequests GROUP BY 1",
                by: .after(.seconds(5))
            ).rows
            return Dictionary(uniqueKeysWithValues: rows.map { ($0.text(0) ?? "", $0.integer(1) ?? 0) })
        }

        private func partitions() throws -> Int64? {
            try administrator.query(
                "SELECT count(*) FROM forebay.partition_bounds('public.apirequests')",
                by: .after(.seconds(5))
            )
            .rows.first?.integer(0)
        }

        private func name(daysFromNow days: Int) throws -> String {
            try administrator.query(
                "SELECT 'apirequests_p' || to_char((now() AT TIME ZONE 'UTC')::date + \(days), 'YYYYMMDD')",
                by: .after(.seconds(5))
            ).rows.first?.text(0) ?? ""
        }

        @Test
        func yesterdayToTheDaysAhead() throws {
            #expect(try maintain(ahead: 3).count == 5)
            #expect(try partitions() == 5)
            try insert("now()")
            #expect(try places() == [try name(daysFromNow: 0): 1])
            #expect(try maintain(ahead: 3) == [])
            #expect(try maintain(ahead: 4) == ["made 0 rows moved from the default partition"])
        }

        @Test
        func rowsThatCameFirstMoveIntoTheNewPartition() throws {
            for _ in 0..<3 {
                try insert("now()")
            }
            try insert("now() + interval '2 days'")
            #expect(try places() == ["apirequests_default": 4])
            #expect(
                try maintain(ahead: 3).filter { $0.hasPrefix("made 3 rows") || $0.hasPrefix("made 1 rows") }.count == 2
            )
            #expect(try places() == [try name(daysFromNow: 0): 3, try name(daysFromNow: 2): 1])
            let kept = try administrator.query(
                "SELECT DISTINCT latency_ms, tags FROM public.apirequests",
                by: .after(.seconds(5))
            )
            #expect(kept.rows.map(\.values) == [["1.5", "{\"a\": 1}"]])
        }

        @Test
        func mistakenClocksStayInTheDefaultPartition() throws {
            for time in ["'1970-01-01'", "'2099-01-01'", "'infinity'", "'-infinity'", "now() + interval '40 days'"] {
                try insert(time)
            }
            try maintain(ahead: 3, keep: "interval '30 days'")
            #expect(try places() == ["apirequests_default": 5])
            #expect(try partitions() == 5)
        }

        @Test
        func lateRowsGetTheirDay() throws {
            try insert("now() - interval '10 days'")
            try insert("now() - interval '10 days'")
            try insert("now() - interval '50 days'")
            try maintain(ahead: 1, keep: "interval '30 days'")
            #expect(try places() == [try name(daysFromNow: -10): 2, "apirequests_default": 1])
        }

        /// Its day used to be made and, as that was over, dropped in the same call.
        @Test
        func aLateRowOfADayThatIsJustOverStays() throws {
            try insert("((now() AT TIME ZONE 'UTC')::date - 31)::timestamp AT TIME ZONE 'UTC'")
            try maintain(ahead: 1, keep: "interval '30 days'")
            #expect(try places() == ["apirequests_default": 1])
        }

        @Test
        func daysThatAreOverAreDropped() throws {
            try administrator.run(
                "SELECT forebay.make_partition('public.apirequests', (now() AT TIME ZONE 'UTC')::date - 31);"
                    + "SELECT forebay.make_partition('public.apirequests', (now() AT TIME ZONE 'UTC')::date - 30)",
                by: .after(.seconds(5))
            )
            try insert("now() - interval '31 days'")
            try insert("now() - interval '29 days 23 hours 59 minutes'")
            let steps = try maintain(ahead: 0, keep: "interval '30 days'")
            #expect(steps.filter { $0.hasPrefix("dropped") }.count == 1)
            #expect(try places().values.reduce(0, +) == 1)
            #expect(try places()[name(daysFromNow: -31)] == nil)
        }

        @Test
        func withoutALimitNothingIsDropped() throws {
            try administrator.run(
                "SELECT forebay.make_partition('public.apirequests', '2001-01-01')",
                by: .after(.seconds(5))
            )
            try insert("'2001-01-01 12:00+00'")
            try maintain()
            #expect(try places() == ["apirequests_p20010101": 1])
        }

        /// Whoever reads keeps the default partition from being locked: the step is put off, nobody waits behind it for long, and the
        /// next call does it.
        @Test
        func aLongReaderPutsAStepOff() throws {
            try insert("now()")
            let reader = try Holder("SELECT count(*) FROM public.apirequests")
            let steps = try maintain(ahead: 0)
            #expect(steps.allSatisfy { $0 == "put off canceling statement due to lock timeout" })
            #expect(try places() == ["apirequests_default": 1])
            try reader.release()
            try maintain(ahead: 0)
            #expect(try places() == [try name(daysFromNow: 0): 1])
        }

        @Test
        func indexesAndKeyFiguresOfAPartition() throws {
            try maintain(ahead: 0)
            let indexes = try administrator.query(
                "SELECT count(*) FROM pg_index WHERE indrelid = '\(try name(daysFromNow: 0))'::regclass",
                by: .after(.seconds(5))
            )
            #expect(indexes.rows.first?.integer(0) == 4)
            for status in [200, 200, 200, 503] {
                try writer.run(
                    "INSERT INTO public.apirequests (time, service, endpoint, method, status_code, latency_ms, response_bytes) "
                        + "VALUES (date_bin('1 hour', now(), '2000-01-01 00:00+00'), 's', 'e', 'GET', \(status), \(status), 10)",
                    by: .after(.seconds(5))
                )
            }
            for view in ["hourly", "daily"] {
                let figures = try administrator.query(
                    "SELECT requests, errors, error_rate, p50_latency_ms, response_bytes FROM apirequests_\(view)",
                    by: .after(.seconds(5))
                )
                #expect(figures.rows.map(\.values) == [["4", "1", "0.25", "200", "40"]])
            }
        }

        @Test(arguments: ["-1, NULL", "367, NULL", "NULL, NULL", "1, interval '1 hour'"])
        func nonsenseIsRefused(arguments: String) throws {
            let fault = #expect(throws: ConnectionFault.self) {
                try writer.query("SELECT * FROM forebay.maintain_partitions(\(arguments))", by: .after(.seconds(5)))
            }
            guard case .server(let error) = fault else { return }
            #expect(error.sqlState == "22023")
        }
    }
}
