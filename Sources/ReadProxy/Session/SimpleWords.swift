/// The words of a short statement, for the few that are carried out here: words, quoted texts with their quotes, and single other characters.
enum SimpleWords {
    static func of(_ text: String) -> [String] {
        var words: [String] = []
        var rest = Substring(text)
        while let first = rest.first {
            if first.isWhitespace {
                rest.removeFirst()
            } else if first == "'" || first == "\"" {
                let end = rest.dropFirst().firstIndex(of: first) ?? rest.index(before: rest.endIndex)
                words.append(String(rest[...end]))
                rest = rest[rest.index(after: end)...]
            } else if first.isLetter || first == "_" {
                let word = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." || $0 == "$" }
                words.append(String(word))
                rest = rest[word.endIndex...]
            } else {
                words.append(String(first))
                rest.removeFirst()
            }
        }
        return words
    }
}
