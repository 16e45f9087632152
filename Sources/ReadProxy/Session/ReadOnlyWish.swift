/// Drivers that were told to read only say so to the server, which is what the read port wants anyway.
enum ReadOnlyWish {
    /// Whether a statement of its own sets `default_transaction_read_only` or `transaction_read_only` to what it is, or back to it.
    static func isOne(_ text: String) -> Bool {
        var words = SimpleWords.of(text).map { $0.lowercased() }
        if words.last == ";" { words.removeLast() }
        if words.count == 2, words[0] == "reset", names.contains(words[1]) { return true }
        guard words.first == "set" else { return false }
        words.removeFirst()
        if words.first == "session" || words.first == "local" { words.removeFirst() }
        guard words.count == 3, names.contains(words[0]) else { return false }
        return (words[1] == "to" || words[1] == "=") && on.contains(words[2])
    }

    private static let names: Set<String> = ["default_transaction_read_only", "transaction_read_only"]
    private static let on: Set<String> = ["on", "true", "yes", "1", "'on'", "'true'", "'yes'", "'1'", "default"]
}
