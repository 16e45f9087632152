/// Drivers that were told to read only say so to the server, which is what the read port wants anyway.
enum ReadOnlyWish {
    /// Whether a statement of its own sets `default_transaction_read_only` to what it is, or back to it.
    static func isOne(_ text: String) -> Bool {
        var words = SimpleWords.of(text).map { $0.lowercased() }
        if words.last == ";" { words.removeLast() }
        if words == ["reset", name] { return true }
        guard words.first == "set" else { return false }
        words.removeFirst()
        if words.first == "session" { words.removeFirst() }
        return words.count == 3 && words[0] == name && (words[1] == "to" || words[1] == "=") && on.contains(words[2])
    }

    private static let name = "default_transaction_read_only"
    private static let on: Set<String> = ["on", "true", "yes", "1", "'on'", "'true'", "'yes'", "'1'", "default"]
}
