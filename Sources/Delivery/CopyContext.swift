/// The line of a COPY that an error report names.
enum CopyContext {
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
