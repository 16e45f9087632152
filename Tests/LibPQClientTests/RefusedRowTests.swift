// Method: rows that PostgreSQL refuses, in the second of two COPYs; the exact text of the context that names the line is what poison
// isolation relies on, so it is spelled out here.

import Delivery
import LibPQClient
import LocalPostgres
import Records
import Testing

extension RealServerTests {
    @Suite(.serialized)
    struct RefusedRowTests {
        let destination: LedgerDestination
        let lane = LaneKey(queue: QueueID(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max)), lane: LaneID(0))
        let good: TestTable
        let epoch: Int64

        init() throws {
            destination = try LedgerDestinationTests.makeDestination()
            good = try TestTable("good")
            epoch = try destination.claim(lane).epoch
        }

        /// Flushes a good part and then the given one, which must be refused, and nothing may land.
        private func refusal(of part: Flush.Part) throws -> ServerError? {
            let flush = Flush(
                lane: lane,
                epoch: epoch,
                from: .none,
                to: Offset(10),
                parts: [good.part([(1, "a")]), part]
            )
            let fault = #expect(throws: DeliveryFault.self) { try destination.flush(flush) }
            #expect(fault?.part == 1)
            #expect(try good.contents() == [])
            // The same connection takes the next claim, which is how isolation goes on.
            #expect(destination.node != nil)
            #expect(try destination.claim(lane).position == .none)
            return fault?.serverError
        }

        /// A value whose length does not fit its type is a protocol violation to PostgreSQL (08P01), although nothing is wrong with the
        /// connection: only the context tells it from one.
        @Test
        func valueOfTheWrongLength() throws {
            let table = try TestTable("bad_value")
            var rows = TestRows()
            rows.add(1, "a")
            rows.add(2, "b")
            rows.bytes[rows.bounds[1] + 5] = 7
            let slice = rows.slice(first: Offset(2), fingerprint: table.layout.fingerprint)
            let error = try refusal(of: Flush.Part(layout: table.layout, slices: [slice]))
            #expect(error?.sqlState == "08P01")
            #expect(error?.context == "COPY bad_value, line 2, column n")
        }

        @Test
        func invalidUTF8() throws {
            let table = try TestTable("bad_text")
            var rows = TestRows()
            for number in 1...3 {
                rows.add(Int64(number), "abc")
            }
            rows.bytes[rows.bounds[3] - 1] = 0xFF
            let slice = rows.slice(first: Offset(2), fingerprint: table.layout.fingerprint)
            let error = try refusal(of: Flush.Part(layout: table.layout, slices: [slice]))
            #expect(error?.sqlState == "22021")
            #expect(error?.context == "COPY bad_text, line 3, column t")
        }

        @Test
        func valueThatItsTypeDoesNotHave() throws {
            let table = try TestTable("bad_json", definition: "(n int8, t jsonb)")
            let error = try refusal(of: table.part([(1, "\u{1}{}"), (2, "\u{1}{"), (3, "\u{1}{}")], of: .jsonb))
            #expect(error?.sqlState == "22P02")
            #expect(error?.context == "JSON data, line 1: {\nCOPY bad_json, line 2, column t")
        }

        @Test
        func check() throws {
            let table = try TestTable("with_check", definition: "(n int8 CONSTRAINT small CHECK (n < 10), t text)")
            let error = try refusal(of: table.part([(1, "a"), (10, "b"), (11, "c")]))
            #expect(error?.sqlState == "23514")
            #expect(error?.constraint == "small")
            #expect(error?.context == "COPY with_check, line 2")
        }

        @Test
        func notNull() throws {
            let table = try TestTable("not_null", definition: "(n int8, t text NOT NULL)")
            let error = try refusal(of: table.part([(1, "a"), (2, "b"), (3, nil)]))
            #expect(error?.sqlState == "23502")
            #expect(error?.column == "t")
            #expect(error?.context == "COPY not_null, line 3")
        }

        @Test
        func unique() throws {
            let table = try TestTable("with_key", definition: "(n int8 PRIMARY KEY, t text)")
            let error = try refusal(of: table.part([(1, "a"), (2, "b"), (3, "c"), (2, "d"), (4, "e")]))
            #expect(error?.sqlState == "23505")
            #expect(error?.constraint == "with_key_pkey")
            #expect(error?.context == "COPY with_key, line 4")
        }

        /// Rows of a partitioned table wait in buffers, one for each partition, and are written together: the line is that of the
        /// row even so, not that of the last row read.
        @Test
        func uniqueInAPartition() throws {
            let table = try TestTable("parted", definition: "(n int8 PRIMARY KEY, t text) PARTITION BY RANGE (n)")
            try TestDatabase.administrator().run(
                """
                CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (100);
                CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (100) TO (200)
                """,
                by: .after(.seconds(10))
            )
            let error = try refusal(of: table.part([(1, "a"), (101, "b"), (2, "c"), (101, "d"), (3, "e"), (102, "f")]))
            #expect(error?.sqlState == "23505")
            #expect(error?.context == "COPY parted, line 4")
        }

        @Test
        func noPartitionForTheRow() throws {
            let table = try TestTable("homeless", definition: "(n int8, t text) PARTITION BY RANGE (n)")
            let error = try refusal(of: table.part([(1, "a")]))
            #expect(error?.sqlState == "23514")
            #expect(error?.context == "COPY homeless, line 1")
        }

        /// The context that a trigger's own code adds comes first.
        @Test
        func trigger() throws {
            let table = try TestTable("with_trigger")
            try TestDatabase.administrator().run(
                """
                CREATE OR REPLACE FUNCTION public.refuse_two() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN IF NEW.n = 2 THEN RAISE EXCEPTION USING ERRCODE = ''23514'', MESSAGE = ''not two''; END IF; RETURN NEW; END';
                CREATE TRIGGER refuse BEFORE INSERT ON with_trigger FOR EACH ROW EXECUTE FUNCTION public.refuse_two()
                """,
                by: .after(.seconds(10))
            )
            let error = try refusal(of: table.part([(1, "a"), (2, "b")]))
            #expect(error?.sqlState == "23514")
            #expect(error?.context == "PL/pgSQL function refuse_two() line 1 at RAISE\nCOPY with_trigger, line 2")
        }

        @Test
        func theTableIsGone() throws {
            let table = try TestTable("gone")
            try TestDatabase.administrator().run("DROP TABLE gone", by: .after(.seconds(10)))
            #expect(try refusal(of: table.part([(1, "a")]))?.sqlState == "42P01")
        }

        @Test
        func theColumnIsGone() throws {
            let table = try TestTable("narrow", definition: "(n int8)")
            #expect(try refusal(of: table.part([(1, "a")]))?.sqlState == "42703")
        }

        @Test
        func notAllowed() throws {
            let table = try TestTable("closed")
            try TestDatabase.administrator().run("REVOKE ALL ON closed FROM apm_writer", by: .after(.seconds(10)))
            #expect(try refusal(of: table.part([(1, "a")]))?.sqlState == "42501")
        }
    }
}
