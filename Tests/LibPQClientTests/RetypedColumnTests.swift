// Method: two streams share a lane; the type of a column of one is changed on a real server while rows of its old layout come. Whatever PostgreSQL
// says of these rows (an internal error, a bad value, nothing at all), none may land as another type than theirs, none may be called bad, and the
// neighbour goes on. Then the column gets its old type back, and a retry brings all of them, each once.

import Delivery
import LibPQClient
import LocalPostgres
import Records
import Testing

extension RealServerTests {
    @Suite(.serialized)
    struct RetypedColumnTests {
        /// A column's type, a value of it as it is encoded, and the type that the column gets.
        struct Change: CustomTestStringConvertible, Sendable {
            var type: ColumnType
            var value: [UInt8]
            var next: String

            init(_ type: ColumnType, _ value: [UInt8], to next: String) {
                self.type = type
                self.value = value
                self.next = next
            }

            var testDescription: String { "\(type.rawValue) to \(next)" }
        }

        /// PostgreSQL calls it an internal error.
        static let internalErrors = [
            Change(.json, Array("{}".utf8), to: "jsonb"),
            Change(.text, Array("{}".utf8), to: "jsonb"),
        ]
        /// PostgreSQL calls the value bad.
        static let badValues = [
            Change(.int8, [0, 0, 0, 0, 0, 0, 0, 1], to: "int4"),
            Change(.timestamptz, [0, 2, 0, 0, 0, 0, 0, 1], to: "date"),
            Change(.int4, [0, 0, 0, 1], to: "int8"),
            Change(.int8, [0, 0, 0, 0, 0, 0, 0, 1], to: "text"),
            Change(.int8, [0x80, 0, 0, 0, 0, 0, 0, 1], to: "timestamptz"),
            Change(.int8Array, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20], to: "text[]"),
            Change(.text, Array("word".utf8), to: "uuid"),
        ]
        /// PostgreSQL takes it, as another value.
        static let silent = [
            Change(.int8, [0, 0, 0, 0, 0, 0, 0, 1], to: "float8"),
            Change(.int8, [0, 0, 0, 0, 0, 0, 0, 1], to: "timestamptz"),
            Change(.float8, [0x3F, 0xF0, 0, 0, 0, 0, 0, 0], to: "int8"),
            Change(.int4, [0, 0, 0, 1], to: "float4"),
            Change(.int4, [0, 0, 0, 1], to: "date"),
            Change(.jsonb, Array("\u{1}{}".utf8), to: "text"),
            Change(.text, Array("word".utf8), to: "int4"),
            Change(.text, Array("word".utf8), to: "bytea"),
            Change(.timestamptz, [0, 2, 0, 0, 0, 0, 0, 1], to: "timestamp"),
        ]

        private let lane: RealLane
        private let neighbour: TestTable

        init() throws {
            lane = try RealLane()
            neighbour = try TestTable("neighbour")
        }

        private func alter(_ table: TestTable, to type: String) throws {
            try TestDatabase.administrator()
                .run("ALTER TABLE \(table.name.quoted) ALTER t TYPE \(type) USING NULL", by: .after(.seconds(10)))
        }

        private func numbers(_ table: TestTable) throws -> [Int64] {
            try TestDatabase.administrator()
                .query("SELECT n FROM \(table.name.quoted) ORDER BY n", by: .after(.seconds(10)))
                .rows.compactMap { $0.integer(0) }
        }

        /// Three rows of the stream that changes, and three of its neighbour.
        private func append(_ table: TestTable, _ change: Change, from first: Int64) {
            lane.append(table.layout(change.type), (first..<first + 3).map { ($0, change.value) })
            lane.append(neighbour.layout, (first..<first + 3).map { ($0, Array("row \($0)".utf8)) })
        }

        private func expectParked(_ change: Change) throws {
            let table = try TestTable("retyped", definition: "(n int8, t \(change.type.rawValue))")
            append(table, change, from: 1)
            lane.drain()
            #expect(lane.isDrained && lane.faults == 0)

            try alter(table, to: change.next)
            append(table, change, from: 11)
            lane.drain()
            #expect(lane.isDrained)
            #expect(try numbers(neighbour) == [1, 2, 3, 11, 12, 13])
            #expect(try numbers(table) == [1, 2, 3])
            #expect(lane.letters.map(\.kind) == [.parked])
            #expect(lane.letters.reduce(0) { $0 + $1.count } == 3)
            let reason = lane.letters.first?.reason
            #expect(reason?.sqlState == "42804" && reason?.column == "t")
            #expect(reason?.message.contains(change.type.rawValue) == true, "\(reason?.message ?? "none")")
            #expect(lane.faults == 1)

            // It stays so: a retry sets them aside again, once each.
            append(table, change, from: 21)
            lane.drain()
            lane.retryLetters()
            lane.drain()
            #expect(lane.isDrained && lane.faults == 2)
            #expect(try numbers(neighbour) == [1, 2, 3, 11, 12, 13, 21, 22, 23])
            #expect(try numbers(table) == [1, 2, 3])
            #expect(lane.letters.reduce(0) { $0 + $1.count } == 6)

            // And back.
            try alter(table, to: change.type.rawValue)
            lane.retryLetters()
            lane.drain()
            #expect(lane.isDrained && lane.letters.isEmpty)
            #expect(try numbers(table) == [1, 2, 3, 11, 12, 13, 21, 22, 23])
            #expect(lane.events.last == .unparked(stream: "retyped"))
        }

        @Test(arguments: internalErrors)
        func whatIsAnInternalErrorToPostgreSQL(change: Change) throws {
            try expectParked(change)
        }

        @Test(arguments: badValues)
        func whatIsABadValueToPostgreSQL(change: Change) throws {
            try expectParked(change)
        }

        @Test(arguments: silent)
        func whatPostgreSQLTakesForAnotherValue(change: Change) throws {
            try expectParked(change)
        }

        /// The flush has begun, and waits at its COPY for the end of the ALTER: then it goes on, in the new type.
        @Test(arguments: internalErrors + badValues + silent)
        func aFlushThatWaitsForTheChange(change: Change) throws {
            let table = try TestTable("retyped", definition: "(n int8, t \(change.type.rawValue))")
            append(table, change, from: 1)
            lane.drain()
            let administrator = try TestDatabase.administrator()
            try administrator.run(
                "BEGIN; ALTER TABLE retyped ALTER t TYPE \(change.next) USING NULL",
                by: .after(.seconds(10))
            )
            append(table, change, from: 11)
            let bystander = Bystander(target: "forebay/11")
            let committer = Committer(administrator)
            let commit = { @Sendable in
                try bystander.waitUntilBlocked()
                try committer.commit()
            }
            try Bystander.meanwhile(commit) { lane.drain() }
            #expect(lane.isDrained)
            #expect(try numbers(neighbour) == [1, 2, 3, 11, 12, 13])
            #expect(try numbers(table) == [1, 2, 3])
            #expect(lane.letters.map(\.kind) == [.parked])
            #expect(lane.letters.first?.reason.sqlState == "42804")
        }

        /// Rows that were encoded for the new type go on beside the old ones.
        @Test
        func theNewLayoutIsNotParked() throws {
            let table = try TestTable("retyped", definition: "(n int8, t int8)")
            lane.append(table.layout(.int8), [(1, [0, 0, 0, 0, 0, 0, 0, 1])])
            lane.drain()
            try alter(table, to: "float8")
            lane.append(table.layout(.int8), [(2, [0, 0, 0, 0, 0, 0, 0, 1])])
            lane.append(table.layout(.float8), [(3, [0x3F, 0xF0, 0, 0, 0, 0, 0, 0])])
            lane.drain()
            lane.append(table.layout(.float8), [(4, [0x40, 0, 0, 0, 0, 0, 0, 0])])
            lane.drain()
            #expect(lane.isDrained)
            #expect(try table.contents() == ["1 null", "3 1", "4 2"])
            #expect(lane.letters.map(\.kind) == [.parked])
            #expect(!lane.events.contains(.unparked(stream: "retyped")))
            // No row of the old layout has come for half a minute.
            lane.pass(.seconds(31))
            lane.append(table.layout(.float8), [(5, [0x40, 0, 0, 0, 0, 0, 0, 0])])
            lane.drain()
            #expect(lane.events.last == .unparked(stream: "retyped"))
        }

        /// Another type with the same values is no other type.
        @Test(arguments: [
            Change(.text, Array("word".utf8), to: "varchar(20)"),
            Change(.json, Array("{}".utf8), to: "text"),
            Change(.text, Array("{}".utf8), to: "json"),
            Change(.inet, [2, 32, 0, 4, 127, 0, 0, 1], to: "cidr"),
            Change(.int8, [0, 0, 0, 0, 0, 0, 0, 1], to: "public.small"),
        ])
        func whatIsReadAsItWasMeantGoesOn(change: Change) throws {
            try TestDatabase.administrator().run(
                """
                SET client_min_messages = warning; DROP DOMAIN IF EXISTS public.small CASCADE;
                CREATE DOMAIN public.middle AS int8; CREATE DOMAIN public.small AS public.middle CHECK (VALUE < 10)
                """,
                by: .after(.seconds(10))
            )
            let table = try TestTable("retyped", definition: "(n int8, t \(change.type.rawValue))")
            append(table, change, from: 1)
            lane.drain()
            try alter(table, to: change.next)
            append(table, change, from: 11)
            lane.drain()
            #expect(lane.isDrained && lane.letters.isEmpty)
            #expect(try numbers(table) == [1, 2, 3, 11, 12, 13])
            let wrong = try table.contents().filter { $0.hasSuffix("null") }
            #expect(wrong == ["1 null", "2 null", "3 null"])
            try TestDatabase.administrator().run(
                "DROP TABLE retyped; DROP DOMAIN public.small; DROP DOMAIN public.middle",
                by: .after(.seconds(10))
            )
        }

        /// What a receive function says of a column that fits is said of the row, whatever the code.
        @Test
        func aBadRowOfAColumnThatFitsIsFoundAlone() throws {
            let table = try TestTable("retyped", definition: "(n int8, t numeric)")
            let one: [UInt8] = [0, 1, 0, 0, 0, 0, 0, 0, 0, 1]
            // A sign that numeric does not have: 22P03.
            let bad: [UInt8] = [0, 1, 0, 0, 0x12, 0x34, 0, 0, 0, 1]
            lane.append(table.layout(.numeric), [(1, one), (2, bad), (3, one)])
            lane.append(neighbour.layout, [(1, Array("a".utf8))])
            lane.drain()
            #expect(lane.isDrained)
            #expect(try numbers(table) == [1, 3])
            #expect(lane.letters.map(\.kind) == [.poison])
            #expect(lane.letters.first?.reason.sqlState == "22P03")
        }

        /// An internal error is no proof of anything.
        @Test
        func anInternalErrorOfAColumnThatFitsIsWaitedFor() throws {
            let table = try TestTable("retyped", definition: "(n int8, t jsonb)")
            lane.append(table.layout(.jsonb), [(1, Array("\u{2}{}".utf8))])
            lane.drain()
            #expect(!lane.isDrained && lane.letters.isEmpty)
        }

        /// Two columns swap their names: each is there, of another type.
        @Test
        func columnsThatSwapTheirNames() throws {
            let table = try TestTable("retyped", definition: "(n int8, t float8)")
            let change = Change(.float8, [0x3F, 0xF0, 0, 0, 0, 0, 0, 0], to: "int8")
            append(table, change, from: 1)
            lane.drain()
            try TestDatabase.administrator().run(
                "ALTER TABLE retyped RENAME n TO x; ALTER TABLE retyped RENAME t TO n; ALTER TABLE retyped RENAME x TO t",
                by: .after(.seconds(10))
            )
            append(table, change, from: 11)
            lane.drain()
            #expect(lane.isDrained)
            #expect(lane.letters.map(\.kind) == [.parked])
            #expect(lane.letters.first?.reason.sqlState == "42804")
        }

        /// Another table has the name.
        @Test
        func aTableThatWasPutInTheOthersPlace() throws {
            let table = try TestTable("retyped", definition: "(n int8, t int8)")
            let change = Change(.int8, [0, 0, 0, 0, 0, 0, 0, 1], to: "float8")
            append(table, change, from: 1)
            lane.drain()
            let next = try TestTable("retyped", definition: "(n int8, t float8)")
            append(table, change, from: 11)
            lane.drain()
            #expect(lane.isDrained)
            #expect(try numbers(next) == [])
            #expect(lane.letters.first?.reason.sqlState == "42804")
        }
    }

    /// Ends the administrator's transaction from another thread, while this one waits.
    private final class Committer: @unchecked Sendable {
        // Used by one thread at a time: handed over before the other begins, and not touched until it has ended.
        private let connection: PostgresConnection

        init(_ connection: PostgresConnection) {
            self.connection = connection
        }

        func commit() throws {
            try connection.run("COMMIT", by: .after(.seconds(10)))
        }
    }
}
