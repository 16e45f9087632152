// Method: tables of every kind, read with the writer's own rights; one test per thing that a table can be wrong in.

import Delivery
import LibPQClient
import LocalPostgres
import Records
import Testing

extension RealServerTests {
    @Suite(.serialized)
    struct CatalogueTests {
        let catalogue: Catalogue

        init() throws {
            catalogue = Catalogue(
                try TestDatabase.connect(to: try TestDatabase.cluster.primary, as: TestDatabase.writer)
            )
        }

        /// Makes the table `name` with this definition, and reads it.
        private func columns(_ name: String, _ definition: String) throws -> [Column] {
            let table = try TestTable(name, definition: "(\(definition))")
            return try catalogue.schema(of: table.name, stream: "s", by: .after(.seconds(5))).columns
        }

        private func fault(of table: TableName) -> CatalogueFault? {
            #expect(throws: CatalogueFault.self) {
                try catalogue.schema(of: table, stream: "s", by: .after(.seconds(5)))
            }
        }

        @Test(arguments: ColumnType.allCases)
        func everyType(type: ColumnType) throws {
            #expect(try columns("typed", "c \(type.rawValue)") == [Column(name: "c", type: type)])
        }

        @Test
        func theMainStream() throws {
            let table = TableName(schema: "public", name: "apirequests")
            let schema = try catalogue.schema(of: table, stream: "apirequests", by: .after(.seconds(5)))
            #expect(schema.stream == "apirequests")
            #expect(schema.table == table)
            #expect(
                schema.columns == [
                    Column(name: "time", type: .timestamptz, notNull: true),
                    Column(name: "service", type: .text),
                    Column(name: "endpoint", type: .text),
                    Column(name: "method", type: .text),
                    Column(name: "status_code", type: .int2),
                    Column(name: "latency_ms", type: .float8),
                    Column(name: "request_bytes", type: .int4),
                    Column(name: "response_bytes", type: .int4),
                    Column(name: "trace_id", type: .text),
                    Column(name: "client_ip", type: .inet),
                    Column(name: "user_agent", type: .text),
                    Column(name: "tags", type: .jsonb),
                ]
            )
        }

        @Test
        func defaultsIdentitiesAndGeneratedColumns() throws {
            let columns = try columns(
                "defaults",
                """
                id int8 GENERATED ALWAYS AS IDENTITY, number serial, made timestamptz NOT NULL DEFAULT now(), gone int,
                twice int8 GENERATED ALWAYS AS (2 * 3) STORED, "Odd name" text
                """
            )
            #expect(columns.map(\.name) == ["id", "number", "made", "gone", "Odd name"])
            #expect(columns.map(\.hasDefault) == [true, true, true, false, false])
            #expect(columns.map(\.notNull) == [true, true, true, false, false])
        }

        /// Makes the table and whatever else, and reads by which columns its rows are grouped.
        private func grouping(_ definition: String, _ more: String = "") throws -> [String]? {
            let table = try TestTable("grouped", definition: definition)
            if !more.isEmpty { try TestDatabase.administrator().run(more, by: .after(.seconds(5))) }
            return try catalogue.schema(of: table.name, stream: "s", by: .after(.seconds(5))).grouping
        }

        @Test
        func rowsAreGroupedByWhatAnIndexBeginsWith() throws {
            let table = TableName(schema: "public", name: "apirequests")
            let schema = try catalogue.schema(of: table, stream: "apirequests", by: .after(.seconds(5)))
            #expect(schema.grouping == ["service", "endpoint"])
            #expect(schema.grouping(of: schema.layout()) == [1, 2])

            let columns = "(at timestamptz, a text, b text, c int8)"
            #expect(try grouping(columns) == nil)
            #expect(try grouping(columns, "CREATE INDEX ON grouped (a)") == nil)
            #expect(try grouping(columns, "CREATE INDEX ON grouped (b, a, at) INCLUDE (c)") == ["b", "a"])
            #expect(try grouping(columns, "CREATE INDEX ON grouped (at, a); CREATE INDEX ON grouped (c, at)") == ["c"])
            #expect(try grouping(columns, "CREATE INDEX ON grouped USING brin (a, b)") == nil)
            #expect(try grouping(columns, "CREATE INDEX ON grouped (a, at) WHERE c > 0") == nil)
            #expect(try grouping(columns, "CREATE INDEX ON grouped (lower(a), at)") == nil)
        }

        /// Where one row keeps another out, or something runs for each row, the order in which rows come can be told.
        @Test
        func rowsStayAsTheyCameWhereTheirOrderShows() throws {
            let columns = "(at timestamptz, a text, b int8)"
            let index = "CREATE INDEX ON grouped (a, at);"
            #expect(try grouping(columns, index) == ["a"])
            #expect(try grouping("(at timestamptz, a text, b int8 PRIMARY KEY)", index) == nil)
            #expect(
                try grouping(
                    columns + " PARTITION BY RANGE (at)",
                    index + "CREATE TABLE grouped_p PARTITION OF grouped DEFAULT; CREATE UNIQUE INDEX ON grouped_p (b)"
                ) == nil
            )
            let function = """
                CREATE OR REPLACE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
                """
            #expect(
                try grouping(
                    columns,
                    index + function
                        + "CREATE TRIGGER t BEFORE INSERT ON grouped FOR EACH ROW EXECUTE FUNCTION public.nothing()"
                ) == nil
            )
            #expect(
                try grouping(
                    columns,
                    index + function
                        + "CREATE TRIGGER t AFTER UPDATE ON grouped FOR EACH ROW EXECUTE FUNCTION public.nothing()"
                ) == ["a"]
            )
        }

        /// A default may count.
        @Test
        func rowsThatLeaveAColumnToItsDefaultAreNotGrouped() throws {
            let table = try TestTable("counted", definition: "(a text, at timestamptz, n serial)")
            try TestDatabase.administrator().run("CREATE INDEX ON counted (a, at)", by: .after(.seconds(5)))
            let schema = try catalogue.schema(of: table.name, stream: "s", by: .after(.seconds(5)))
            #expect(schema.grouping == ["a"])
            #expect(schema.grouping(of: schema.layout()) == [0])
            #expect(schema.grouping(of: schema.layout(omitting: [2])) == [])
        }

        @Test
        func aDroppedColumnIsNotThere() throws {
            let table = try TestTable("dropped", definition: "(a int8, b text, c bool)")
            try TestDatabase.administrator().run("ALTER TABLE dropped DROP COLUMN b", by: .after(.seconds(5)))
            #expect(
                try catalogue.schema(of: table.name, stream: "s", by: .after(.seconds(5))).columns.map(\.name) == [
                    "a", "c",
                ]
            )
        }

        @Test
        func lengthsAndPrecisions() throws {
            let columns = try columns(
                "limits",
                "a varchar(20), b varchar, c numeric(10, 2), d numeric, e numeric(3, -2), f varchar(1)"
            )
            #expect(columns.map(\.maximumLength) == [20, nil, nil, nil, nil, 1])
            #expect(columns[2].numericLimits == Column.NumericLimits(precision: 10, scale: 2))
            #expect(columns[3].numericLimits == nil)
            #expect(columns[4].numericLimits == Column.NumericLimits(precision: 3, scale: -2))
        }

        @Test
        func domainsAreWhatTheyAreMadeOf() throws {
            try TestDatabase.administrator().run(
                """
                SET client_min_messages = warning;
                DROP DOMAIN IF EXISTS inner_domain CASCADE;
                CREATE DOMAIN inner_domain AS varchar(7) NOT NULL;
                CREATE DOMAIN outer_domain AS inner_domain DEFAULT 'x'
                """,
                by: .after(.seconds(5))
            )
            #expect(
                try columns("with_domain", "a outer_domain, b int8") == [
                    Column(name: "a", type: .varchar, notNull: true, hasDefault: true, maximumLength: 7),
                    Column(name: "b", type: .int8),
                ]
            )
        }

        @Test
        func aColumnOfAnotherTypeIsRefusedByName() throws {
            try TestDatabase.administrator().run(
                """
                SET client_min_messages = warning;
                DROP TYPE IF EXISTS mood CASCADE; CREATE TYPE mood AS ENUM ('good', 'bad')
                """,
                by: .after(.seconds(5))
            )
            let table = try TestTable("strange", definition: "(a int8, p point, m mood, i int4[], t time, f char(3))")
            let fault = fault(of: table.name)
            #expect(
                fault
                    == .unsupportedColumns(
                        table.name,
                        [
                            .init(name: "p", type: "point"), .init(name: "m", type: "mood"),
                            .init(name: "i", type: "integer[]"), .init(name: "t", type: "time without time zone"),
                            .init(name: "f", type: "character(3)"),
                        ]
                    )
            )
            #expect("\(fault.map { "\($0)" } ?? "")".contains("p is point, m is mood, i is integer[]"))
        }

        @Test
        func aTableThatIsNotThere() {
            let table = TableName(schema: "public", name: "nowhere")
            #expect(fault(of: table) == .missingTable(table))
        }

        @Test
        func aViewIsNotATable() {
            let view = TableName(schema: "public", name: "apirequests_hourly")
            #expect(fault(of: view) == .notATable(view))
        }

        @Test
        func missingPrivileges() throws {
            let table = try TestTable("locked")
            try TestDatabase.administrator().run(
                "REVOKE INSERT ON locked FROM apm_writer; DROP SCHEMA IF EXISTS away CASCADE; CREATE SCHEMA away; CREATE TABLE away.t (n int8)",
                by: .after(.seconds(5))
            )
            #expect(fault(of: table.name) == .missingPrivilege(table.name, role: "apm_writer", privilege: "INSERT"))
            let away = TableName(schema: "away", name: "t")
            #expect(fault(of: away) == .missingPrivilege(away, role: "apm_writer", privilege: "USAGE on schema away"))
        }

        @Test
        func insertOnEachColumnIsEnough() throws {
            let table = try TestTable("by_column")
            try TestDatabase.administrator().run(
                "REVOKE INSERT ON by_column FROM apm_writer; GRANT INSERT (n, t) ON by_column TO apm_writer",
                by: .after(.seconds(5))
            )
            #expect(try catalogue.schema(of: table.name, stream: "s", by: .after(.seconds(5))).columns.count == 2)
        }
    }
}
