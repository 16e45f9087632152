/// The line of a COPY that an error report names.
enum CopyContext {
    /// Whether the line that comes with this error is the bad row's own, for certain.
    ///
    /// So it is for what COPY finds as it takes each row: a value that is none (22), NULL where there must be none (23502), a check (23514) and
    /// a partition that is missing (23514 too); and for what it finds as it enters a row into the indexes, since it sets the line back to that row for
    /// it: unique (23505) and exclusion (23P01) constraints. Other errors may name the last line read before rows were inserted together.
    static func isExact(sqlState: String) -> Bool {
        switch sqlState {
        case "23502", "23505", "23514", "23P01": true
        default: sqlState.hasPrefix("22")
        }
    }

    /// The 1-based number of the tuple within its COPY.
    ///
    /// The field "Where" has the innermost context first, one per line; COPY adds `COPY <table>, line <n>`, with the table's bare name, and
    /// perhaps `, column <name>` behind it. Functions of triggers add lines of their own before it. A server that speaks another language
    /// than English has no such line.
    static func line(in context: String, table: String) -> Int? {
        let prefix = "COPY \(table), line "
        for entry in context.split(separator: "\n").reversed() where entry.hasPrefix(prefix) {
            let digits = entry.dropFirst(prefix.count).prefix { "0" <= $0 && $0 <= "9" }
            if let line = Int(digits), line > 0 { return line }
        }
        return nil
    }
}
