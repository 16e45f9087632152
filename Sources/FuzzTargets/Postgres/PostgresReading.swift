import Records

/// How PostgreSQL reads the events of a stream by itself: each field's text through the input function of its column's type.
struct PostgresReading {
    let schema: StreamSchema
    let copied: String
    private let inserted: String
    private let function: String

    init(_ schema: StreamSchema) {
        self.schema = schema
        copied = quoteIdentifier("\(schema.stream)_copied")
        inserted = quoteIdentifier("\(schema.stream)_inserted")
        function = quoteIdentifier("\(schema.stream)_read")
    }

    /// Two tables with the stream's columns, numbered rows in both, and the function that reads events into the second.
    var setUp: String {
        let columns = schema.columns.map { column in
            let rest = (column.notNull ? " NOT NULL" : "") + (column.hasDefault ? " DEFAULT \(byDefault(column))" : "")
            return "\(quoteIdentifier(column.name)) \(type(column))\(rest)"
        }.joined(separator: ", ")
        let values = schema.columns.map(value).joined(separator: ", ")
        return """
            CREATE TABLE \(copied) (k bigint GENERATED ALWAYS AS IDENTITY, \(columns));
            CREATE TABLE \(inserted) (k bigint, \(columns));
            CREATE TABLE IF NOT EXISTS refused (k bigint, state text, message text);
            CREATE FUNCTION \(function)(events text) RETURNS void LANGUAGE plpgsql AS $function$
            DECLARE
                event text;
                e json;
                k bigint := 0;
            BEGIN
                FOREACH event IN ARRAY string_to_array(events, E'\\x01') LOOP
                    k := k + 1;
                    BEGIN
                        e := event::json;
                        INSERT INTO \(inserted) SELECT k, \(values);
                    EXCEPTION WHEN others THEN
                        INSERT INTO refused VALUES (k, SQLSTATE, SQLERRM);
                    END;
                END LOOP;
            END $function$;
            """
    }

    var empty: String { "TRUNCATE \(copied) RESTART IDENTITY; TRUNCATE \(inserted); TRUNCATE refused" }

    /// Takes all events in one text, U+0001 between them: no JSON has it.
    var read: String { "SELECT \(function)($1)" }

    /// The first row and column in which the two tables differ, as text, which tells every value of these types from every other.
    var differences: String {
        schema.columns.map { column in
            let name = quoteIdentifier(column.name)
            return """
                SELECT k, \(quoteLiteral(column.name)), c.\(name)::text, i.\(name)::text FROM \(copied) c JOIN \(inserted) i USING (k)
                WHERE c.\(name)::text IS DISTINCT FROM i.\(name)::text
                """
        }.joined(separator: "\nUNION ALL ") + "\nLIMIT 1"
    }

    private func type(_ column: Column) -> String {
        if let length = column.maximumLength { return "varchar(\(length))" }
        if let limits = column.numericLimits { return "numeric(\(limits.precision), \(limits.scale))" }
        return column.type.rawValue
    }

    private func byDefault(_ column: Column) -> String {
        column.type == .jsonb ? "'{\"by\": \"default\"}'" : "7"
    }

    private func value(_ column: Column) -> String {
        let name = quoteLiteral(column.name)
        let text = "(e->>\(name))"
        let number =
            "CASE WHEN \(text) ~ '^[-+]?[0-9]+$' THEN \(text)::\(column.type.rawValue) ELSE \(text)::numeric::\(column.type.rawValue) END"
        let field =
            switch column.type {
            case .int2, .int4, .int8: number
            case .json: "CASE WHEN json_typeof(e->\(name)) <> 'null' THEN e->\(name) END"
            case .jsonb: "CASE WHEN json_typeof(e->\(name)) <> 'null' THEN (e->\(name))::jsonb END"
            case .timestamptz:
                "CASE WHEN json_typeof(e->\(name)) = 'number' THEN unix(\(text)::numeric) AT TIME ZONE 'UTC' ELSE \(text)::timestamptz END"
            case .timestamp:
                "CASE WHEN json_typeof(e->\(name)) = 'number' THEN unix(\(text)::numeric) ELSE \(text)::timestamp END"
            case .bytea: "CASE WHEN \(text) LIKE '\\\\x%' THEN \(text)::bytea ELSE decode(\(text), 'base64') END"
            case .textArray: elements(name, "x")
            case .int8Array: elements(name, "CASE WHEN x ~ '^[-+]?[0-9]+$' THEN x::int8 ELSE x::numeric::int8 END")
            case .float8Array: elements(name, "x::float8")
            default: "\(text)::\(column.type.rawValue)"
            }
        guard column.hasDefault else { return field }
        return "CASE WHEN (e->\(name)) IS NULL THEN \(byDefault(column)) ELSE \(field) END"
    }

    private func elements(_ name: String, _ element: String) -> String {
        """
        CASE WHEN json_typeof(e->\(name)) = 'array' THEN \
        ARRAY(SELECT \(element) FROM json_array_elements_text(e->\(name)) WITH ORDINALITY AS a(x, n) ORDER BY n) END
        """
    }
}
